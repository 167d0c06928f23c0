"""Reading the embedded log: one cursor a partition, whole batches into Arrow, no Python per record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from hanse.adapters.sqlite_log_storage import decode
from hanse.log.checks import check_offset
from hanse.log.rows import BODY
from hanse.ports.event_log import RECORDS, OffsetRange

MAX_BYTES = 64 * 1024 * 1024
"""What one read brings at most, in uncompressed bytes (one batch more at the end)."""

_COLUMNS = "id, base, last, raw_size, crc, sparse, data"


class Cursor:
    """Goes through a partition from an offset, inside the caller's transaction."""

    def __init__(self, con: sqlite3.Connection, place: tuple[str, int, int], offset: int, high: int) -> None:
        self.topic, self._num, self.partition = place
        self.next_offset = offset
        self.done = False
        self._con = con
        self._high = high
        self._rows = self._select(offset)
        self._ahead: pa.RecordBatch | None = None

    @classmethod
    def open(
        cls,
        con: sqlite3.Connection,
        topic: str,
        num: int,
        partition: int,
        offset: int,
        ranges: Mapping[int, OffsetRange],
    ) -> Cursor:
        """A cursor at the offset. Raises HistoryLost outside the range."""
        check_offset(topic, partition, offset, ranges)
        return cls(con, (topic, num, partition), offset, ranges[partition].high)

    def _select(self, offset: int) -> Iterator[tuple[Any, ...]]:
        return self._con.execute(
            f"SELECT {_COLUMNS} FROM batches WHERE topic = ? AND partition = ? AND last >= ? ORDER BY last",  # noqa: S608
            (self._num, self.partition, offset),
        )

    def _next(self) -> pa.RecordBatch | None:
        """The next batch as `RECORDS`, from `next_offset` on; None at the end."""
        if self._ahead is not None:
            batch, self._ahead = self._ahead, None
            return batch
        found = next(self._rows, None)
        if found is None:
            self.next_offset, self.done = self._high, True
            return None
        return _from(self._shaped(found), self.next_offset)

    def _shaped(self, row: tuple[Any, ...]) -> pa.RecordBatch:
        _, base, last, raw_size, crc, sparse, data = row
        where = f"topic {self.topic}, partition {self.partition}, offsets {base} to {last}"
        body = decode(data, raw_size, crc, sparse, where)
        count = body.num_rows
        offsets = body.column("offset") if sparse else pa.array(np.arange(base, base + count))
        partition = pa.array(np.full(count, self.partition, dtype=np.int32))
        columns = [body.column(name) for name in BODY.names]
        return pa.RecordBatch.from_arrays([partition, offsets, *columns], schema=RECORDS)

    def take(self, rows: int, size: int) -> list[pa.RecordBatch]:
        """Batches of up to `rows` rows, stopping once they hold `size` bytes."""
        taken: list[pa.RecordBatch] = []
        while rows > 0 and size > 0:
            batch = self._next()
            if batch is None:
                break
            if batch.num_rows > rows:
                self._ahead, batch = batch.slice(rows), batch.slice(0, rows)
            taken.append(batch)
            rows -= batch.num_rows
            size -= batch.nbytes
            self.next_offset = int(batch.column("offset")[-1].as_py()) + 1
        return taken

    def first_at(self, timestamp_ms: int) -> int:
        """The first offset from here whose timestamp is at or after the moment, else the end."""
        found = self._con.execute(
            f"SELECT {_COLUMNS} FROM batches WHERE topic = ? AND partition = ? AND last >= ? AND max_ts >= ?"  # noqa: S608
            " ORDER BY last",
            (self._num, self.partition, self.next_offset, timestamp_ms),
        )
        for row in found:
            batch = _from(self._shaped(row), self.next_offset)
            stamps = np.asarray(batch.column("timestamp").cast(pa.int64()).to_numpy())
            hits = np.flatnonzero(stamps >= timestamp_ms)
            if len(hits):
                return int(batch.column("offset")[int(hits[0])].as_py())
        return self._high


def _from(batch: pa.RecordBatch, offset: int) -> pa.RecordBatch:
    offsets = batch.column("offset").to_numpy()
    return batch.slice(int(np.searchsorted(offsets, offset)))


def gather(cursors: list[Cursor], max_records: int) -> list[pa.RecordBatch]:
    """Up to `max_records` rows in equal shares; what a partition does not need goes to the others."""
    batches: list[pa.RecordBatch] = []
    rows, size = max_records, MAX_BYTES
    active = cursors
    while active and rows > 0 and size > 0:
        share, weight = max(1, rows // len(active)), max(1, size // len(active))
        for cursor in active:
            taken = cursor.take(min(share, rows), weight)
            batches += taken
            rows -= sum(b.num_rows for b in taken)
            size -= sum(b.nbytes for b in taken)
        active = [c for c in active if not c.done]
    return batches
