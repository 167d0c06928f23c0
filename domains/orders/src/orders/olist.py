"""The orders of the Olist files as commands, in the order of time.

An order row gives PlaceOrder (with its items), ConfirmPayment (with its payments), ShipOrder, DeliverOrder
and CancelOrder, each at the time that the row has for it. A cancellation has no time of its own: it is sent
at the last time that the row has. Whether a command is accepted is the aggregate's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hanse.domain import CommandRejected, Money
from hanse.domain.demo import Row, Timed
from hanse.domain.script import Script, reason
from hanse.domain.tabular import InputRow, moment, read_rows
from orders.commands import CancelOrder, ConfirmPayment, DeliverOrder, PlaceOrder, ReviewOrder, ShipOrder
from orders.values import Item, Payment

ORDERS = "olist_orders_dataset.csv"
ITEMS = "olist_order_items_dataset.csv"
PAYMENTS = "olist_order_payments_dataset.csv"
REVIEWS = "olist_order_reviews_dataset.csv"
CUSTOMERS = "olist_customers_dataset.csv"
PRODUCTS = "olist_products_dataset.csv"
CATEGORIES = "product_category_name_translation.csv"

NO_ORDER = "no usable order row"
NEVER_APPROVED = "payment was never approved"

_TIMES = (
    "order_purchase_timestamp",
    "order_approved_at",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
    "order_estimated_delivery_date",
)


@dataclass(slots=True)
class _OrderRow:
    row: Row
    occurrence: int
    order_id: str
    status: str
    customer: tuple[str, str]
    times: tuple[datetime, datetime | None, datetime | None, datetime | None, datetime | None]
    items: list[tuple[Row, Item]] = field(default_factory=list[tuple[Row, Item]])
    payments: list[tuple[Row, Payment]] = field(default_factory=list[tuple[Row, Payment]])


def olist(directory: Path) -> Iterator[Timed]:
    """The orders domain's commands from the Olist files in the folder, in the order of time.

    Rows that no command can be made of come as set aside. Raises ConfigError for a missing file or column.
    """
    script = Script("olist")
    orders = _read_orders(directory, script)
    _read_items(directory, orders, script)
    _read_payments(directory, orders, script)
    for order in orders.values():
        for occurrence in order:
            _commands(occurrence, script)
    _read_reviews(directory, orders, script)
    yield from script


_Orders = dict[str, list[_OrderRow]]


def _read_orders(directory: Path, script: Script) -> _Orders:
    customers = {
        r.values["customer_id"]: (r.values["customer_unique_id"], r.values["customer_state"])
        for r in read_rows(directory / CUSTOMERS, ("customer_id", "customer_unique_id", "customer_state"))
        if r.problem is None
    }
    orders: _Orders = {}
    for read in read_rows(directory / ORDERS, ("order_id", "customer_id", "order_status", *_TIMES)):
        parsed = read.problem or _parse_order(read, customers)
        if isinstance(parsed, str):
            script.set_aside(parsed, read.row)
            continue
        same = orders.setdefault(parsed.order_id, [])
        parsed.occurrence = len(same)
        same.append(parsed)
    return orders


def _parse_order(read: InputRow, customers: dict[str, tuple[str, str]]) -> _OrderRow | str:
    values = read.values
    customer = customers.get(values["customer_id"])
    if customer is None:
        return "its customer is not in the customers file"
    times: list[datetime | None] = []
    for name in _TIMES:
        try:
            times.append(moment(values[name]))
        except ValueError:
            return f"{name} is not a time"
    placed = times[0]
    if placed is None:
        return f"{_TIMES[0]} is missing"
    return _OrderRow(
        read.row,
        0,
        values["order_id"],
        values["order_status"],
        customer,
        (placed, times[1], times[2], times[3], times[4]),
    )


def _read_items(directory: Path, orders: _Orders, script: Script) -> None:
    english = {
        r.values["product_category_name"]: r.values["product_category_name_english"]
        for r in read_rows(directory / CATEGORIES, ("product_category_name", "product_category_name_english"))
        if r.problem is None
    }
    categories = {
        r.values["product_id"]: english.get(name, name)
        for r in read_rows(directory / PRODUCTS, ("product_id", "product_category_name"))
        if r.problem is None and (name := r.values["product_category_name"])
    }
    columns = ("order_id", "order_item_id", "product_id", "seller_id", "price", "freight_value")
    for read in read_rows(directory / ITEMS, columns):
        if read.problem is not None:
            script.set_aside(read.problem, read.row)
        elif read.values["order_id"] not in orders:
            script.set_aside(NO_ORDER, read.row)
        else:
            try:
                item = _item(read.values, categories)
            except (CommandRejected, ValueError) as error:
                script.set_aside(reason(error, "order_item_id is not a number"), read.row)
                continue
            orders[read.values["order_id"]][0].items.append((read.row, item))


def _item(values: dict[str, str], categories: dict[str, str]) -> Item:
    return Item(
        int(values["order_item_id"]),
        values["product_id"],
        categories.get(values["product_id"]),
        values["seller_id"],
        Money.of(values["price"]),
        Money.of(values["freight_value"]),
    )


def _read_payments(directory: Path, orders: _Orders, script: Script) -> None:
    columns = ("order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value")
    for read in read_rows(directory / PAYMENTS, columns):
        values = read.values
        if read.problem is not None:
            script.set_aside(read.problem, read.row)
        elif values["order_id"] not in orders:
            script.set_aside(NO_ORDER, read.row)
        elif orders[values["order_id"]][0].times[1] is None:
            script.set_aside(NEVER_APPROVED, read.row)
        else:
            try:
                payment = Payment(
                    values["payment_type"],
                    int(values["payment_installments"]),
                    Money.of(values["payment_value"]),
                )
            except (CommandRejected, ValueError) as error:
                script.set_aside(reason(error, "payment_installments is not a number"), read.row)
                continue
            orders[values["order_id"]][0].payments.append((read.row, payment))


def _commands(order: _OrderRow, script: Script) -> None:
    placed, approved, shipped, delivered, estimated = order.times
    name = f"order/{order.order_id}/{order.occurrence}"
    row, order_id = (order.row,), order.order_id
    items = tuple(item for _, item in order.items)
    place = PlaceOrder(
        order_id=order_id,
        customer_id=order.customer[0],
        customer_state=order.customer[1],
        placed_at=placed,
        estimated_delivery=estimated,
        items=items,
    )
    script.put(placed, 0, row + tuple(r for r, _ in order.items), place, f"{name}/place")
    if approved is not None:
        payments = tuple(payment for _, payment in order.payments)
        confirm = ConfirmPayment(order_id=order_id, confirmed_at=approved, payments=payments)
        script.put(approved, 1, row + tuple(r for r, _ in order.payments), confirm, f"{name}/confirm")
    if shipped is not None:
        script.put(shipped, 2, row, ShipOrder(order_id=order_id, shipped_at=shipped), f"{name}/ship")
    if delivered is not None:
        script.put(
            delivered, 3, row, DeliverOrder(order_id=order_id, delivered_at=delivered), f"{name}/deliver"
        )
    if order.status in ("canceled", "unavailable"):
        last = max(t for t in (placed, approved, shipped, delivered) if t is not None)
        cancel = CancelOrder(order_id=order_id, cancelled_at=last, reason=order.status)
        script.put(last, 4, row, cancel, f"{name}/cancel")
    if order.status == "delivered":
        for what, known in (("approval", approved), ("carrier", shipped), ("delivery", delivered)):
            if known is None:
                script.set_aside(f"delivered without a time of {what}", order.row)


def _read_reviews(directory: Path, orders: _Orders, script: Script) -> None:
    columns = (
        "review_id",
        "order_id",
        "review_score",
        "review_comment_title",
        "review_comment_message",
        "review_creation_date",
        "review_answer_timestamp",
    )
    seen: Counter[str] = Counter()
    for read in read_rows(directory / REVIEWS, columns):
        problem = read.problem
        if problem is None and read.values["order_id"] not in orders:
            problem = NO_ORDER
        review = problem or _review(read.values)
        if isinstance(review, str):
            script.set_aside(review, read.row)
            continue
        name = f"review/{review.order_id}/{review.review_id}"
        seen[name] += 1
        script.put(review.answered_at, 6, (read.row,), review, f"{name}/{seen[name]}")


def _review(values: dict[str, str]) -> ReviewOrder | str:
    if not values["review_score"].isdecimal():
        return "review_score is not a number"
    try:
        requested = moment(values["review_creation_date"])
        answered = moment(values["review_answer_timestamp"])
    except ValueError:
        return "a time of the review is not a time"
    if requested is None or answered is None:
        return "a time of the review is missing"
    return ReviewOrder(
        order_id=values["order_id"],
        review_id=values["review_id"],
        score=int(values["review_score"]),
        requested_at=requested,
        answered_at=answered,
        title=values["review_comment_title"] or None,
        comment=values["review_comment_message"] or None,
    )
