"""What every adapter of the EventStore port does."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hanse.adapters.eventsourcing_store import SQLiteEventStore
from hanse.errors import ConcurrencyConflict, ConfigError, RelayHeld, StoreError
from hanse.ports.event_store import (
    Beside,
    ConsumedOffset,
    EventStore,
    ProcessRow,
    StoredEvent,
    StoredSnapshot,
    StoredVerdict,
)

A, B = uuid.UUID(int=1), uuid.UUID(int=2)
Open = Callable[[], EventStore]


def event(stream: uuid.UUID, version: int, state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(stream, version, "Happened", state)


def postgres_opener(address: str) -> Iterator[Open]:
    from hanse.adapters.postgres_store import PostgresEventStore

    schema = f"hanse_test_{uuid.uuid4().hex[:12]}"
    opened: list[PostgresEventStore] = []

    def open_it() -> EventStore:
        opened.append(PostgresEventStore(address, schema=schema))
        return opened[-1]

    yield open_it
    opened[-1].drop_schema()
    for store in opened:
        store.close()


def sqlite_opener(folder: Path) -> Iterator[Open]:
    opened: list[SQLiteEventStore] = []

    def open_it() -> EventStore:
        opened.append(SQLiteEventStore(folder / "stores" / "shop.db"))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "sqlite":
        yield from sqlite_opener(tmp_path)
    else:
        yield from postgres_opener(request.getfixturevalue("postgres_address"))


@pytest.fixture
def store(opener: Open) -> EventStore:
    return opener()


def test_an_empty_store_has_nothing(store: EventStore) -> None:
    assert store.head() == 0
    assert store.read_all() == []
    assert list(store.stream(A)) == []
    assert store.streams([A, B]) == {}
    assert store.verdicts([A]) == {}
    assert store.append([]) == []


def test_positions_rise_in_order_of_append(store: EventStore) -> None:
    first = store.append([event(A, 1), event(B, 1)])
    second = store.append([event(A, 2)])
    assert first + second == sorted({*first, *second})
    assert [(e.stream_id, e.version) for e in store.read_all()] == [(A, 1), (B, 1), (A, 2)]
    assert [e.position for e in store.read_all()] == first + second
    assert store.head() == second[0]


def test_events_come_back_as_they_were(store: EventStore) -> None:
    state = bytes(range(256))
    [position] = store.append([StoredEvent(A, 1, "Named", state)])
    assert list(store.stream(A)) == [StoredEvent(A, 1, "Named", state, position)]


def test_read_all_pages(store: EventStore) -> None:
    positions = store.append([event(A, n) for n in range(1, 8)])
    page = store.read_all(after=positions[1], limit=3)
    assert [e.position for e in page] == positions[2:5]


def test_a_stream_is_bounded_by_version(store: EventStore) -> None:
    store.append([event(A, n) for n in range(1, 6)] + [event(B, 1)])
    assert [e.version for e in store.stream(A, after=1, up_to=3)] == [2, 3]
    assert [e.version for e in store.stream(A, up_to=0)] == []


def test_streams_reads_many_at_once(store: EventStore) -> None:
    ids = [uuid.uuid4() for _ in range(1_200)]
    store.append([event(i, v) for i in ids for v in (1, 2)])
    found = store.streams([*ids, A])
    assert set(found) == set(ids)
    assert all([e.version for e in events] == [1, 2] for events in found.values())


def test_a_taken_version_stores_nothing_of_the_batch(store: EventStore) -> None:
    store.append([event(A, 1)])
    verdict = StoredVerdict(uuid.uuid4(), B, 1, 1)
    with pytest.raises(ConcurrencyConflict):
        store.append([event(B, 1), event(A, 1)], [verdict])
    assert list(store.stream(B)) == []
    assert store.verdicts([verdict.command_id]) == {}


def test_verdicts_are_kept_with_the_position_of_their_last_event(store: EventStore) -> None:
    accepted = StoredVerdict(uuid.uuid4(), A, 1, 2)
    refused = StoredVerdict(uuid.uuid4(), B, rule="box-full", message="no room")
    positions = store.append([event(A, 1), event(A, 2)], [accepted, refused])
    found = store.verdicts([accepted.command_id, refused.command_id, uuid.uuid4()])
    assert found == {
        accepted.command_id: StoredVerdict(accepted.command_id, A, 1, 2, position=positions[1]),
        refused.command_id: refused,
    }


def test_a_rejection_alone_can_be_stored(store: EventStore) -> None:
    refused = StoredVerdict(uuid.uuid4(), B, rule="box-full", message="no room")
    assert store.append([], [refused]) == []
    assert store.verdicts([refused.command_id]) == {refused.command_id: refused}


def test_a_taken_command_id_stores_nothing_of_the_batch(store: EventStore) -> None:
    verdict = StoredVerdict(uuid.uuid4(), A, 1, 1)
    store.append([event(A, 1)], [verdict])
    with pytest.raises(ConcurrencyConflict):
        store.append([event(A, 2)], [verdict])
    assert [e.version for e in store.stream(A)] == [1]


def test_the_identity_outlives_the_process(opener: Open) -> None:
    first = opener()
    name = first.store_id
    first.close()
    assert opener().store_id == name


def test_the_relay_mark_is_durable_and_never_goes_back(opener: Open) -> None:
    store = opener()
    epoch = store.claim_relay("relay")
    assert store.relayed("relay") == 0
    store.mark_relayed("relay", epoch, 7)
    store.mark_relayed("relay", epoch, 3)
    assert opener().relayed("relay") == 7
    assert store.relayed("another") == 0


def test_one_relay_at_a_time(opener: Open) -> None:
    first, second = opener(), opener()
    first.claim_relay("relay")
    with pytest.raises(RelayHeld):
        second.claim_relay("relay")
    with pytest.raises(RelayHeld):
        first.claim_relay("relay")
    second.claim_relay("another")
    first.release_relay("relay")
    second.claim_relay("relay")


def test_a_relay_of_an_older_epoch_cannot_move_the_mark(opener: Open) -> None:
    first, second = opener(), opener()
    stale = first.claim_relay("relay")
    first.release_relay("relay")
    epoch = second.claim_relay("relay")
    with pytest.raises(RelayHeld):
        first.mark_relayed("relay", stale, 5)
    second.mark_relayed("relay", epoch, 4)
    assert second.relayed("relay") == 4


def test_writers_on_one_store_lose_and_double_nothing(opener: Open) -> None:
    stores = [opener() for _ in range(4)]
    errors: list[BaseException] = []

    def write(number: int) -> None:
        stream = uuid.UUID(int=100 + number)
        try:
            for version in range(1, 26):
                stores[number].append([event(stream, version)])
        except ConcurrencyConflict as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    everything = stores[0].read_all(limit=1_000)
    assert len({e.position for e in everything}) == 100
    for number in range(4):
        versions = [e.version for e in everything if e.stream_id.int == 100 + number]
        assert versions == list(range(1, 26))


@pytest.mark.parametrize("value", ["1", "yes", "true"])
def test_the_unsafe_functions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", value)
    with pytest.raises(ConfigError, match="misses committed events"):
        SQLiteEventStore(tmp_path / "shop.db")


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(b"this is no database at all, however long it may be" * 100)
    with pytest.raises(StoreError, match="cannot open the event store") as caught:
        SQLiteEventStore(path)
    assert str(path) in str(caught.value)


def test_a_full_disk_is_one_clear_error_and_nothing_is_stored(tmp_path: Path) -> None:
    store = SQLiteEventStore(tmp_path / "shop.db")
    store.append([event(A, 1)])
    writer = store._writer  # pyright: ignore[reportPrivateUsage]
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="cannot append"):
        store.append([event(A, 2, b"x" * 100_000)])
    assert [e.version for e in store.read_all()] == [1]
    store.close()


def test_what_stands_beside_is_stored_in_the_same_commit(store: EventStore) -> None:
    beside = Beside(
        [ConsumedOffset("inbox", "t", "id1", 0, 5)],
        [
            ProcessRow("s/a", "running", "one", 70, "", "c", 3),
            ProcessRow("s/b", "stuck", "two", None, "r", "c", 4),
        ],
        [StoredSnapshot(A, 1, "code", "{}", None)],
    )
    store.append([event(A, 1)], (), beside)
    assert store.consumed("inbox", "t") == list(beside.offsets)
    assert store.snapshots([A, B]) == {A: beside.snapshots[0]}
    with pytest.raises(ConcurrencyConflict):
        store.append([event(A, 1)], (), Beside([ConsumedOffset("inbox", "t", "id1", 0, 9)]))
    assert store.consumed("inbox", "t") == list(beside.offsets)


def test_offsets_go_back_only_in_a_topic_that_was_made_again(store: EventStore) -> None:
    for topic_id, offset in (("id1", 5), ("id1", 3), ("id2", 1)):
        store.append([], (), Beside([ConsumedOffset("inbox", "t", topic_id, 0, offset)]))
        [kept] = store.consumed("inbox", "t")
        assert (kept.topic_id, kept.offset) == (topic_id, 1 if topic_id == "id2" else 5)
    assert store.consumed("other", "t") == store.consumed("inbox", "u") == []


def test_processes_are_found_by_status_name_and_moment(store: EventStore) -> None:
    rows = [
        ProcessRow("s/a", "running", "one", 70, "", "c", 3),
        ProcessRow("s/b", "stuck", "two", None, "r", "c", 9),
        ProcessRow("t/c", "running", "one", 60, "", "c", 5),
    ]
    store.append([], (), Beside((), rows))
    store.append([], (), Beside((), [ProcessRow("s/a", "running", "two", 80, "", "c", 4)]))

    def ids(**options: Any) -> list[str]:
        return [row.process_id for row in store.processes(**options)]

    assert ids() == ["s/b", "t/c", "s/a"]
    assert ids(statuses=["running"]) == ["t/c", "s/a"]
    assert ids(prefix="s/", limit=1) == ["s/b"]
    assert ids(due_by=79) == ["t/c"]
    assert ids(due_by=80) == ["t/c", "s/a"]
    assert ids(due_by=1) == []


def test_events_that_mention_a_text_are_found(store: EventStore) -> None:
    store.append([event(A, 1, b'{"id": "x-1"}'), event(A, 2, b'{"id": "x-2"}'), event(B, 1, bytes([255, 0]))])
    assert [e.version for e in store.mentioning("x-2")] == [2]
    assert [e.version for e in store.mentioning("x-", limit=1)] == [1]
    assert store.mentioning("y") == []
