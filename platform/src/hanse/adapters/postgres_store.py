"""Event store on PostgreSQL, through the recorders of the `eventsourcing` library.

One schema a domain. The library's table lock makes positions appear in order, so that a reader which follows
them misses none; its database functions, which do not, are refused. A relay's claim is an advisory lock of a
connection of its own: it ends with the process.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import psycopg
from eventsourcing import persistence
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier

from hanse.adapters.eventsourcing_store import LOCK_TIMEOUT_S, refuse_unsafe_environment
from hanse.errors import ConcurrencyConflict, RelayHeld, StoreError
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

_OWN_TABLES = (
    "CREATE TABLE IF NOT EXISTS {schema}.command_verdicts (command_id uuid PRIMARY KEY, stream_id uuid NOT NULL, "
    "first_version bigint NOT NULL, last_version bigint NOT NULL, rule text, message text)",
    "CREATE TABLE IF NOT EXISTS {schema}.relays "
    "(relay text PRIMARY KEY, epoch bigint NOT NULL, position bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {schema}.stuck_streams (relay text, stream_id uuid, version bigint NOT NULL, "
    "position bigint NOT NULL, type text NOT NULL, reason text NOT NULL, PRIMARY KEY (relay, stream_id))",
    "CREATE TABLE IF NOT EXISTS {schema}.consumed (consumer text, topic text, part int, topic_id text NOT NULL, "
    "next bigint NOT NULL, PRIMARY KEY (consumer, topic, part))",
    "CREATE TABLE IF NOT EXISTS {schema}.processes (process_id text PRIMARY KEY, status text NOT NULL, "
    "step text NOT NULL, due_at bigint, reason text NOT NULL, correlation_id text NOT NULL, "
    "updated_at bigint NOT NULL)",
    "CREATE INDEX IF NOT EXISTS processes_due ON {schema}.processes (due_at) WHERE due_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS {schema}.snapshots (stream_id uuid PRIMARY KEY, version bigint NOT NULL, "
    "code text NOT NULL, state text NOT NULL, subject text)",
    "CREATE TABLE IF NOT EXISTS {schema}.store_identity "
    "(only_row int PRIMARY KEY CHECK (only_row = 1), store_id text NOT NULL)",
)
_EVENTS = (
    "SELECT originator_id, originator_version, topic, state, notification_id FROM {schema}.stored_events "
)
_NO_LIMIT = (1 << 62) - 1


class PostgresEventStore:
    """The `EventStore` port in one schema of a PostgreSQL database."""

    def __init__(self, address: str, *, schema: str) -> None:
        refuse_unsafe_environment()
        self._address = address
        self._schema = schema
        self._place = f"schema {schema} of {urlsplit(address).hostname}"
        self._claims: dict[str, psycopg.Connection[Any]] = {}
        with self._errors("open"), self._made_alone():
            self._datastore = _datastore(address, schema)
            PostgresApplicationRecorder(self._datastore, events_table_name="stored_events").create_table()
            with self._datastore.transaction(commit=True) as cursor:
                for statement in _OWN_TABLES:
                    cursor.execute(self._sql(statement))
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
        with self._errors("append to"), self._datastore.transaction(commit=True) as cursor:
            cursor.row_factory = tuple_row  # pyright: ignore[reportAttributeAccessIssue]
            cursor.execute(self._sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
            cursor.execute(self._sql("LOCK TABLE {schema}.stored_events IN EXCLUSIVE MODE"))
            positions = self._insert(cursor, events) if events else []
            cursor.executemany(
                self._sql("INSERT INTO {schema}.command_verdicts VALUES (%s, %s, %s, %s, %s, %s)"),
                [
                    (v.command_id, v.stream_id, v.first_version, v.last_version, v.rule, v.message)
                    for v in verdicts
                ],
            )
            self._put_beside(cursor, beside)
            return positions

    def verdicts(self, command_ids: Sequence[UUID]) -> dict[UUID, StoredVerdict]:
        """The verdicts of those of the commands that were handled before."""
        rows = self._select(
            "SELECT v.*, e.notification_id FROM {schema}.command_verdicts v LEFT JOIN {schema}.stored_events e "
            "ON v.rule IS NULL AND e.originator_id = v.stream_id AND e.originator_version = v.last_version "
            "WHERE v.command_id = ANY(%s)",
            [list(command_ids)],
        )
        return {row[0]: StoredVerdict(*row) for row in rows}

    def stream(self, stream_id: UUID, *, after: int = 0, up_to: int | None = None) -> Iterator[StoredEvent]:
        """The stream's events with `after < version <= up_to`, in order."""
        rows = self._select(
            _EVENTS + "WHERE originator_id = %s "
            "AND originator_version > %s AND originator_version <= %s ORDER BY originator_version",
            [stream_id, after, _NO_LIMIT if up_to is None else up_to],
        )
        return map(_event, rows)

    def streams(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[StoredEvent]]:
        """Several whole streams at once, each in order; streams without events are left out."""
        found: dict[UUID, list[StoredEvent]] = {}
        for row in self._select(
            _EVENTS + "WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version",
            [list(stream_ids)],
        ):
            found.setdefault(row[0], []).append(_event(row))
        return found

    def read_all(self, *, after: int = 0, limit: int = 1_000) -> list[StoredEvent]:
        """Events by position, `position > after`, at most `limit`."""
        rows = self._select(
            _EVENTS + "WHERE notification_id > %s ORDER BY notification_id LIMIT %s",
            [after, limit],
        )
        return [_event(row) for row in rows]

    def mentioning(self, text: str, *, limit: int = 10_000) -> list[StoredEvent]:
        """Events whose state holds the text, by position."""
        rows = self._select(
            _EVENTS + "WHERE position(%s::bytea IN state) > 0 ORDER BY notification_id LIMIT %s",
            [text.encode(), limit],
        )
        return [_event(row) for row in rows]

    def head(self) -> int:
        """The highest position, 0 when empty."""
        return self._select("SELECT COALESCE(MAX(notification_id), 0) FROM {schema}.stored_events", [])[0][0]

    def claim_relay(self, relay: str) -> int:
        """Become the one running relay of that name, by an advisory lock of the database."""
        if relay in self._claims:
            raise self._held(relay)
        with self._errors("claim the relay of"):
            connection = psycopg.connect(self._address, autocommit=True)
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [self._lock_key(relay)]).fetchone()
            if row is None or not row[0]:
                connection.close()
                raise self._held(relay)
            self._claims[relay] = connection
            claimed = connection.execute(
                self._sql(
                    "INSERT INTO {schema}.relays AS r VALUES (%s, 1, 0) "
                    "ON CONFLICT (relay) DO UPDATE SET epoch = r.epoch + 1 RETURNING epoch"
                ),
                [relay],
            ).fetchone()
            assert claimed is not None
            return claimed[0]

    def release_relay(self, relay: str) -> None:
        """Give the claim back; without one, nothing happens."""
        connection = self._claims.pop(relay, None)
        if connection is not None:
            connection.close()

    def relayed(self, relay: str) -> int:
        """The position up to which everything is on the log, 0 at first."""
        rows = self._select("SELECT position FROM {schema}.relays WHERE relay = %s", [relay])
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
        with self._errors("mark the relay of"), self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                self._sql(
                    "UPDATE {schema}.relays SET position = GREATEST(position, %s) WHERE relay = %s AND epoch = %s"
                ),
                [position, relay, epoch],
            )
            if not cursor.rowcount:
                raise self._held(relay)
            cursor.executemany(
                self._sql(
                    "INSERT INTO {schema}.stuck_streams VALUES (%s, %s, %s, %s, %s, %s) "
                    "ON CONFLICT (relay, stream_id) DO UPDATE SET (version, position, type, reason) = "
                    "(excluded.version, excluded.position, excluded.type, excluded.reason)"
                ),
                [(relay, s.stream_id, s.version, s.position, s.type, s.reason) for s in stuck],
            )
            cursor.execute(
                self._sql("DELETE FROM {schema}.stuck_streams WHERE relay = %s AND stream_id = ANY(%s)"),
                [relay, list(freed)],
            )

    def stuck(self, relay: str) -> list[StuckStream]:
        """The streams that the relay holds back, by position."""
        rows = self._select(
            "SELECT stream_id, version, position, type, reason FROM {schema}.stuck_streams "
            "WHERE relay = %s ORDER BY position",
            [relay],
        )
        return [StuckStream(*row) for row in rows]

    def snapshots(self, stream_ids: Sequence[UUID]) -> dict[UUID, StoredSnapshot]:
        """The latest snapshot of those of the streams that have one."""
        rows = self._select("SELECT * FROM {schema}.snapshots WHERE stream_id = ANY(%s)", [list(stream_ids)])
        return {row[0]: StoredSnapshot(*row) for row in rows}

    def consumed(self, consumer: str, topic: str) -> list[ConsumedOffset]:
        """How far the consumer has read the topic's partitions; empty at first."""
        rows = self._select(
            "SELECT consumer, topic, topic_id, part, next FROM {schema}.consumed "
            "WHERE consumer = %s AND topic = %s",
            [consumer, topic],
        )
        return [ConsumedOffset(*row) for row in rows]

    def processes(
        self, *, statuses: Sequence[str] = (), prefix: str = "", due_by: int | None = None, limit: int = 1_000
    ) -> list[ProcessRow]:
        """Processes of sagas by status, beginning of their id and moment; those due first, else the last changed."""
        rows = self._select(
            "SELECT * FROM {schema}.processes WHERE starts_with(process_id, %s) "
            "AND (%s OR status = ANY(%s)) AND (%s::bigint IS NULL OR due_at <= %s) "
            "ORDER BY CASE WHEN %s::bigint IS NULL THEN -updated_at ELSE due_at END LIMIT %s",
            [prefix, not statuses, list(statuses), due_by, due_by, due_by, limit],
        )
        return [ProcessRow(*row) for row in rows]

    def close(self) -> None:
        """Release connections and claims."""
        for relay in list(self._claims):
            self.release_relay(relay)
        self._datastore.close()

    def drop_schema(self) -> None:
        """Remove the store with all that is in it."""
        with self._errors("remove"), self._datastore.transaction(commit=True) as cursor:
            cursor.execute(self._sql("DROP SCHEMA {schema} CASCADE"))

    def _insert(self, cursor: psycopg.Cursor[Any], events: Sequence[StoredEvent]) -> list[int]:
        cursor.execute(
            self._sql(
                "INSERT INTO {schema}.stored_events (originator_id, originator_version, topic, state) "
                "SELECT i, v, t, s FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[]) "
                "WITH ORDINALITY AS e(i, v, t, s, n) ORDER BY n RETURNING notification_id"
            ),
            [
                [e.stream_id for e in events],
                [e.version for e in events],
                [e.type for e in events],
                [e.state for e in events],
            ],
        )
        return [row[0] for row in cursor.fetchall()]

    def _put_beside(self, cursor: psycopg.Cursor[Any], beside: Beside) -> None:
        if beside.offsets:
            cursor.executemany(
                self._sql(
                    "INSERT INTO {schema}.consumed AS c VALUES (%s, %s, %s, %s, %s) "
                    "ON CONFLICT (consumer, topic, part) DO UPDATE SET topic_id = excluded.topic_id, next = "
                    "CASE WHEN c.topic_id = excluded.topic_id THEN GREATEST(c.next, excluded.next) "
                    "ELSE excluded.next END"
                ),
                [(o.consumer, o.topic, o.partition, o.topic_id, o.offset) for o in beside.offsets],
            )
        if beside.processes:
            cursor.executemany(
                self._sql(
                    "INSERT INTO {schema}.processes VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (process_id) "
                    "DO UPDATE SET (status, step, due_at, reason, correlation_id, updated_at) = (excluded.status, "
                    "excluded.step, excluded.due_at, excluded.reason, excluded.correlation_id, excluded.updated_at)"
                ),
                [
                    (p.process_id, p.status, p.step, p.due_at, p.reason, p.correlation_id, p.updated_at)
                    for p in beside.processes
                ],
            )

        if beside.snapshots:
            cursor.executemany(
                self._sql(
                    "INSERT INTO {schema}.snapshots VALUES (%s, %s, %s, %s, %s) ON CONFLICT (stream_id) "
                    "DO UPDATE SET (version, code, state, subject) = "
                    "(excluded.version, excluded.code, excluded.state, excluded.subject)"
                ),
                [(s.stream_id, s.version, s.code, s.state, s.subject) for s in beside.snapshots],
            )

    @contextmanager
    def _made_alone(self) -> Generator[None]:
        """The schema, and a lock under which its tables are made: IF NOT EXISTS does not keep two apart."""
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [self._lock_key("schema")])
            connection.execute(self._sql("CREATE SCHEMA IF NOT EXISTS {schema}"))
            yield

    def _identity(self) -> str:
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                self._sql("INSERT INTO {schema}.store_identity VALUES (1, %s) ON CONFLICT DO NOTHING"),
                [uuid.uuid4().hex[:8]],
            )
        return self._select("SELECT store_id FROM {schema}.store_identity", [])[0][0]

    def _select(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._errors("read"), self._datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            return cursor.execute(self._sql(statement), parameters).fetchall()

    def _sql(self, statement: str) -> Composed:
        return SQL(statement).format(schema=Identifier(self._schema))  # pyright: ignore[reportArgumentType]

    def _lock_key(self, name: str) -> int:
        digest = hashlib.sha256(f"hanse/{self._schema}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    def _held(self, relay: str) -> RelayHeld:
        return RelayHeld(
            f"the relay {relay!r} of this store is running already or was taken over",
            where=self._place,
            fix="stop the other process, or let it do the work",
        )

    @contextmanager
    def _errors(self, verb: str) -> Generator[None]:
        try:
            yield
        except (persistence.IntegrityError, psycopg.IntegrityError) as error:
            raise ConcurrencyConflict(
                "another writer was first", where=self._place, got=str(error)
            ) from error
        except (persistence.PersistenceError, psycopg.Error) as error:
            raise StoreError(f"cannot {verb} the event store", where=self._place, got=str(error)) from error


def _datastore(address: str, schema: str) -> PostgresDatastore:
    parts = urlsplit(address)
    return PostgresDatastore(
        dbname=parts.path.lstrip("/") or "postgres",
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 5432,
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
        schema=schema,
        pool_size=1,
        max_overflow=4,
        connect_timeout=30,
        lock_timeout=LOCK_TIMEOUT_S,
    )


def _event(row: tuple[Any, ...]) -> StoredEvent:
    return StoredEvent(row[0], row[1], row[2], bytes(row[3]), row[4])
