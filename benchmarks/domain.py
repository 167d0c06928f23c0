"""Commands a second beside the bare `eventsourcing` library, and events a second through the relay.

    python benchmarks/domain.py            # 20,000 commands batched, 1,000 single, 40,000 events relayed,
                                           # an aggregate of 10,000 events loaded
    python benchmarks/domain.py --short    # a tenth, for CI
    python benchmarks/domain.py --strict   # fails when a figure misses its target

Ratios and targets count the processor's seconds, so that a busy machine does not fail them; the other figures
are by the clock. The bare library saves aggregates of its own on the same kind of SQLite file, with as many events in a
commit, without personal fields, verdicts of commands, or a check of the command's types.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from eventsourcing.application import Application as BareApplication
from eventsourcing.domain import Aggregate as BareAggregate
from eventsourcing.domain import event as bare_event

import customers
import orders
from customers.commands import RegisterCustomer
from customers.values import Address, EmailAddress
from hanse.adapters.eventsourcing_store import SQLiteEventStore
from hanse.adapters.sqlite_log import SqliteLog
from hanse.domain import (
    Aggregate,
    Application,
    ApplicationService,
    Command,
    Event,
    Money,
    Request,
    applies,
    command,
    decides,
    event,
)
from hanse.domain.demo import Timed
from hanse.domain.subjects import SubjectKeys
from hanse.model.mesh import Domain, Team, Topic
from hanse.registry.embedded import EmbeddedRegistry
from hanse.relay import Relay
from orders.commands import PlaceOrder
from orders.simulator import simulate
from orders.values import Item

ROOT = Path(__file__).resolve().parents[1]
BATCH = 1_000
TARGETS = {
    "batched against bare": 0.8,
    "single against bare, by processor": 0.8,
    "relay, customers: events by processor": 20_000,
    "relay, orders: events by processor": 20_000,
    "commands, encrypted, by processor": 5_000,
}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class BareOrder(BareAggregate):
    """The same order in the bare library."""

    @bare_event("Placed")
    def __init__(self, customer: str, state: str, placed_at: datetime, items: list[dict[str, Any]]) -> None:
        self.customer, self.state, self.placed_at, self.items = customer, state, placed_at, items


class Shop(BareApplication):
    """Only what saving needs."""


class Rate(NamedTuple):
    """How many a second, by the clock and by the processor."""

    clock: float
    processor: float


def timed(work: Callable[[], object], count: int) -> Rate:
    """The rate of `count` pieces of work."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return Rate(count / (time.perf_counter() - began), count / (time.process_time() - used))


def place(number: int) -> Request:
    item = Item(1, "p1", "crime", "s1", Money.of("59.90"), Money.of("7.90"))
    order = PlaceOrder(
        order_id=f"order-{number}", customer_id="c1", customer_state="SP", placed_at=NOW, items=(item,)
    )
    return Request(order, at=NOW)


def register(number: int) -> Request:
    address = Address("Rua Alves 5", "01234", "sao paulo", "SP")
    command = RegisterCustomer(
        customer_id=f"customer-{number}",
        name="Ana Alves",
        email=EmailAddress("ana@mail.example"),
        address=address,
        registered_at=NOW,
    )
    return Request(command, at=NOW)


def bare_order() -> BareOrder:
    item = {
        "number": 1,
        "product": "p1",
        "category": "crime",
        "seller": "s1",
        "price": "59.90",
        "freight": "7.90",
    }
    return BareOrder("c1", "SP", NOW, [item])


def bare_shop(folder: Path) -> Shop:
    return Shop(
        {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(folder / f"bare-{uuid4().hex}.db"),
        }
    )


