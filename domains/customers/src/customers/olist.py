"""The customers of the Olist files as commands, in the order of time.

The file has a row an order. A person's first row registers them, at the time of that order; each later row
gives the address of then. The addresses name no street, and nobody has a name or an e-mail address there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from customers.commands import ChangeAddress, RegisterCustomer
from customers.values import Address
from hanse.domain import Command, CommandRejected
from hanse.domain.demo import Row, SetAside, Timed
from hanse.domain.tabular import moment, read_rows

CUSTOMERS = "olist_customers_dataset.csv"
ORDERS = "olist_orders_dataset.csv"
_COLUMNS = (
    "customer_id",
    "customer_unique_id",
    "customer_zip_code_prefix",
    "customer_city",
    "customer_state",
)


def olist(directory: Path) -> Iterator[Timed]:
    """The customers domain's commands from the Olist files in the folder, in the order of time.

    Rows that no command can be made of come as set aside. Raises ConfigError for a missing file or column.
    """
    times = _order_times(directory)
    rows: list[tuple[datetime, Row, str, str, Address]] = []
    aside: list[tuple[Row, str]] = []
    for read in read_rows(directory / CUSTOMERS, _COLUMNS):
        values = read.values
        if read.problem is not None:
            aside.append((read.row, read.problem))
            continue
        at = times.get(values["customer_id"])
        if at is None:
            aside.append((read.row, "no order gives this row a time"))
            continue
        try:
            address = Address(
                None, values["customer_zip_code_prefix"], values["customer_city"], values["customer_state"]
            )
        except CommandRejected as error:
            aside.append((read.row, error.rule))
            continue
        rows.append((at, read.row, values["customer_id"], values["customer_unique_id"], address))
    rows.sort(key=lambda entry: entry[0])
    start = rows[0][0] if rows else datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    yield from (Timed(start, (row,), SetAside(reason)) for row, reason in aside)
    yield from _commands(rows)


def _commands(rows: list[tuple[datetime, Row, str, str, Address]]) -> Iterator[Timed]:
    known: set[str] = set()
    for at, row, order_customer, person, address in rows:
        command: Command
        if person in known:
            command = ChangeAddress(customer_id=person, address=address, changed_at=at)
        else:
            command = RegisterCustomer(customer_id=person, address=address, registered_at=at)
            known.add(person)
        yield Timed(at, (row,), command, f"olist/customer/{order_customer}")


def _order_times(directory: Path) -> dict[str, datetime]:
    """When each row of the customers file came into the shop: with its order. Broken rows have no time."""
    times: dict[str, datetime] = {}
    for read in read_rows(directory / ORDERS, ("customer_id", "order_purchase_timestamp")):
        if read.problem is None:
            try:
                at = moment(read.values["order_purchase_timestamp"])
            except ValueError:
                continue
            if at is not None:
                times[read.values["customer_id"]] = at
    return times
