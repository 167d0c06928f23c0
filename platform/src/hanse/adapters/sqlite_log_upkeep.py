"""The embedded log's upkeep: what retention may drop, and compaction of batches in place."""

# pyarrow.compute makes its functions at import, unseen by type checkers
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hanse.adapters.sqlite_log_storage import ROW_BYTES, ROW_RECORDS, SPARSE, Row, decode, encode, insert
from hanse.log.rows import BODY
from hanse.ports.event_log import TopicSpec

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Compaction:
    """Records before and after."""

    before: int
    after: int

    def __add__(self, other: Compaction) -> Compaction:
        return Compaction(self.before + other.before, self.after + other.after)


def expired(con: sqlite3.Connection, num: int, partition: int, spec: TopicSpec, now: int) -> int:
    """The offset below which the partition's retention has passed; see `SqliteLog.expired`."""
    place = (num, partition)
    cut = int(
        con.execute("SELECT low FROM partitions WHERE topic = ? AND partition = ?", place).fetchone()[0]
    )
    if spec.retention_ms is None and spec.retention_bytes is None:
        return cut
    excess = -1
    if spec.retention_bytes is not None:
        total = con.execute(
            "SELECT sum(length(data)) FROM batches WHERE topic = ? AND partition = ?", place
        ).fetchone()[0]
        excess = (total or 0) - spec.retention_bytes
    oldest = -1 if spec.retention_ms is None else now - spec.retention_ms
    for last, max_ts, size in con.execute(
        "SELECT last, max_ts, length(data) FROM batches WHERE topic = ? AND partition = ? ORDER BY last",
        place,
    ):
        if excess <= 0 and max_ts >= oldest:
            break
        cut = last + 1
        excess -= size
    return cut


@dataclass(slots=True)
class _Batch:
    """A stored batch as `SPARSE`, with its row id."""

    id: int
    appended: int
    rows: pa.RecordBatch
    whole: bool = True


class Upkeep:
    """Compacts the partitions of one topic."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
        topic: str,
        num: int,
        by_key: bool,
    ) -> None:
        self._writing = writing
        self._topic, self._num, self._by_key = topic, num, by_key

    def partition(self, con: sqlite3.Connection, partition: int, horizon: int) -> Compaction:
        """Compact one partition; tombstones appended before `horizon` (milliseconds) go."""
        ids = [
            row[0]
            for row in con.execute(
                "SELECT id FROM batches WHERE topic = ? AND partition = ? ORDER BY last",
                (self._num, partition),
            )
        ]
        keep = self._survivors(con, ids, horizon) if self._by_key else None
        before = after = 0
        run: list[_Batch] = []
        for batch in self._batches(con, ids):
            before += batch.rows.num_rows
            if keep is not None:
                batch = _filtered(batch, keep)  # noqa: PLW2901
            after += batch.rows.num_rows
            if run and _is_full([*run, batch]):
                self._replace(partition, run)
                run = []
            run.append(batch)
        self._replace(partition, run)
        return Compaction(before, after)

    def _batches(self, con: sqlite3.Connection, ids: list[int]) -> Iterator[_Batch]:
        """One short read a batch, so that no reader pins the write-ahead log."""
        for row_id in ids:
            found = con.execute(
                "SELECT base, last, appended_ms, raw_size, crc, sparse, data FROM batches WHERE id = ?",
                (row_id,),
            ).fetchone()
            if found is None:
                continue
            base, last, appended, raw_size, crc, sparse, data = found
            body = decode(data, raw_size, crc, sparse, f"topic {self._topic}, offsets {base} to {last}")
            if not sparse:
                offsets = pa.array(np.arange(base, base + body.num_rows))
                body = pa.RecordBatch.from_arrays([offsets, *body.columns], schema=SPARSE)
            yield _Batch(row_id, appended, body)

    def _survivors(self, con: sqlite3.Connection, ids: list[int], horizon: int) -> Offsets:
        """Offsets of the latest record of every key, without tombstones whose grace is over."""
        parts: list[pa.Table] = []
        for batch in self._batches(con, ids):
            gone = pc.is_null(batch.rows.column("value")) if batch.appended < horizon else None
            dead = pa.array(np.zeros(batch.rows.num_rows, dtype=bool)) if gone is None else gone
            parts.append(pa.table({"key": batch.rows["key"], "offset": batch.rows["offset"], "dead": dead}))
        if not parts:
            return np.empty(0, dtype=np.int64)
        every = pa.concat_tables(parts)
        latest = np.sort(every.group_by("key").aggregate([("offset", "max")]).column("offset_max").to_numpy())
        dead_offsets = every.filter(every.column("dead")).column("offset").to_numpy()
        return latest[~_within(latest, dead_offsets)]

    def _replace(self, partition: int, run: list[_Batch]) -> None:
        """Store a run of batches as one; a single untouched batch stays as it is."""
        if not run or (len(run) == 1 and run[0].whole):
            return
        rows = pa.Table.from_batches([b.rows for b in run], schema=SPARSE).combine_chunks()
        stored = self._row(partition, rows.to_batches()[0], run) if rows.num_rows else None
        marks = ", ".join("?" * len(run))
        with self._writing() as con:
            ids = [b.id for b in run]
            there = con.execute(f"SELECT count(*) FROM batches WHERE id IN ({marks})", ids).fetchone()[0]  # noqa: S608
            if there != len(run):
                return  # trimmed or deleted meanwhile: the next compaction sees what is left
            con.execute(f"DELETE FROM batches WHERE id IN ({marks})", ids)  # noqa: S608
            if stored is not None:
                insert(con, [stored])

    def _row(self, partition: int, rows: pa.RecordBatch, run: list[_Batch]) -> tuple[Any, ...]:
        offsets = rows.column("offset").to_numpy()
        base, last = int(offsets[0]), int(offsets[-1])
        sparse = last - base + 1 != len(offsets)
        r: Row = encode(rows if sparse else rows.select(BODY.names))
        place = (self._num, partition, last, base, r.count)
        return (
            *place,
            r.min_ts,
            r.max_ts,
            max(b.appended for b in run),
            r.raw_size,
            r.crc,
            int(sparse),
            r.data,
        )


def _filtered(batch: _Batch, keep: Offsets) -> _Batch:
    offsets = batch.rows.column("offset").to_numpy()
    stays = _within(offsets, keep)
    if stays.all():
        return batch
    return _Batch(batch.id, batch.appended, batch.rows.filter(pa.array(stays)), whole=False)


def _within(offsets: Offsets, sorted_offsets: Offsets) -> npt.NDArray[np.bool_]:
    """For each offset, whether it is among the sorted ones."""
    if len(sorted_offsets) == 0:
        return np.zeros(len(offsets), dtype=bool)
    at = np.minimum(np.searchsorted(sorted_offsets, offsets), len(sorted_offsets) - 1)
    return sorted_offsets[at] == offsets


def _is_full(run: list[_Batch]) -> bool:
    return (
        sum(b.rows.num_rows for b in run) > ROW_RECORDS
        or sum(b.rows.nbytes for b in run) > ROW_BYTES
        or len(run) > 500
    )