def bare_batched(folder: Path, count: int) -> Rate:
    shop = bare_shop(folder)

    def work() -> None:
        for _ in range(count // BATCH):
            shop.save(*[bare_order() for _ in range(BATCH)])

    return timed(work, count)


def bare_single(folder: Path, count: int) -> Rate:
    shop = bare_shop(folder)

    def work() -> None:
        for _ in range(count):
            shop.save(bare_order())

    return timed(work, count)


def service(folder: Path, application: Application) -> ApplicationService:
    store = SQLiteEventStore(folder / f"{application.name}-{uuid4().hex}.db")
    return ApplicationService(application, store, SubjectKeys(folder / f"keys-{uuid4().hex}.db"))


def batched(folder: Path, application: Application, requests: list[Request]) -> Rate:
    handler = service(folder, application)

    def work() -> None:
        for start in range(0, len(requests), BATCH):
            handler.handle_many(requests[start : start + BATCH])

    return timed(work, len(requests))


def single(folder: Path, requests: list[Request]) -> Rate:
    handler = service(folder, orders.application)

    def work() -> None:
        for request in requests:
            handler.handle(request)

    return timed(work, len(requests))


def domain_of(name: str, topics: dict[str, tuple[str, str]]) -> Domain:
    """The domain with its topics (name: schema file, key) as its descriptor declares them."""
    directory = ROOT / "domains" / name
    declared = tuple(
        Topic(name, topic, directory / "events" / f"{file}.avsc", (key,))
        for topic, (file, key) in topics.items()
    )
    return Domain(name, directory, Team(name), module=name, topics=declared)


def relayed(
    folder: Path, domain: Domain, application: Application, requests: list[Request]
) -> tuple[float, float, float]:
    """(events, records, events by processor) a second, by a relay that begins with nothing in memory."""
    keys = SubjectKeys(folder / f"keys-{uuid4().hex}.db")
    store = SQLiteEventStore(folder / f"{domain.name}-{uuid4().hex}.db")
    handler = ApplicationService(application, store, keys)
    for start in range(0, len(requests), BATCH):
        handler.handle_many(requests[start : start + BATCH])
    log = SqliteLog(folder / f"log-{uuid4().hex}.db")
    registry = EmbeddedRegistry(folder / f"registry-{uuid4().hex}.db")
    with Relay(domain, application, store, log, registry, keys) as relay:
        relay.step(len(requests) // 20)  # what is imported and compiled on the first batch
        began, used = time.perf_counter(), time.process_time()
        moved = relay.drain()
        seconds, busy = time.perf_counter() - began, time.process_time() - used
    log.close()
    registry.close()
    return moved.events / seconds, moved.records / seconds, moved.events / busy


def simulated(days: int) -> list[Request]:
    return [_request(timed) for timed in simulate(7, days)]


def _request(timed: Timed) -> Request:
    assert not hasattr(timed.outcome, "reason") or hasattr(timed.outcome, "order_id")
    return Request(timed.outcome, timed.command_id, timed.at)  # pyright: ignore[reportArgumentType]


@command
class Deposit(Command):
    """For the aggregate that grows long."""

    account_id: str
    cents: int


@event("Deposited")
class Deposited(Event):
    """Money came in."""

    account_id: str
    cents: int


class Account(Aggregate, name="account", identity="account_id"):
    """Has as many events as it was given commands."""

    def __init__(self) -> None:
        super().__init__()
        self.cents = 0

    @decides(Deposit)
    def deposit(self, wanted: Deposit) -> list[Deposited]:
        """Any amount."""
        return [Deposited(account_id=wanted.account_id, cents=wanted.cents)]

    @applies(Deposited)
    def _deposited(self, happened: Deposited) -> None:
        self.cents += happened.cents


def load_of_long_aggregate(folder: Path, events: int, every: int | None) -> float:
    """Milliseconds to load an aggregate of so many events, in a service that has nothing in memory."""
    Account.snapshot_every = every
    bank = Application("bank", aggregates=[Account])
    store = SQLiteEventStore(folder / f"bank-{uuid4().hex}.db")
    keys = SubjectKeys(folder / f"keys-{uuid4().hex}.db")
    ApplicationService(bank, store, keys).handle_many([Deposit(account_id="a", cents=1)] * events)
    fresh = ApplicationService(bank, store, keys)
    began = time.perf_counter()
    account = fresh.load(Account, "a")
    took = (time.perf_counter() - began) * 1_000
    assert account.version == events
    return took


ORDER_TOPICS = {
    name: (name, "order_id")
    for name in (
        "order_placed",
        "order_item_sold",
        "payment_confirmed",
        "order_shipped",
        "order_delivered",
        "order_cancelled",
        "order_reviewed",
    )
} | {"orders": ("order", "order_id")}
CUSTOMER_TOPICS = {
    name: (name, "customer_id")
    for name in (
        "customer_registered",
        "customer_address_changed",
        "customer_email_changed",
        "customer_forgotten",
    )
} | {"customers": ("customer", "customer_id")}


def measure(folder: Path, scale: int) -> dict[str, float]:
    """All figures; `scale` 10 is the long form."""
    figures: dict[str, float] = {}
    many, few = 2_000 * scale, 100 * scale
    ours = batched(folder, orders.application, [place(n) for n in range(many)])
    bare = bare_batched(folder, many)
    figures["commands, batches of 1,000"] = ours.clock
    figures["bare library, batches of 1,000"] = bare.clock
    figures["batched against bare"] = ours.processor / bare.processor
    encrypted = batched(folder, customers.application, [register(n) for n in range(many)])
    figures["commands, encrypted"] = encrypted.clock
    figures["commands, encrypted, by processor"] = encrypted.processor
    ours, bare = single(folder, [place(n) for n in range(few)]), bare_single(folder, few)
    figures["single commands"], figures["bare library, single"] = ours.clock, bare.clock
    figures["single against bare, by clock"] = ours.clock / bare.clock
    figures["single against bare, by processor"] = ours.processor / bare.processor
    registering = [register(n) for n in range(2 * many)]
    for name, topics, application, requests in (
        ("customers", CUSTOMER_TOPICS, customers.application, registering),
        ("orders", ORDER_TOPICS, orders.application, simulated(9 * scale)),
    ):
        events, records, by_processor = relayed(folder, domain_of(name, topics), application, requests)
        figures[f"relay, {name}: events"], figures[f"relay, {name}: records"] = events, records
        figures[f"relay, {name}: events by processor"] = by_processor
    long = 1_000 * scale
    figures["load of a long aggregate, ms"] = load_of_long_aggregate(folder, long, None)
    figures["the same with snapshots, ms"] = load_of_long_aggregate(folder, long, 300)
    return figures


def main() -> int:
    """Print the figures; 1 with `--strict` when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the work")
    parser.add_argument("--strict", action="store_true", help="fail when a target is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), 1 if arguments.short else 10)
    for name, figure in figures.items():
        print(
            f"{name:38} {figure:12,.2f}"
            if "against" in name or ", ms" in name
            else f"{name:38} {figure:12,.0f} /s"
        )
    print(f"load of the machine                    {os.getloadavg()[0]:12,.2f}")
    missed = [name for name, target in TARGETS.items() if figures[name] < target]
    if missed:
        print("below the target: " + ", ".join(f"{name} ({TARGETS[name]:,})" for name in missed))
    return 1 if arguments.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
