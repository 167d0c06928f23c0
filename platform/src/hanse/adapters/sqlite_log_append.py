"""Appending to the embedded log: what producers queue, and the commit that stores a group of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hanse.adapters.sqlite_log_storage import ROW_RECORDS, Row, encode, insert, pieces
from hanse.errors import LogError
from hanse.log.rows import now_ms

_EAGER = 1_000


class Stale(LogError):
    """The topic was deleted or made again between a producer's look and the commit."""


@dataclass(slots=True)
class Chunk:
    """A producer's rows for one partition; `places` are their rows in the call, `base` their offset.

    Large chunks are encoded by their producer's thread, small ones are merged by who commits.
    """

    partition: int
    rows: pa.RecordBatch
    places: npt.NDArray[np.int64]
    encoded: list[Row] | None = None
    base: int = -1

    @classmethod
    def of(cls, partition: int, rows: pa.RecordBatch, places: npt.NDArray[np.int64]) -> Chunk:
        """A chunk, encoded already when it is large."""
        encoded = [encode(piece) for piece in pieces(rows)] if rows.num_rows >= _EAGER else None
        return cls(partition, rows, places, encoded)


@dataclass(slots=True)
class Append:
    """One call to produce, waiting for its commit; `topic` is the topic's number."""

    topic: int
    chunks: list[Chunk]
    done: bool = False
    error: LogError | None = field(default=None)

    def finish(self, error: LogError | None) -> None:
        """Done; the producer raises `error` if there is one."""
        self.error = error
        self.done = True


Prepared = dict[int, dict[int, list[tuple[list[Chunk], list[Row]]]]]
"""By topic and partition: chunks, and the rows to store for them, in order."""


def prepare_group(group: list[Append]) -> Prepared:
    """Encode what is not yet, small neighbours of one partition merged into one row."""
    by_place: dict[int, dict[int, list[Chunk]]] = {}
    for append in group:
        append.error = None
        partitions = by_place.setdefault(append.topic, {})
        for chunk in append.chunks:
            partitions.setdefault(chunk.partition, []).append(chunk)
    return {
        topic: {p: list(_merged(chunks)) for p, chunks in partitions.items()}
        for topic, partitions in by_place.items()
    }


def _merged(chunks: list[Chunk]) -> Iterator[tuple[list[Chunk], list[Row]]]:
    small: list[Chunk] = []
    for chunk in chunks:
        if chunk.encoded is None and sum(c.rows.num_rows for c in small) < ROW_RECORDS:
            small.append(chunk)
            continue
        if small:
            yield small, _encode_merged(small)
        small = []
        if chunk.encoded is None:
            small = [chunk]
        else:
            yield [chunk], chunk.encoded
    if small:
        yield small, _encode_merged(small)


def _encode_merged(chunks: list[Chunk]) -> list[Row]:
    rows = chunks[0].rows
    if len(chunks) > 1:
        rows = pa.Table.from_batches([c.rows for c in chunks]).combine_chunks().to_batches()[0]
    return [encode(piece) for piece in pieces(rows)]


def store(con: sqlite3.Connection, group: list[Append], prepared: Prepared) -> None:
    """Give offsets and insert, inside a transaction; appends to a topic that is gone become `Stale`."""
    for topic, partitions in prepared.items():
        highs = dict(con.execute("SELECT partition, high FROM partitions WHERE topic = ?", (topic,)))
        if not highs:
            for append in group:
                if append.topic == topic:
                    append.error = Stale(
                        "the topic was deleted while producing", where=f"topic number {topic}"
                    )
            continue
        for partition, work in partitions.items():
            high = _store_partition(con, topic, partition, highs[partition], work)
            con.execute(
                "UPDATE partitions SET high = ? WHERE topic = ? AND partition = ?", (high, topic, partition)
            )


def _store_partition(
    con: sqlite3.Connection, topic: int, partition: int, high: int, work: list[tuple[list[Chunk], list[Row]]]
) -> int:
    now = now_ms()
    for chunks, rows in work:
        base = high
        for chunk in chunks:
            chunk.base = base
            base += chunk.rows.num_rows
        stored: list[tuple[int | bytes, ...]] = []
        for r in rows:
            last = high + r.count - 1
            place = (topic, partition, last, high, r.count)
            stored.append((*place, r.min_ts, r.max_ts, now, r.raw_size, r.crc, 0, r.data))
            high = last + 1
        insert(con, stored)
    return high
