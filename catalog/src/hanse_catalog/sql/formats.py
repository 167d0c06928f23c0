"""Query results as JSON, CSV, Arrow stream and Parquet, written in the worker, piece by piece.

Each form tells the reader where it ends: JSON closes with `row_count` and `truncated`, an Arrow stream
ends in an empty batch whose metadata carries them, Parquet has them in its footer, and a CSV that was
cut ends in a line that says so. A response that breaks off before is not a complete one.
"""

# ruff: noqa: ARG002 - every writer is made and ended in the same way
from __future__ import annotations

import base64
import datetime as dt
import io
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

ROWS_KEY, TRUNCATED_KEY = "hanse.rows", "hanse.truncated"
MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


Pieces = list[Any]
"""Parts of the output in order: bytes, or buffers that need no copy."""


class Writer(Protocol):
    """Turns batches into bytes. `finish` gets the row count and whether rows were left out."""

    def start(self) -> Pieces: ...
    def batch(self, batch: pa.RecordBatch) -> Pieces: ...
    def finish(self, rows: int, truncated: bool) -> Pieces: ...


def size_of(pieces: Pieces) -> int:
    """Bytes in all."""
    return sum(len(memoryview(piece).cast("B")) for piece in pieces)


class _Sink(io.RawIOBase):
    """Collects what a library writes, to be taken in pieces."""

    def __init__(self) -> None:
        self._parts: Pieces = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        # an Arrow buffer lives as long as it is held; anything else may be used again by its writer
        piece = data if isinstance(data, (bytes, pa.Buffer)) else bytes(data)
        size = len(piece) if isinstance(piece, bytes) else piece.size
        self._parts.append(piece)
        self._at += size
        return size

    def tell(self) -> int:
        return self._at

    def take(self) -> Pieces:
        data, self._parts = self._parts, []
        return data


class JsonWriter:
    """One object: `columns`, `rows` (objects), `row_count`, `truncated`, and what the caller adds."""

    def __init__(self, schema: pa.Schema, columns: list[dict[str, str]], extra: dict[str, Any]) -> None:
        self._schema = schema
        self._names = unique([column["name"] for column in columns])
        self._columns = [{**column, "name": name} for column, name in zip(columns, self._names, strict=True)]
        self._extra = extra
        self._first = True

    def start(self) -> Pieces:
        return [b'{"columns":' + orjson.dumps(self._columns) + b',"rows":[']

    def batch(self, batch: pa.RecordBatch) -> Pieces:
        values = [plain_values(column) for column in batch.columns]
        rows = [dict(zip(self._names, row, strict=True)) for row in zip(*values, strict=True)]
        if not rows:
            return []
        text = orjson.dumps(rows, option=orjson.OPT_PASSTHROUGH_DATETIME)[1:-1]
        lead, self._first = (b"" if self._first else b","), False
        return [lead + text]

    def finish(self, rows: int, truncated: bool) -> Pieces:
        tail = {"row_count": rows, "truncated": truncated, **self._extra}
        return [b"]," + orjson.dumps(tail)[1:]]


class CsvWriter:
    """RFC 4180 with a header line. NULL is an empty field, an empty text is quoted."""

    def __init__(self, schema: pa.Schema, columns: list[dict[str, str]], extra: dict[str, Any]) -> None:
        self._names = [column["name"] for column in columns]
        self._sink = _Sink()

    def start(self) -> Pieces:
        return [(",".join('"' + name.replace('"', '""') + '"' for name in self._names) + "\n").encode()]

    def batch(self, batch: pa.RecordBatch) -> Pieces:
        columns = [_csv_column(column) for column in batch.columns]
        flat = pa.RecordBatch.from_arrays(columns, names=[str(i) for i in range(len(columns))])
        options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
        buffer = io.BytesIO()
        pacsv.write_csv(flat, buffer, options)
        return [buffer.getvalue()]

    def finish(self, rows: int, truncated: bool) -> Pieces:
        return [f"# truncated after {rows} rows\n".encode()] if truncated else []


class ArrowWriter:
    """An Arrow IPC stream. Its last batch is empty and carries `hanse.rows` and `hanse.truncated`."""

    def __init__(self, schema: pa.Schema, columns: list[dict[str, str]], extra: dict[str, Any]) -> None:
        self._sink = _Sink()
        self._schema = schema
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def start(self) -> Pieces:
        return self._sink.take()

    def batch(self, batch: pa.RecordBatch) -> Pieces:
        self._writer.write_batch(batch)
        return self._sink.take()

    def finish(self, rows: int, truncated: bool) -> Pieces:
        empty = pa.RecordBatch.from_pylist([], schema=self._schema)
        notes = {ROWS_KEY: str(rows), TRUNCATED_KEY: str(truncated).lower()}
        self._writer.write_batch(empty, custom_metadata=notes)
        self._writer.close()
        return self._sink.take()


