"""Records for human eyes and for JSON: keys, headers, and values decoded where a schema is known."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from hanse.errors import SchemaError
from hanse.ports.event_log import EventLog
from hanse.ports.schema_registry import SchemaRegistry

CIPHERTEXT = "enc:v1:"
SEALED = "(personal, encrypted)"
_FRAME = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A record to show. `value` is decoded, or text, or base 16 of bytes; `note` says which and why."""

    partition: int
    offset: int
    timestamp: datetime
    key: str | None
    value: Any
    note: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def as_dict(self) -> dict[str, Any]:
        """For JSON; only what JSON knows."""
        return {
            "partition": self.partition,
            "offset": self.offset,
            "timestamp": self.timestamp.isoformat(),
            "key": self.key,
            "value": self.value,
            **({"note": self.note} if self.note else {}),
            "headers": self.headers,
        }


class Viewer:
    """Turns rows of a log into `Shown`; asks the registry once per schema."""

    def __init__(self, registry: Callable[[], SchemaRegistry]) -> None:
        self._registry = registry
        self._schemas: dict[int, Callable[[bytes], Any] | str] = {}

    def show(self, row: dict[str, Any]) -> Shown:
        """One row of `RECORDS`, from `Table.to_pylist()`."""
        value, note = self._value(row["value"])
        return Shown(
            row["partition"],
            row["offset"],
            row["timestamp"],
            None if row["key"] is None else text_of(row["key"]),
            value,
            note,
            {h["name"]: text_of(h["value"] or b"") for h in row["headers"] or []},
        )

    def _value(self, value: bytes | None) -> tuple[Any, str]:
        if value is None:
            return None, "tombstone"
        if len(value) >= _FRAME and value[0] == 0:
            schema_id = int.from_bytes(value[1:_FRAME], "big")
            if schema_id not in self._schemas:
                self._schemas[schema_id] = self._reader(schema_id)
            reader = self._schemas[schema_id]
            if isinstance(reader, str):
                return value.hex(), reader
            try:
                return plain(reader(value[_FRAME:])), ""
            except (ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError) as error:
                return value.hex(), f"does not match schema {schema_id}: {error or type(error).__name__}"
        return _unframed(value)

    def _reader(self, schema_id: int) -> Callable[[bytes], Any] | str:
        try:
            found = self._registry().by_id(schema_id)
        except SchemaError as error:
            return error.what
        if found.schema_type == "JSON":
            return json.loads
        if found.schema_type != "AVRO":
            return f"{found.schema_type} schema {schema_id}"
        import fastavro

        schema = fastavro.parse_schema(json.loads(found.schema))

        def read(datum: bytes) -> Any:
            source = io.BytesIO(datum)
            decoded = fastavro.schemaless_reader(source, schema, None)
            if source.tell() != len(datum):
                raise ValueError(f"{len(datum) - source.tell()} bytes are left over")
            return decoded

        return read


def _unframed(value: bytes) -> tuple[Any, str]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex(), "bytes"
    try:
        return plain(json.loads(text)), ""
    except ValueError:
        return text, ""


def text_of(data: bytes) -> str:
    """UTF-8 text, else base 16 after `0x`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def plain(value: Any) -> Any:
    """What JSON knows, personal ciphertext replaced by a word."""
    if isinstance(value, str):
        return SEALED if value.startswith(CIPHERTEXT) else value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in cast(dict[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in cast(list[Any], value)]
    if isinstance(value, bytes):
        return text_of(value)
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def last_records(log: EventLog, topic: str, count: int) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The newest `count` rows over all partitions by time, and the offsets to follow from."""
    ranges = log.ranges(topic)
    ends = {p: r.high for p, r in ranges.items()}
    back = max(count, 1)
    while True:
        offsets = {p: max(r.low, r.high - back) for p, r in ranges.items()}
        rows = read_until(log, topic, offsets, ends)
        if len(rows) >= count or all(offsets[p] == r.low for p, r in ranges.items()):
            break
        back *= 8
    rows.sort(key=lambda r: (r["timestamp"], r["partition"], r["offset"]))
    return rows[len(rows) - min(count, len(rows)) :], ends


def read_until(
    log: EventLog, topic: str, offsets: dict[int, int], ends: dict[int, int]
) -> list[dict[str, Any]]:
    """All rows from the offsets to below the ends."""
    rows: list[dict[str, Any]] = []
    while any(offsets[p] < end for p, end in ends.items()):
        fetched = log.read(topic, offsets, timeout_ms=5_000)
        if fetched.next_offsets == offsets:
            break
        rows += [r for r in fetched.rows.to_pylist() if r["offset"] < ends[r["partition"]]]
        offsets = fetched.next_offsets
    return rows
