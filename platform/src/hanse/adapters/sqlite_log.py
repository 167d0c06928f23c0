"""The embedded event log: one SQLite file that several processes read and write.

Durability: with `sync="full"` (the default) every commit is flushed to the disk before a record is
acknowledged; with `sync="normal"` an acknowledged record outlives the process, but the last commits
may be lost with the machine's power. Records of producers that write at the same moment share one
commit. Either way a commit is whole or not there.

Settings: `log = "sqlite:"`, with `?sync=normal` and `?max_bytes=N` (the file's limit) if wanted.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hanse.adapters.sqlite_log_append import Append, Chunk, Stale, prepare_group, store
from hanse.adapters.sqlite_log_groups import SqliteGroupReader
from hanse.adapters.sqlite_log_read import Cursor, gather
from hanse.adapters.sqlite_log_storage import (
    Full,
    Readers,
    Sync,
    Turns,
    connect,
    errors_named,
    prepare,
    transaction,
)
from hanse.adapters.sqlite_log_upkeep import Compaction, Upkeep, expired
from hanse.errors import HistoryLost, LogError, UnknownTopic
from hanse.log import rows as rows_of
from hanse.log.checks import check_offset, check_partition, check_spec, drift
from hanse.log.partitioner import Int32s, NullKeys
from hanse.ports.event_log import RECORDS, Fetched, OffsetRange, Record, TopicInfo, TopicSpec

_TOPIC = "SELECT num, name, partitions, cleanup, retention_ms, retention_bytes, topic_id FROM topics"


class SqliteLog:
    """The `EventLog` port on a SQLite file, which is made with its folder when it is missing."""

    def __init__(
        self,
        path: Path,
        *,
        sync: Sync = "full",
        max_bytes: int | None = None,
        lock_timeout_s: float = 30.0,
    ) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with errors_named(path):
            self._writer = connect(path, sync, max_bytes)
            try:
                prepare(self._writer, path)
            except BaseException:
                self._writer.close()
                raise
        self._turns = Turns(path, lock_timeout_s)
        self._readers = Readers(path, sync)
        self._commit_lock = threading.Lock()
        self._queue: list[Append] = []
        self._queue_lock = threading.Lock()
        self._news = threading.Condition()
        self._null_keys = NullKeys()
        self._rotation = 0
        self._closed = False

    # topics

    def create_topic(self, spec: TopicSpec) -> TopicInfo:
        """Create, or return the equal one that exists. Raises TopicDrift when it differs."""
        check_spec(spec)
        with self.writing() as con:
            found = con.execute(f"{_TOPIC} WHERE name = ?", (spec.name,)).fetchone()
            if found is None:
                topic_id = uuid.uuid4().hex
                num = con.execute(
                    "INSERT INTO topics (name, topic_id, partitions, cleanup, retention_ms, retention_bytes)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        spec.name,
                        topic_id,
                        spec.partitions,
                        spec.cleanup,
                        spec.retention_ms,
                        spec.retention_bytes,
                    ),
                ).lastrowid
                con.executemany(
                    "INSERT INTO partitions VALUES (?, ?, 0, 0)", [(num, p) for p in range(spec.partitions)]
                )
                return TopicInfo(spec, topic_id)
        info = _info(found)
        if info.spec != spec:
            raise drift(spec, info.spec, str(self.path))
        return info

    def topic(self, name: str) -> TopicInfo:
        """The topic's identity and settings. Raises UnknownTopic."""
        return _info(self._topic_row(name))

    def topics(self) -> list[TopicInfo]:
        """All topics by name."""
        with errors_named(self.path), self._readers.borrow() as con:
            return [_info(row) for row in con.execute(f"{_TOPIC} ORDER BY name")]

    def delete_topic(self, name: str) -> None:
        """Remove the topic and its records. Raises UnknownTopic."""
        with self.writing() as con:
            found = con.execute("SELECT num FROM topics WHERE name = ?", (name,)).fetchone()
            if found is None:
                raise self._unknown(name)
            con.execute("DELETE FROM topics WHERE num = ?", found)
            con.execute("DELETE FROM partitions WHERE topic = ?", found)
        self.sweep()

    def sweep(self) -> None:
        """Free what deleted topics left, in short transactions; a killed `delete_topic` is finished."""
        more = True
        while more:
            with self.writing() as con:
                more = (
                    con.execute(
                        "DELETE FROM batches WHERE id IN (SELECT id FROM batches"
                        " WHERE topic NOT IN (SELECT num FROM topics) LIMIT 200)"
                    ).rowcount
                    == 200
                )

    # producing

    def produce(self, topic: str, records: Sequence[Record]) -> list[tuple[int, int]]:
        """Append durably, in order; returns (partition, offset) a record, once acknowledged."""
        body, wanted = rows_of.from_records(records)
        targets, offsets = self._append(topic, body, wanted)
        return list(zip(targets.tolist(), offsets.tolist(), strict=True))

    def produce_table(self, topic: str, rows: pa.Table) -> dict[int, OffsetRange]:
        """Append an Arrow table durably, in order; the range that each partition got."""
        body, wanted = rows_of.from_table(rows)
        targets, offsets = self._append(topic, body, wanted)
        return {
            int(p): OffsetRange(int(offsets[targets == p].min()), int(offsets[targets == p].max()) + 1)
            for p in np.unique(targets)
        }

    def _append(self, topic: str, body: pa.RecordBatch, wanted: Int32s) -> tuple[Int32s, Any]:
        for _ in range(5):
            num, _, partitions, cleanup, *_ = self._topic_row(topic)
            if cleanup == "compact" and body.column("key").null_count:
                raise LogError(
                    "a compacted topic takes no record without key; nothing was stored",
                    where=f"topic {topic}",
                )
            targets = rows_of.place(body, wanted, partitions, topic)
            targets = self._null_keys.fill(targets, partitions)
            append = Append(num, [Chunk.of(p, rows, at) for p, rows, at in rows_of.split(body, targets)])
            try:
                self._submit(append)
            except Stale:
                continue
            offsets = np.empty(len(targets), dtype=np.int64)
            for chunk in append.chunks:
                offsets[chunk.places] = np.arange(chunk.base, chunk.base + len(chunk.places))
            return targets, offsets
        raise LogError("the topic is deleted and made again all the time", where=f"topic {topic}")

    def _submit(self, append: Append) -> None:
        """Commit together with whatever other threads have queued: the first one in leads."""
        if not append.chunks:
            return
        with self._queue_lock:
            self._queue.append(append)
        with self._commit_lock:
            if not append.done:
                with self._queue_lock:
                    group, self._queue = self._queue, []
                self._commit_group(group)
        if append.error is not None:
            raise append.error

    def _commit_group(self, group: list[Append]) -> None:
        try:
            self._commit(group)
        except LogError as error:
            if len(group) > 1 and isinstance(error, Full):
                for append in group:
                    self._commit_group([append])
                return
            for append in group:
                append.finish(error)
        except BaseException:
            for append in group:
                append.finish(LogError("the commit was interrupted; look whether the records are there"))
            raise

    def _commit(self, group: list[Append]) -> None:
        with errors_named(self.path):
            self._refuse_closed()
            prepared = prepare_group(group)
            with self._turns.take(), transaction(self._writer) as con:
                store(con, group, prepared)
        for append in group:
            append.finish(append.error)
        self._tell()

    # reading

    def read(
        self,
        topic: str,
        offsets: Mapping[int, int],
        *,
        max_records: int = 100_000,
        timeout_ms: int = 0,
        topic_id: str | None = None,
    ) -> Fetched:
        """Records at and after `offsets`; see the port. At most about 64 MiB come at a time."""
        deadline = time.monotonic() + timeout_ms / 1_000
        with errors_named(self.path), self._readers.borrow() as con:
            while True:
                version = _data_version(con)
                fetched = self._read_once(con, topic, offsets, max_records, topic_id)
                if fetched.rows.num_rows or max_records <= 0 or not self._wait(con, version, deadline):
                    return fetched

    def _read_once(
        self,
        con: sqlite3.Connection,
        topic: str,
        offsets: Mapping[int, int],
        max_records: int,
        topic_id: str | None,
    ) -> Fetched:
        con.execute("BEGIN")
        try:
            num, *_, found_id = self._topic_row(topic, con)
            if topic_id is not None and topic_id != found_id:
                raise HistoryLost(
                    f"topic {topic} was deleted and made again",
                    where=str(self.path),
                    expected=f"topic id {topic_id}",
                    got=str(found_id),
                    fix="rebuild what was read from the old topic",
                )
            ranges = _ranges(con, num)
            cursors = [Cursor.open(con, topic, num, p, o, ranges) for p, o in sorted(offsets.items())]
            self._rotation += 1
            turn = self._rotation % max(1, len(cursors))
            batches = gather(cursors[turn:] + cursors[:turn], max_records)
        finally:
            con.execute("ROLLBACK")
        return Fetched(
            pa.Table.from_batches(batches, schema=RECORDS), {c.partition: c.next_offset for c in cursors}
        )

    def _wait(self, con: sqlite3.Connection, version: int, deadline: float) -> bool:
        """Sleep until somebody, in this process or another, has written; False when time is up.

        Writers of this process wake us. Those of others show in SQLite's data version, a counter
        in shared memory, which is looked at every 1 to 20 ms.
        """
        pause = 0.001
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or self._closed:
                return False
            with self._news:
                self._news.wait(min(pause, left))
            if _data_version(con) != version:
                return True
            pause = min(pause * 1.5, 0.02)

    def ranges(self, topic: str) -> dict[int, OffsetRange]:
        """Per partition, what can be read now."""
        with errors_named(self.path), self._readers.borrow() as con:
            con.execute("BEGIN")
            return _ranges(con, self._topic_row(topic, con)[0])

    def offsets_at(self, topic: str, timestamp_ms: int) -> dict[int, int]:
        """Per partition, the first offset whose timestamp is at or after the moment (else the end)."""
        with errors_named(self.path), self._readers.borrow() as con:
            con.execute("BEGIN")
            num = self._topic_row(topic, con)[0]
            ranges = _ranges(con, num)
            return {
                p: Cursor.open(con, topic, num, p, r.low, ranges).first_at(timestamp_ms)
                for p, r in ranges.items()
            }

    def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, OffsetRange]:
        """Drop the records below the offsets given, a partition; returns the topic's ranges then."""
        with self.writing() as con:
            num = self._topic_row(topic, con)[0]
            ranges = _ranges(con, num)
            for partition, offset in before.items():
                if offset <= check_partition(topic, partition, ranges).low:
                    continue
                check_offset(topic, partition, offset, ranges)
                con.execute(
                    "UPDATE partitions SET low = ? WHERE topic = ? AND partition = ?",
                    (offset, num, partition),
                )
                con.execute(
                    "DELETE FROM batches WHERE topic = ? AND partition = ? AND last < ?",
                    (num, partition, offset),
                )
            return _ranges(con, num)

    def join_group(self, topic: str, group: str, start: Mapping[int, int]) -> SqliteGroupReader:
        """A new member of the group; see the port."""
        return SqliteGroupReader(self, self.writing, topic, group, start)

    # upkeep

    def expired(self, topic: str, now: int) -> dict[int, int]:
        """Per partition, the offset below which the topic's retention has passed, whole batches only.

        Time is that of the records; bytes are those stored, a partition. `now` is in milliseconds.
        """
        with errors_named(self.path), self._readers.borrow() as con:
            con.execute("BEGIN")
            row = self._topic_row(topic, con)
            num, spec = row[0], _info(row).spec
            return {p: expired(con, num, p, spec, now) for p in _ranges(con, num)}

    def compact(self, topic: str, *, now: int | None = None, grace_ms: int = 86_400_000) -> Compaction:
        """Rewrite the topic: in a compacted one the latest record of each key stays, small batches
        are merged in any. A tombstone goes once it was in the log for `grace_ms`; offsets stay."""
        num, _, _, cleanup, *_ = self._topic_row(topic)
        upkeep = Upkeep(self.writing, topic, num, cleanup == "compact")
        horizon = (rows_of.now_ms() if now is None else now) - grace_ms
        total = Compaction(0, 0)
        for partition in self.ranges(topic):
            with errors_named(self.path), self._readers.borrow() as con:
                total += upkeep.partition(con, partition, horizon)
        return total

    def reclaim(self) -> None:
        """Finish deletions and give free pages back to the file system."""
        self.sweep()
        free = 1
        while free:
            with self._commit_lock, errors_named(self.path), self._turns.take():
                self._refuse_closed()
                self._writer.execute("PRAGMA incremental_vacuum(2000)").fetchall()
                free = int(self._writer.execute("PRAGMA freelist_count").fetchone()[0])
        with self._commit_lock, errors_named(self.path):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Release files and connections; later calls fail."""
        with self._commit_lock:
            if self._closed:
                return
            self._closed = True
            self._writer.close()
            self._turns.close()
        self._readers.close()

    # shared with the upkeep

    @contextlib.contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A write transaction, in turn with other processes; commits unless something is raised."""
        with self._commit_lock, errors_named(self.path):
            self._refuse_closed()
            with self._turns.take(), transaction(self._writer) as con:
                yield con
        self._tell()

    def _topic_row(self, name: str, con: sqlite3.Connection | None = None) -> tuple[Any, ...]:
        if con is None:
            with errors_named(self.path), self._readers.borrow() as own:
                return self._topic_row(name, own)
        found = con.execute(f"{_TOPIC} WHERE name = ?", (name,)).fetchone()
        if found is None:
            raise self._unknown(name)
        return found

    def _unknown(self, name: str) -> UnknownTopic:
        return UnknownTopic(
            f"there is no topic {name!r}",
            where=str(self.path),
            fix="`hanse log topics` lists them; a relay makes those that its domain declares",
        )

    def _refuse_closed(self) -> None:
        if self._closed:
            raise LogError("the event log is closed", where=str(self.path))

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


def _info(row: tuple[Any, ...]) -> TopicInfo:
    _, name, partitions, cleanup, retention_ms, retention_bytes, topic_id = row
    return TopicInfo(TopicSpec(name, partitions, cleanup, retention_ms, retention_bytes), topic_id)


def _ranges(con: sqlite3.Connection, num: int) -> dict[int, OffsetRange]:
    found = con.execute(
        "SELECT partition, low, high FROM partitions WHERE topic = ? ORDER BY partition", (num,)
    )
    return {partition: OffsetRange(low, high) for partition, low, high in found}


def _data_version(con: sqlite3.Connection) -> int:
    return int(con.execute("PRAGMA data_version").fetchone()[0])
