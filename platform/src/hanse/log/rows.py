"""Records as Arrow, on their way into a log: the columns, their checks, and the split by partition."""

# pyarrow.compute makes its functions at import, unseen by type checkers
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hanse.errors import LogError
from hanse.log.partitioner import Int32s, partitions_of
from hanse.ports.event_log import RECORDS, Record

BODY = pa.schema([RECORDS.field(name) for name in ("timestamp", "key", "value", "headers")])
"""What a record carries apart from its place."""

MAX_RECORD_BYTES = 8 * 1024 * 1024
"""The largest key or value that a log takes."""

_HEADER = pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())])


def now_ms() -> int:
    """The time that a record without one gets: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def from_records(records: Sequence[Record]) -> tuple[pa.RecordBatch, Int32s]:
    """Rows shaped as `BODY`, and the partition asked for by each record (-1: by its key)."""
    now = now_ms()
    stamps = [now if r.timestamp_ms is None else r.timestamp_ms for r in records]
    arrays = [
        pa.array(stamps, pa.int64()).cast(BODY.field("timestamp").type),
        pa.array([r.key for r in records], pa.large_binary()),
        pa.array([r.value for r in records], pa.large_binary()),
        headers_array([r.headers for r in records]),
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=BODY)
    _check(batch)
    wanted = np.fromiter(
        (-1 if r.partition is None else r.partition for r in records), np.int32, count=len(records)
    )
    if any(r.partition is not None and r.partition < 0 for r in records):
        raise LogError("a record asks for a negative partition", got=str(wanted.min()))
    return batch, wanted


def headers_array(lists: Sequence[Sequence[tuple[str, bytes | None]] | None]) -> pa.Array[Any]:
    """The headers of each record, as the column `headers` of `RECORDS`; None is a record without."""
    kind = BODY.field("headers").type
    if lists.count(None) == len(lists):
        bounds = np.zeros(len(lists) + 1, dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(bounds), pa.array([], _HEADER), type=kind)
    lists = [headers or () for headers in lists]
    bounds = np.zeros(len(lists) + 1, dtype=np.int32)
    np.cumsum(np.fromiter(map(len, lists), np.int32, count=len(lists)), out=bounds[1:])
    flat = list(chain.from_iterable(chain.from_iterable(lists)))
    columns = [pa.array(flat[0::2], pa.string()), pa.array(flat[1::2], pa.binary())]
    entries = pa.StructArray.from_arrays(columns, fields=list(_HEADER))
    return pa.ListArray.from_arrays(pa.array(bounds), entries, type=kind)


def from_table(table: pa.Table) -> tuple[pa.RecordBatch, Int32s]:
    """The same for an Arrow table (see `EventLog.produce_table`). Raises LogError naming the column."""
    known = {"key", "value", "headers", "timestamp", "partition"}
    names = set(table.column_names)
    if not {"key", "value"} <= names or not names <= known or len(names) != table.num_columns:
        raise LogError(
            "the table to produce has other columns than a record",
            expected="key, value and perhaps headers, timestamp, partition, each once",
            got=", ".join(table.column_names),
        )
    rows = table.num_rows
    columns = {name: _one_chunk(table, name) for name in names - {"partition"}}
    empty = pa.array([[]], BODY.field("headers").type)
    columns.setdefault("headers", empty.take(pa.array(np.zeros(rows, dtype=np.int64))))
    stamp = pa.scalar(now_ms(), pa.int64()).cast(BODY.field("timestamp").type)
    if "timestamp" not in columns:
        columns["timestamp"] = pa.repeat(stamp, rows)
    columns["timestamp"] = pc.fill_null(columns["timestamp"], stamp)
    columns["headers"] = pc.coalesce(columns["headers"], empty[0])
    batch = pa.RecordBatch.from_arrays([columns[name] for name in BODY.names], schema=BODY)
    _check(batch)
    if "partition" not in names:
        return batch, np.full(rows, -1, dtype=np.int32)
    asked = table.column("partition").cast(pa.int32()).combine_chunks()
    if pc.any(pc.less(asked, 0)).as_py():
        raise LogError("a row asks for a negative partition", where="column partition")
    return batch, np.asarray(pc.fill_null(asked, -1).to_numpy(zero_copy_only=False), dtype=np.int32)


def _one_chunk(table: pa.Table, name: str) -> pa.Array[Any]:
    wanted = BODY.field(name).type
    try:
        column = table.column(name).cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LogError(
            "a column of the table to produce has another type",
            where=f"column {name}",
            expected=str(wanted),
            got=str(table.schema.field(name).type),
        ) from error
    chunk = column.combine_chunks()
    return chunk.combine_chunks() if isinstance(chunk, pa.ChunkedArray) else chunk


def _check(batch: pa.RecordBatch) -> None:
    """What no adapter can keep: Kafka's clients would change it without a word."""
    earliest = pc.min(batch.column("timestamp").cast(pa.int64())).as_py()
    if earliest is not None and earliest <= 0:
        raise LogError(
            "a record's timestamp is not after the start of 1970; nothing was stored",
            expected="milliseconds above 0",
            got=str(earliest),
        )
    names = pc.struct_field(pc.list_flatten(batch.column("headers")), "name")
    if names.null_count or pc.any(pc.match_substring(names, "\0")).as_py():
        raise LogError("a record's header has no name, or a NUL in it; nothing was stored")
    for name in ("key", "value"):
        longest = pc.max(pc.binary_length(batch.column(name))).as_py() or 0
        if longest > MAX_RECORD_BYTES:
            raise LogError(
                f"a record's {name} is too large for the log; nothing was stored",
                expected=f"at most {MAX_RECORD_BYTES:,} bytes",
                got=f"{longest:,} bytes",
                fix="store large objects elsewhere and send a reference",
            )


def place(batch: pa.RecordBatch, wanted: Int32s, partitions: int, topic: str) -> Int32s:
    """The partition of every row, -1 where the key is null. Raises LogError for one that is not there."""
    if len(wanted) and int(wanted.max()) >= partitions:
        raise LogError(
            "a record asks for a partition that the topic does not have",
            where=f"topic {topic}",
            expected=f"0 to {partitions - 1}",
            got=str(int(wanted.max())),
        )
    if len(wanted) and int(wanted.min()) >= 0:
        return wanted
    return np.where(wanted >= 0, wanted, partitions_of(batch.column("key"), partitions)).astype(np.int32)


def split(
    batch: pa.RecordBatch, targets: Int32s
) -> Iterator[tuple[int, pa.RecordBatch, npt.NDArray[np.int64]]]:
    """For each partition that gets rows: its number, its rows in order, their places in `batch`."""
    if len(targets) == 0:
        return
    if (targets == targets[0]).all():
        yield int(targets[0]), batch, np.arange(len(targets))
        return
    order = np.argsort(targets, kind="stable")
    arranged = batch.take(pa.array(order))
    numbers, starts = np.unique(targets[order], return_index=True)
    ends = [*starts[1:].tolist(), len(targets)]
    for number, start, end in zip(numbers.tolist(), starts.tolist(), ends, strict=True):
        yield number, arranged.slice(start, end - start), order[start:end]
