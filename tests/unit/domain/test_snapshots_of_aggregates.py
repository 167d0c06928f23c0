"""Snapshots change how an aggregate is loaded, never what is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hanse.adapters.eventsourcing_store import SQLiteEventStore
from hanse.domain import (
    Aggregate,
    Application,
    ApplicationService,
    Command,
    Event,
    Money,
    PersonalText,
    applies,
    command,
    decides,
    event,
    snapshots,
)
from hanse.domain.subjects import SubjectKeys
from hanse.errors import ConfigError

T = datetime(2026, 3, 1, tzinfo=UTC)


@command
class Add(Command):
    book: str
    amount: Money
    note: PersonalText = None


@event("BookedForTest", subject="book")
class Booked(Event):
    book: str
    amount: Money
    note: PersonalText
    at: datetime


class Book(Aggregate, name="book", identity="book", snapshot_every=10):
    def __init__(self) -> None:
        super().__init__()
        self.total: Money | None = None
        self.notes: tuple[str | None, ...] = ()
        self.by_day: dict[Any, Decimal] = {}
        self.last: datetime | None = None

    @decides(Add)
    def add(self, wanted: Add) -> list[Booked]:
        return [Booked(book=wanted.book, amount=wanted.amount, note=wanted.note, at=T)]

    @applies(Booked)
    def _booked(self, booked: Booked) -> None:
        before = self.total.amount if self.total else Decimal(0)
        self.total = Money.of(str(before + booked.amount.amount))
        self.notes = (*self.notes[-2:], booked.note)
        self.by_day = {booked.at.date(): before + booked.amount.amount}
        self.last = booked.at


@command
class Break(Command):
    box: str


@event("BrokenForTest")
class Broken(Event):
    box: str


class Odd(Aggregate, name="odd", identity="box", snapshot_every=1):
    def __init__(self) -> None:
        super().__init__()
        self.thing: object = None

    @decides(Break)
    def break_it(self, wanted: Break) -> list[Broken]:
        return [Broken(box=wanted.box)]

    @applies(Broken)
    def _broken(self, _: Broken) -> None:
        self.thing = Path("x")


BOOKS = Application("books", aggregates=[Book, Odd])


class Books:
    def __init__(self, folder: Path) -> None:
        self.store = SQLiteEventStore(folder / "books.db")
        self.keys = SubjectKeys(folder / "keys.db")

    def service(self) -> ApplicationService:
        return ApplicationService(BOOKS, self.store, self.keys)

    def add(self, count: int) -> None:
        self.service().handle_many(
            [Add(book="b", amount=Money.of("1.50"), note=f"n{n}") for n in range(count)]
        )

    def state(self) -> dict[str, Any]:
        return vars(self.service().load(Book, "b"))

    def replayed(self) -> dict[str, Any]:
        service = self.service()
        return vars(Book.replay(recorded.event for recorded in service.history(Book, "b")))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.store.close()
    books.keys.close()


@pytest.mark.parametrize("count", [9, 10, 11, 35])
def test_a_load_from_a_snapshot_equals_a_replay(books: Books, count: int) -> None:
    books.add(count)
    assert books.state() == books.replayed()
    assert books.state()["version"] == count
    stored = books.store.snapshots([Book.stream_id("b")])
    assert bool(stored) == (count >= 10)


def test_only_what_came_after_the_snapshot_is_read(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        books.add(7)
    [stored] = books.store.snapshots([Book.stream_id("b")]).values()
    assert stored.version == 20
    monkeypatch.setattr(books.store, "streams", lambda ids: {} if not ids else pytest.fail("all was read"))
    assert books.state()["version"] == 21
    books.service().handle(Add(book="b", amount=Money.of("1.00")))
    assert books.state()["version"] == 22


def test_a_snapshot_of_other_code_is_passed_over_and_made_anew(books: Books) -> None:
    books.add(10)
    [stored] = books.store.snapshots([Book.stream_id("b")]).values()
    assert snapshots.restore(Book, replace(stored, code="0" * 16), books.keys) is None
    with books.store._writing() as cursor:  # pyright: ignore[reportPrivateUsage]
        cursor.execute("UPDATE snapshots SET code = 'of older code', state = 'nonsense'")
    assert books.state() == books.replayed()
    books.add(10)
    assert books.store.snapshots([Book.stream_id("b")])[Book.stream_id("b")].code == snapshots.fingerprint(
        Book
    )


def test_a_snapshot_tells_nothing_about_a_person_in_clear_or_once_forgotten(books: Books) -> None:
    books.add(12)
    [stored] = books.store.snapshots([Book.stream_id("b")]).values()
    assert stored.state.startswith("enc:v1:")
    assert books.state()["notes"] == ("n9", "n10", "n11")
    books.keys.forget("b")
    assert snapshots.restore(Book, stored, books.keys) is None
    assert books.state()["notes"] == (None, None, None)


def test_a_state_that_no_snapshot_can_hold_is_named(books: Books) -> None:
    with pytest.raises(ConfigError, match="cannot hold its thing") as caught:
        books.service().handle(Break(box="x"))
    assert caught.value.got == "PosixPath"
    assert books.store.head() == 0


def test_the_fingerprint_differs_from_class_to_class() -> None:
    assert snapshots.fingerprint(Book) != snapshots.fingerprint(Odd)
