"""Two domains that talk over a log: sales, whose saga sells, and stock, which reserves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hanse.adapters.eventsourcing_store import SQLiteEventStore
from hanse.adapters.sqlite_log import SqliteLog
from hanse.domain import (
    Aggregate,
    Application,
    ApplicationService,
    Backoff,
    Command,
    Envelope,
    Event,
    Facts,
    Integration,
    Publish,
    Request,
    Saga,
    Send,
    Step,
    When,
    applies,
    command,
    decides,
    event,
    require,
)
from hanse.domain.subjects import SubjectKeys
from hanse.model.mesh import Domain, MeshModel, Team, Topic
from hanse.ports.event_log import EventLog
from hanse.registry.embedded import EmbeddedRegistry
from hanse.relay import Relay
from hanse.relay.inbox import Inbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPICS = {
    "sales": ("sale_placed", "sale_paid", "sale_cancelled", "sale_finished", "thanked"),
    "stock": ("reserved", "short", "released", "shipped"),
}


@command
class Place(Command):
    sale_id: str


@command
class Pay(Command):
    sale_id: str


@command
class Cancel(Command):
    sale_id: str


@command
class Refund(Command):
    sale_id: str


@command
class Thank(Command):
    sale_id: str


@event("SaleHappened")
class Happened(Event):
    sale_id: str
    what: str


class Sale(Aggregate, name="sale", identity="sale_id"):
    def __init__(self) -> None:
        super().__init__()
        self.what: tuple[str, ...] = ()

    @decides(Place, Pay, Cancel, Refund, Thank)
    def decide_it(self, wanted: Any) -> list[Happened]:
        what = type(wanted).__name__
        require(what == "Place" or self.version > 0, "sale-known", "there is no such sale")
        require(what not in self.what, "once", f"{what} was done")
        return [Happened(sale_id=wanted.sale_id, what=what)]

    @applies(Happened)
    def _happened(self, happened: Happened) -> None:
        self.what = (*self.what, happened.what)


@command
class Reserve(Command):
    sale_id: str


@command
class Release(Command):
    sale_id: str


@command
class Ship(Command):
    sale_id: str


@event("StockMoved")
class Moved(Event):
    sale_id: str
    what: str


class Stock(Aggregate, name="stock", identity="sale_id"):
    """What happens to the goods of one sale. Ids tell what to expect: short…, busy…, odd…"""

    def __init__(self) -> None:
        super().__init__()
        self.what: tuple[str, ...] = ()

    @decides(Reserve, Release, Ship)
    def decide_it(self, wanted: Any) -> list[Moved]:
        what = type(wanted).__name__
        sale = wanted.sale_id
        require(what not in self.what, "once", f"{what} was done")
        require(not (what == "Ship" and sale.startswith("unshippable")), "cannot-ship", "it is too heavy")
        require(not (what == "Release" and sale.startswith("unshippable-held")), "held", "it is held")
        require(what != "Release" or "Reserve" in self.what, "nothing-reserved", "nothing was reserved")
        if what == "Reserve" and sale.startswith("short"):
            return [Moved(sale_id=sale, what="Short")]
        return [Moved(sale_id=sale, what=what)]

    @applies(Moved)
    def _moved(self, moved: Moved) -> None:
        self.what = (*self.what, moved.what)


sales_integration, stock_integration = Integration(), Integration()
_SALES = {"Place": "sale_placed", "Pay": "sale_paid", "Cancel": "sale_cancelled", "Thank": "thanked"}
_STOCK = {"Reserve": "reserved", "Short": "short", "Release": "released", "Ship": "shipped"}


@sales_integration.publishes(Happened)
def sale_happened(happened: Happened, _: Sale, envelope: Envelope) -> list[Publish]:
    value = {"sale_id": happened.sale_id, "at": envelope.time}
    return [Publish(_SALES[happened.what], value)] if happened.what in _SALES else []


@stock_integration.publishes(Moved)
def stock_moved(moved: Moved, _: Stock, envelope: Envelope) -> list[Publish]:
    return [Publish(_STOCK[moved.what], {"sale_id": moved.sale_id, "at": envelope.time})]


def sell_to(domain: str, name: str) -> Any:
    return lambda seen: Send(domain, name, {"sale_id": seen.key})


def _ship(seen: Facts) -> Send:
    return Send("stock", "Ship", {"sale_id": seen["sales.sale_paid"]["sale_id"]})


SELL = Saga(
    name="sell",
    starts=When("sales.sale_placed", by="sale_id"),
    aborts=(When("sales.sale_cancelled", by="sale_id"),),
    steps=(
        Step(
            name="reserve",
            command=sell_to("stock", "Reserve"),
            done=When("stock.reserved", by="sale_id"),
            fails=(When("stock.short", by="sale_id"),),
            undo=sell_to("stock", "Release"),
            timeout=timedelta(minutes=15),
        ),
        Step(
            name="payment",
            done=When("sales.sale_paid", by="sale_id"),
            undo=sell_to("sales", "Refund"),
            timeout=timedelta(days=3),
        ),
        Step(
            name="ship",
            command=_ship,
            retry=Backoff(attempts=2, pause=timedelta(minutes=1), rules=("cannot-ship",)),
        ),
    ),
)
THANK = When("stock.shipped").then(
    lambda fact: Send("sales", "Thank", {"sale_id": fact["sale_id"]}), name="when_shipped_then_thank"
)
APPLICATIONS = {
    "sales": Application("sales", aggregates=[Sale], integration=sales_integration, sagas=[SELL, THANK]),
    "stock": Application("stock", aggregates=[Stock], integration=stock_integration),
}


def model(root: Path) -> MeshModel:
    domains = []
    for name, topics in TOPICS.items():
        directory = root / "domains" / name
        directory.mkdir(parents=True, exist_ok=True)
        declared = []
        for topic in topics:
            fields = [
                {"name": "sale_id", "type": "string"},
                {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            ]
            schema = {"type": "record", "name": f"{name}.{topic}", "fields": fields}
            path = directory / f"{topic}.avsc"
            path.write_text(json.dumps(schema))
            declared.append(Topic(name, topic, path, ("sale_id",), partitions=2))
        domains.append(Domain(name, directory, Team(name), module=name, topics=tuple(declared)))
    return MeshModel(root, tuple(domains), ())


class World:
    """All of it in one folder; `at` is what the clock shows. Opened again, it goes on."""

    def __init__(self, root: Path, *, log: EventLog | None = None, at: datetime = NOW) -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.at = at
        self.model = model(root)
        self.log = log or SqliteLog(root / "log.db")
        self.registry = EmbeddedRegistry(root / "registry.db")
        self.keys = SubjectKeys(root / "keys.db")
        self.stores = {name: SQLiteEventStore(root / f"{name}.db") for name in APPLICATIONS}
        self.inboxes = {name: self.inbox(name) for name in APPLICATIONS}
        self.services = {
            name: ApplicationService(application, self.stores[name], self.keys, clock=self.clock)
            for name, application in APPLICATIONS.items()
        }

    def clock(self) -> datetime:
        return self.at

    def inbox(self, name: str) -> Inbox:
        return Inbox(
            APPLICATIONS[name],
            self.model,
            self.stores[name],
            self.log,
            self.registry,
            self.keys,
            clock=self.clock,
        )

    def relay(self, name: str) -> Relay:
        domain = self.model.domain(name)
        assert domain is not None
        return Relay(domain, APPLICATIONS[name], self.stores[name], self.log, self.registry, self.keys)

    def round(self, names: Sequence[str] = ("sales", "stock")) -> int:
        moved = 0
        for name in names:
            with self.relay(name) as relay:
                moved += relay.drain().events
            moved += self.inboxes[name].step()
        return moved

    def settle(self, *names: str) -> None:
        while self.round(names or ("sales", "stock")):
            pass

    def do(self, *wanted: Command | Request) -> None:
        for one in wanted:
            self.services["sales"].handle(one)

    def later(self, **passed: float) -> None:
        self.at += timedelta(**passed)
        self.settle()

    def status(self, sale: str) -> tuple[str, str]:
        [row] = self.stores["sales"].processes(prefix=f"sell/{sale}")
        return row.status, row.step

    def status_of(self, sale: str) -> str:
        """The status, or nothing when the saga has not begun."""
        rows = self.stores["sales"].processes(prefix=f"sell/{sale}")
        return rows[0].status if rows else ""

    def did(self, sale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What happened to the sale, and to its stock."""
        happened: Any = self.services["sales"].load(Sale, sale)
        moved: Any = self.services["stock"].load(Stock, sale)
        return happened.what, moved.what

    def close(self) -> None:
        self.log.close()
        self.registry.close()
        self.keys.close()
        for store in self.stores.values():
            store.close()
