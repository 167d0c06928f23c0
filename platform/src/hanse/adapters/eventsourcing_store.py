"""Event store on SQLite, through the recorders of the `eventsourcing` library.

The library owns the table of events and its notification ids, which are the positions. Beside it, in the
same file and the same commit, stand the verdicts of commands and the relay's mark.
Durability: WAL with synchronous FULL, so that a commit that returned survives a power cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from eventsourcing import persistence
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

from hanse.errors import ConcurrencyConflict, ConfigError, RelayHeld, StoreError
from hanse.ports.event_store import (
    NOTHING_BESIDE,
    Beside,
    ConsumedOffset,
    ProcessRow,
    StoredEvent,
    StoredSnapshot,
    StoredVerdict,
    StuckStream,
)

UNSAFE = "POSTGRES_ENABLE_DB_FUNCTIONS"
LOCK_TIMEOUT_S = 30
_CHUNK = 500
_NO_LIMIT = (1 << 63) - 1


def refuse_unsafe_environment() -> None:
    """Raise ConfigError when the variable is set under which a tailing reader misses events."""
    if os.environ.get(UNSAFE, "").strip().lower() not in {"", "0", "n", "no", "f", "false", "off"}:
        raise ConfigError(
            f"{UNSAFE} is set: with it a reader that follows the store misses committed events",
            fix=f"unset {UNSAFE}",
        )


class _Immediate(SQLiteTransaction):
    """Takes the write lock at once: a transaction that reads first cannot then be refused it."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        return cursor


class SQLiteRecorder(SQLiteApplicationRecorder):
    """The library's recorder, with batched inserts and Hanse's own tables in the same commit."""

    def construct_create_table_statements(self) -> list[str]:
        """The library's table and ours."""
        return [
            *super().construct_create_table_statements(),
            "CREATE TABLE IF NOT EXISTS command_verdicts "
            "(command_id BLOB PRIMARY KEY, stream_id TEXT NOT NULL, first_version INTEGER NOT NULL, "
            "last_version INTEGER NOT NULL, rule TEXT, message TEXT) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS relays "
            "(relay TEXT PRIMARY KEY, epoch INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS stuck_streams (relay TEXT, stream_id TEXT, version INTEGER NOT NULL, "
            "position INTEGER NOT NULL, type TEXT NOT NULL, reason TEXT NOT NULL, "
            "PRIMARY KEY (relay, stream_id)) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS consumed "
            "(consumer TEXT, topic TEXT, part INTEGER, topic_id TEXT NOT NULL, next INTEGER NOT NULL, "
            "PRIMARY KEY (consumer, topic, part)) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS processes "
            "(process_id TEXT PRIMARY KEY, status TEXT NOT NULL, step TEXT NOT NULL, due_at INTEGER, "
            "reason TEXT NOT NULL, correlation_id TEXT NOT NULL, updated_at INTEGER NOT NULL) WITHOUT ROWID",
            "CREATE INDEX IF NOT EXISTS processes_due ON processes (due_at) WHERE due_at IS NOT NULL",
            "CREATE TABLE IF NOT EXISTS snapshots (stream_id TEXT PRIMARY KEY, version INTEGER NOT NULL, "
            "code TEXT NOT NULL, state TEXT NOT NULL, subject TEXT) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS store_identity "
            "(only_row INTEGER PRIMARY KEY CHECK (only_row = 1), store_id TEXT NOT NULL)",
        ]

    @contextmanager
    def writing(self) -> Generator[sqlite3.Cursor]:
        """A transaction that holds the write lock from its start and commits at the end."""
        with self.datastore.get_connection(commit=True) as connection:
            raw: SQLiteConnection = connection
            with _Immediate(raw, commit=True) as cursor, cursor as bare:
                yield bare

    def insert_events(
        self, stored_events: Sequence[persistence.StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Insert all in one commit; returns notification ids."""
        with self.writing() as cursor:
            return self._insert_events(cursor, stored_events, **kwargs)

    def _insert_events(
        self, c: Any, stored_events: Sequence[persistence.StoredEvent], **_: Any
    ) -> Sequence[int] | None:
        return self.insert_rows(c, stored_events, (), NOTHING_BESIDE)

    def insert_rows(
        self,
        c: sqlite3.Cursor,
        stored_events: Sequence[persistence.StoredEvent],
        verdicts: Sequence[StoredVerdict],
        beside: Beside,
    ) -> list[int]:
        """Insert all within the cursor's transaction, which holds the write lock; returns notification ids."""
        first = (c.execute(f"SELECT MAX(rowid) FROM {self.events_table_name}").fetchone()[0] or 0) + 1  # noqa: S608
        c.executemany(
            f"INSERT INTO {self.events_table_name} "  # noqa: S608
            "(rowid, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)",
            [
                (position, _hex(e.originator_id), e.originator_version, e.topic, e.state)
                for position, e in enumerate(stored_events, first)
            ],
        )
        if verdicts:
            c.executemany(
                "INSERT INTO command_verdicts VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (v.command_id.bytes, v.stream_id.hex, v.first_version, v.last_version, v.rule, v.message)
                    for v in verdicts
                ],
            )
        _put_beside(c, beside)
        return list(range(first, first + len(stored_events)))


def _put_beside(cursor: sqlite3.Cursor, beside: Beside) -> None:
    if beside.offsets:
        cursor.executemany(
            "INSERT INTO consumed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET topic_id = excluded.topic_id, "
            "next = CASE WHEN topic_id = excluded.topic_id THEN MAX(next, excluded.next) ELSE excluded.next END",
            [(o.consumer, o.topic, o.partition, o.topic_id, o.offset) for o in beside.offsets],
        )
    if beside.processes:
        cursor.executemany(
            "INSERT OR REPLACE INTO processes VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (p.process_id, p.status, p.step, p.due_at, p.reason, p.correlation_id, p.updated_at)
                for p in beside.processes
            ],
        )
    if beside.snapshots:
        cursor.executemany(
            "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)",
            [(s.stream_id.hex, s.version, s.code, s.state, s.subject) for s in beside.snapshots],
        )