class ParquetWriter:
    """A Parquet file, zstd, with `hanse.rows` and `hanse.truncated` in its footer."""

    def __init__(self, schema: pa.Schema, columns: list[dict[str, str]], extra: dict[str, Any]) -> None:
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, schema, compression="zstd")

    def start(self) -> Pieces:
        return []

    def batch(self, batch: pa.RecordBatch) -> Pieces:
        self._writer.write_batch(batch)
        return self._sink.take()

    def finish(self, rows: int, truncated: bool) -> Pieces:
        self._writer.add_key_value_metadata({ROWS_KEY: str(rows), TRUNCATED_KEY: str(truncated).lower()})
        self._writer.close()
        return self._sink.take()


WRITERS: dict[str, Callable[[pa.Schema, list[dict[str, str]], dict[str, Any]], Writer]] = {
    "json": JsonWriter,
    "csv": CsvWriter,
    "arrow": ArrowWriter,
    "parquet": ParquetWriter,
}


def unique(names: list[str]) -> list[str]:
    """The names with `_2`, `_3`… added where one stands again."""
    seen: set[str] = set()
    result: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate in seen:
            candidate, number = f"{name}_{number}", number + 1
        seen.add(candidate)
        result.append(candidate)
    return result


def plain_values(column: pa.Array) -> list[Any]:
    """Values for orjson: exact decimals as numbers, times as ISO 8601, bytes as base64."""
    kind = column.type
    if pa.types.is_temporal(kind):
        return _moments(column)
    values = column.to_pylist()
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return values
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values
    if pa.types.is_floating(kind):
        return [v if v is None or math.isfinite(v) else str(v) for v in values]
    return [plain(value) for value in values]


def _moments(column: pa.Array) -> list[str | None]:
    """Dates and times as ISO 8601; those that Python does not have (nanoseconds, year 20000) as Arrow writes them."""
    kind = column.type
    fine = (pa.types.is_timestamp(kind) or pa.types.is_time64(kind)) and kind.unit == "ns"
    if not fine and not pa.types.is_interval(kind):
        try:
            return [plain(value) for value in column.to_pylist()]
        except (OverflowError, ValueError):
            fine = True
    if not fine:
        return [plain(value) for value in column.to_pylist()]
    zone = ""
    if pa.types.is_timestamp(kind) and kind.tz:
        # the same instants without a zone: they count from 1970 in UTC
        naive = pa.timestamp(kind.unit)
        column = pa.Array.from_buffers(naive, len(column), column.buffers(), offset=column.offset)
        zone = "+00:00"
    texts = pc.cast(column, pa.string()).to_pylist()
    if any(text and text.startswith("<") for text in texts):
        raise ValueError("a date or time is infinite or out of range")
    return [text and text.replace(" ", "T") + zone for text in texts]


def plain(value: Any) -> Any:
    """One value for orjson; nested values are followed."""
    if value is None or isinstance(value, (bool, int, str)):
        return (
            value if not isinstance(value, int) or -(2**63) <= value < 2**64 else orjson.Fragment(str(value))
        )
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return _plain_list(value)
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    return _interval(value)


def _plain_list(values: list[Any]) -> Any:
    if values and all(isinstance(v, tuple) and len(v) == 2 for v in values):
        return {str(plain(key)): plain(item) for key, item in values}
    return [plain(item) for item in values]


def _interval(value: Any) -> Any:
    parts = getattr(value, "_asdict", None)
    return {k: v for k, v in parts().items() if v} if parts else str(value)


def _csv_column(column: pa.Array) -> pa.Array:
    kind = column.type
    simple = (
        pa.types.is_integer(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_date(kind)
        or pa.types.is_decimal(kind)
    )
    if simple:
        return column
    values = _moments(column) if pa.types.is_temporal(kind) else column.to_pylist()
    return pa.array([_csv_text(value) for value in values], pa.string())


def _csv_text(value: Any) -> str | None:
    if value is None:
        return None
    shown = plain(value)
    return shown if isinstance(shown, str) else orjson.dumps(shown).decode()


def take_rows(batches: Iterator[pa.RecordBatch], limit: int) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Batches up to `limit` rows; the last one says whether more would have come."""
    left = limit
    for batch in batches:
        if batch.num_rows > left:
            yield batch.slice(0, left), True
            return
        left -= batch.num_rows
        yield batch, False
