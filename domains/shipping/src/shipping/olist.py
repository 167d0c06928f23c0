"""The shipments of the Olist files as commands, in the order of time.

Each order with items is one shipment, from the state of its first item's seller to that of its customer. It
is planned when the order is placed. The files name no carrier: the marketplace's own logistics, `olist`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from hanse.domain.demo import Row, Timed
from hanse.domain.script import Script
from hanse.domain.tabular import moment, read_rows
from shipping.commands import CallOffShipment, DeliverShipment, HandOverShipment, PlanShipment

ORDERS = "olist_orders_dataset.csv"
ITEMS = "olist_order_items_dataset.csv"
CUSTOMERS = "olist_customers_dataset.csv"
SELLERS = "olist_sellers_dataset.csv"
CARRIER = "olist"
_TIMES = (
    "order_purchase_timestamp",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
    "order_estimated_delivery_date",
)


def olist(directory: Path) -> Iterator[Timed]:
    """The shipping domain's commands from the Olist files in the folder, in the order of time.

    Rows that no command can be made of come as set aside. Raises ConfigError for a missing file or column.
    """
    script = Script("olist")
    destinations = _states(directory / CUSTOMERS, "customer_id", "customer_state")
    origins = _origins(directory)
    seen: set[str] = set()
    for read in read_rows(directory / ORDERS, ("order_id", "customer_id", "order_status", *_TIMES)):
        values = read.values
        if read.problem is not None:
            script.set_aside(read.problem, read.row)
        elif values["order_id"] not in origins:
            script.set_aside("nothing to carry: no item is known", read.row)
        elif values["customer_id"] not in destinations:
            script.set_aside("its customer is not in the customers file", read.row)
        elif values["order_id"] in seen:
            script.set_aside("the order's row comes a second time", read.row)
        else:
            seen.add(values["order_id"])
            route = origins[values["order_id"]], destinations[values["customer_id"]]
            _shipment(read.row, values, route, script)
    yield from script


def _shipment(row: Row, values: dict[str, str], route: tuple[str | None, str], script: Script) -> None:
    times: list[datetime | None] = []
    for name in _TIMES:
        try:
            times.append(moment(values[name]))
        except ValueError:
            script.set_aside(f"{name} is not a time", row)
            return
    planned, taken, arrived, promised = times
    if planned is None:
        script.set_aside(f"{_TIMES[0]} is missing", row)
        return
    order = values["order_id"]
    name = f"shipment/{order}"
    plan = PlanShipment(
        shipment_id=order,
        order_id=order,
        carrier=CARRIER,
        origin_state=route[0],
        destination_state=route[1],
        promised_at=promised,
        planned_at=planned,
    )
    script.put(planned, 0, (row,), plan, f"{name}/plan")
    if taken is not None:
        take = HandOverShipment(shipment_id=order, handed_over_at=taken)
        script.put(taken, 1, (row,), take, f"{name}/hand-over")
    if arrived is not None:
        script.put(
            arrived, 2, (row,), DeliverShipment(shipment_id=order, delivered_at=arrived), f"{name}/deliver"
        )
    if taken is None and values["order_status"] in ("canceled", "unavailable"):
        call_off = CallOffShipment(shipment_id=order, called_off_at=planned)
        script.put(planned, 3, (row,), call_off, f"{name}/call-off")


def _states(path: Path, key: str, state: str) -> dict[str, str]:
    return {r.values[key]: r.values[state] for r in read_rows(path, (key, state)) if r.problem is None}


def _origins(directory: Path) -> dict[str, str | None]:
    """The state of each order's first seller; None where the sellers file does not know it."""
    sellers = _states(directory / SELLERS, "seller_id", "seller_state")
    origins: dict[str, str | None] = {}
    for read in read_rows(directory / ITEMS, ("order_id", "seller_id")):
        if read.problem is None:
            origins.setdefault(read.values["order_id"], sellers.get(read.values["seller_id"]))
    return origins