def _hex(stream_id: UUID | str) -> str:
    return stream_id.hex if isinstance(stream_id, UUID) else stream_id


class SQLiteEventStore:
    """The `EventStore` port on one SQLite file. Several processes may hold it open."""

    def __init__(self, path: Path) -> None:
        refuse_unsafe_environment()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._claims: dict[str, int] = {}
        self._datastore = SQLiteDatastore(str(path), lock_timeout=LOCK_TIMEOUT_S, pool_size=2)
        self._recorder = SQLiteRecorder(self._datastore)
        self._read_lock, self._write_lock = threading.Lock(), threading.Lock()
        with self._errors("open"):
            self._recorder.create_table()
            self._reader, self._writer = _connect(path), _connect(path)
            self._store_id = self._identity()

    @property
    def store_id(self) -> str:
        """Eight hexadecimal digits, drawn when the store was made."""
        return self._store_id

    def append(
        self,
        events: Sequence[StoredEvent],
        verdicts: Sequence[StoredVerdict] = (),
        beside: Beside = NOTHING_BESIDE,
    ) -> list[int]:
        """Append all in one commit; returns positions. Raises ConcurrencyConflict, storing nothing."""
        library_events = [persistence.StoredEvent(e.stream_id, e.version, e.type, e.state) for e in events]
        with self._errors("append to"), self._writing() as cursor:
            return self._recorder.insert_rows(cursor, library_events, verdicts, beside)

    def verdicts(self, command_ids: Sequence[UUID]) -> dict[UUID, StoredVerdict]:
        """The verdicts of those of the commands that were handled before."""
        found: dict[UUID, StoredVerdict] = {}
        wanted = {command_id.bytes: command_id for command_id in command_ids}
        for row in self._select_in(
            "SELECT v.*, e.rowid FROM command_verdicts v LEFT JOIN stored_events e "
            "ON e.originator_id = v.stream_id AND e.originator_version = v.last_version "
            "WHERE v.command_id IN ",
            list(wanted),
        ):
            command_id = wanted[row[0]]
            found[command_id] = StoredVerdict(
                command_id, _uuid(row[1]), row[2], row[3], row[4], row[5], row[6] if row[4] is None else None
            )
        return found

    def stream(self, stream_id: UUID, *, after: int = 0, up_to: int | None = None) -> Iterator[StoredEvent]:
        """The stream's events with `after < version <= up_to`, in order."""
        rows = self._select(
            "SELECT originator_id, originator_version, topic, state, rowid FROM stored_events "
            "WHERE originator_id = ? AND originator_version > ? AND originator_version <= ? "
            "ORDER BY originator_version",
            [stream_id.hex, after, _NO_LIMIT if up_to is None else up_to],
        )
        return (_event(row) for row in rows)

    def streams(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[StoredEvent]]:
        """Several whole streams at once, each in order; streams without events are left out."""
        found: dict[UUID, list[StoredEvent]] = {}
        for row in self._select_in(
            "SELECT originator_id, originator_version, topic, state, rowid FROM stored_events "
            "WHERE originator_id IN ",
            [stream_id.hex for stream_id in stream_ids],
            " ORDER BY originator_id, originator_version",
        ):
            event = _event(row)
            found.setdefault(event.stream_id, []).append(event)
        return found

    def read_all(self, *, after: int = 0, limit: int = 1_000) -> list[StoredEvent]:
        """Events by position, `position > after`, at most `limit`."""
        return [
            _event(row)
            for row in self._select(
                "SELECT originator_id, originator_version, topic, state, rowid FROM stored_events "
                "WHERE rowid > ? ORDER BY rowid LIMIT ?",
                [after, limit],
            )
        ]

    def mentioning(self, text: str, *, limit: int = 10_000) -> list[StoredEvent]:
        """Events whose state holds the text, by position."""
        rows = self._select(
            "SELECT originator_id, originator_version, topic, state, rowid FROM stored_events "
            "WHERE instr(state, CAST(? AS BLOB)) > 0 ORDER BY rowid LIMIT ?",
            [text, limit],
        )
        return [_event(row) for row in rows]

    def head(self) -> int:
        """The highest position, 0 when empty."""
        return self._select("SELECT COALESCE(MAX(rowid), 0) FROM stored_events", [])[0][0]

    def claim_relay(self, relay: str) -> int:
        """Become the one running relay of that name, by a lock on a file beside the store."""
        if relay in self._claims:
            raise _held(relay, self._path)
        lock = os.open(f"{self._path}.{relay}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise _held(relay, self._path) from error
        self._claims[relay] = lock
        try:
            return self._next_epoch(relay)
        except BaseException:
            self.release_relay(relay)
            raise

    def release_relay(self, relay: str) -> None:
        """Give the claim back; without one, nothing happens."""
        lock = self._claims.pop(relay, None)
        if lock is not None:
            os.close(lock)

    def relayed(self, relay: str) -> int:
        """The position up to which everything is on the log, 0 at first."""
        rows = self._select("SELECT position FROM relays WHERE relay = ?", [relay])
        return rows[0][0] if rows else 0

    def mark_relayed(
        self,
        relay: str,
        epoch: int,
        position: int,
        *,
        stuck: Sequence[StuckStream] = (),
        freed: Sequence[UUID] = (),
    ) -> None:
        """Move the mark, durably, with the streams stuck and freed. Raises RelayHeld for an older epoch."""
        with self._errors("mark the relay of"), self._writing() as cursor:
            cursor.execute(
                "UPDATE relays SET position = MAX(position, ?) WHERE relay = ? AND epoch = ?",
                (position, relay, epoch),
            )
            if not cursor.rowcount:
                raise _held(relay, self._path)
            cursor.executemany(
                "INSERT OR REPLACE INTO stuck_streams VALUES (?, ?, ?, ?, ?, ?)",
                [(relay, s.stream_id.hex, s.version, s.position, s.type, s.reason) for s in stuck],
            )
            cursor.executemany(
                "DELETE FROM stuck_streams WHERE relay = ? AND stream_id = ?", [(relay, s.hex) for s in freed]
            )

    def stuck(self, relay: str) -> list[StuckStream]:
        """The streams that the relay holds back, by position."""
        rows = self._select(
            "SELECT stream_id, version, position, type, reason FROM stuck_streams "
            "WHERE relay = ? ORDER BY position",
            [relay],
        )
        return [StuckStream(_uuid(row[0]), *row[1:]) for row in rows]

    def snapshots(self, stream_ids: Sequence[UUID]) -> dict[UUID, StoredSnapshot]:
        """The latest snapshot of those of the streams that have one."""
        rows = self._select_in("SELECT * FROM snapshots WHERE stream_id IN ", [s.hex for s in stream_ids])
        return {_uuid(row[0]): StoredSnapshot(_uuid(row[0]), *row[1:]) for row in rows}

    def consumed(self, consumer: str, topic: str) -> list[ConsumedOffset]:
        """How far the consumer has read the topic's partitions; empty at first."""
        rows = self._select(
            "SELECT consumer, topic, topic_id, part, next FROM consumed WHERE consumer = ? AND topic = ?",
            [consumer, topic],
        )
        return [ConsumedOffset(*row) for row in rows]

    def processes(
        self, *, statuses: Sequence[str] = (), prefix: str = "", due_by: int | None = None, limit: int = 1_000
    ) -> list[ProcessRow]:
        """Processes of sagas by status, beginning of their id and moment; those due first, else the last changed."""
        rows = self._select(
            "SELECT * FROM processes WHERE substr(process_id, 1, ?) = ? "  # noqa: S608
            f"AND (? OR status IN ({','.join('?' * len(statuses))})) "
            f"{'AND due_at <= ? ORDER BY due_at' if due_by is not None else 'ORDER BY updated_at DESC'} LIMIT ?",
            [len(prefix), prefix, not statuses, *statuses, *([] if due_by is None else [due_by]), limit],
        )
        return [ProcessRow(*row) for row in rows]

    def close(self) -> None:
        """Release files, locks and connections."""
        for relay in list(self._claims):
            self.release_relay(relay)
        self._reader.close()
        self._writer.close()
        self._datastore.close()

    def _next_epoch(self, relay: str) -> int:
        with self._errors("claim the relay of"), self._writing() as cursor:
            cursor.execute("INSERT OR IGNORE INTO relays VALUES (?, 0, 0)", (relay,))
            cursor.execute("UPDATE relays SET epoch = epoch + 1 WHERE relay = ? RETURNING epoch", (relay,))
            return cursor.fetchone()[0]

    def _identity(self) -> str:
        with self._writing() as cursor:
            cursor.execute("INSERT OR IGNORE INTO store_identity VALUES (1, ?)", (uuid.uuid4().hex[:8],))
            cursor.execute("SELECT store_id FROM store_identity")
            return cursor.fetchone()[0]

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Cursor]:
        """A transaction that holds the write lock from its start and commits at the end."""
        with self._write_lock:
            cursor = self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _select(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._errors("read"), self._read_lock:
            return self._reader.execute(statement, parameters).fetchall()

    def _select_in(
        self, statement: str, values: Sequence[object], ending: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            yield from self._select(f"{statement}({','.join('?' * len(chunk))}){ending}", chunk)

    @contextmanager
    def _errors(self, verb: str) -> Generator[None]:
        try:
            yield
        except (persistence.IntegrityError, sqlite3.IntegrityError) as error:
            raise ConcurrencyConflict(
                "another writer was first", where=str(self._path), got=str(error)
            ) from error
        except (persistence.PersistenceError, sqlite3.Error) as error:
            self._raise(verb, error)

    def _raise(self, verb: str, error: Exception) -> NoReturn:
        raise StoreError(f"cannot {verb} the event store", where=str(self._path), got=str(error)) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _held(relay: str, path: Path) -> RelayHeld:
    return RelayHeld(
        f"the relay {relay!r} of this store is running already or was taken over",
        where=str(path),
        fix="stop the other process, or let it do the work",
    )


def _event(row: tuple[Any, ...]) -> StoredEvent:
    return StoredEvent(_uuid(row[0]), row[1], row[2], row[3], row[4])


@lru_cache(maxsize=65_536)
def _uuid(text: str) -> UUID:
    return UUID(text)
