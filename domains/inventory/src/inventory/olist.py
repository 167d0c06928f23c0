"""The stocks behind the Olist files as commands, in the order of time.

The files tell what was sold and never what lay on a shelf. So each seller's stock of a product begins with as
many boxes as the files show of it in all, received when the first of them was ordered; an order reserves its
boxes when it is placed, they leave when the carrier has them, and a cancelled order releases them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hanse.domain.demo import Row, Timed
from hanse.domain.script import Script
from hanse.domain.tabular import moment, read_rows
from inventory.commands import CommitReservation, ReceiveStock, ReleaseReservation, ReserveStock
from inventory.values import stock_of

ORDERS = "olist_orders_dataset.csv"
ITEMS = "olist_order_items_dataset.csv"
_TIMES = ("order_purchase_timestamp", "order_approved_at", "order_delivered_carrier_date")


@dataclass(slots=True)
class _Sale:
    """What an order asks of the shelves: when, and how it ends."""

    row: Row
    placed: datetime
    left: datetime | None
    cancelled: datetime | None
    reason: str


_Pieces = dict[tuple[str, str, str], list[Row]]
"""The item rows of an order, seller and product."""


def olist(directory: Path) -> Iterator[Timed]:
    """The inventory domain's commands from the Olist files in the folder, in the order of time.

    Rows that no command can be made of come as set aside. Raises ConfigError for a missing file or column.
    """
    script = Script("olist")
    sales = _read_sales(directory, script)
    pieces = _read_pieces(directory, sales, script)
    _receive(sales, pieces, script)
    for (order, seller, product), rows in pieces.items():
        _reserve(order, seller, product, sales[order], rows, script)
    yield from script


def _read_sales(directory: Path, script: Script) -> dict[str, _Sale]:
    sales: dict[str, _Sale] = {}
    for read in read_rows(directory / ORDERS, ("order_id", "order_status", *_TIMES)):
        sale = read.problem or _sale(read.row, read.values)
        if isinstance(sale, str):
            script.set_aside(sale, read.row)
        elif read.values["order_id"] in sales:
            script.set_aside("the order's row comes a second time", read.row)
        else:
            sales[read.values["order_id"]] = sale
    return sales


def _sale(row: Row, values: dict[str, str]) -> _Sale | str:
    times: list[datetime | None] = []
    for name in _TIMES:
        try:
            times.append(moment(values[name]))
        except ValueError:
            return f"{name} is not a time"
    placed, approved, left = times
    if placed is None:
        return f"{_TIMES[0]} is missing"
    status = values["order_status"]
    last = max(t for t in (placed, approved, left) if t is not None)
    return _Sale(row, placed, left, last if status in ("canceled", "unavailable") else None, status)


def _read_pieces(directory: Path, sales: dict[str, _Sale], script: Script) -> _Pieces:
    pieces: _Pieces = defaultdict(list)
    for read in read_rows(directory / ITEMS, ("order_id", "product_id", "seller_id")):
        if read.problem is not None:
            script.set_aside(read.problem, read.row)
        elif read.values["order_id"] not in sales:
            script.set_aside("no usable order row", read.row)
        else:
            values = read.values
            pieces[values["order_id"], values["seller_id"], values["product_id"]].append(read.row)
    return pieces


def _receive(sales: dict[str, _Sale], pieces: _Pieces, script: Script) -> None:
    sold: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[datetime, Row]] = {}
    for (order, *stock), rows in pieces.items():
        key = (stock[0], stock[1])
        sold[key] += len(rows)
        placed = (sales[order].placed, rows[0])
        first[key] = min(first.get(key, placed), placed, key=lambda found: found[0])
    for (seller, product), (at, row) in first.items():
        stock_id = stock_of(seller, product)
        receive = ReceiveStock(
            stock_id=stock_id,
            seller_id=seller,
            product_id=product,
            quantity=sold[seller, product],
            received_at=at,
        )
        script.put(at, 0, (row,), receive, f"stock/{stock_id}/receive")


def _reserve(order: str, seller: str, product: str, sale: _Sale, rows: list[Row], script: Script) -> None:
    stock_id = stock_of(seller, product)
    name = f"stock/{stock_id}/{order}"
    reserve = ReserveStock(
        stock_id=stock_id, reservation_id=order, quantity=len(rows), reserved_at=sale.placed
    )
    script.put(sale.placed, 1, tuple(rows), reserve, f"{name}/reserve")
    if sale.left is not None:
        commit = CommitReservation(stock_id=stock_id, reservation_id=order, committed_at=sale.left)
        script.put(sale.left, 2, (sale.row,), commit, f"{name}/commit")
    if sale.cancelled is not None:
        release = ReleaseReservation(
            stock_id=stock_id, reservation_id=order, released_at=sale.cancelled, reason=sale.reason
        )
        script.put(sale.cancelled, 3, (sale.row,), release, f"{name}/release")
