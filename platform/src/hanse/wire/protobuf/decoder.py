"""Protobuf values of a topic to Arrow columns: in Confluent's frame with message indexes.

Fields are known by number, so the reader's message reads what any writer's version of it wrote; the writer's
schema says which message of its file a value is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hanse.errors import DecodeError, SchemaError, UnknownSchema
from hanse.ports.schema_registry import SchemaRegistry
from hanse.wire.cloudevents import framed_values
from hanse.wire.decoded import Decoded, Poison, by_place, merged, named
from hanse.wire.frame import Ints, Values
from hanse.wire.protobuf.columns import Messages
from hanse.wire.protobuf.rows import read_message
from hanse.wire.protobuf.types import columns_of_message, load_message, message_class, path_of
from hanse.wire.references import referenced

BAD_INDEXES = "the message indexes are malformed"
NO_SUCH_MESSAGE = "the message indexes lead to no message of the writer's schema"
OTHER_MESSAGE = "the value is another message than the reader's"
MAX_INDEXES = 32


class ProtobufDecoder:
    """Reads framed Protobuf into the columns of the first message of a .proto file.

    Raises SchemaError when the file has no message, or a recursive one.
    """

    def __init__(self, registry: SchemaRegistry | None, reader_schema: str) -> None:
        self.registry = registry
        message = load_message(reader_schema)
        self.name = path_of(message)
        self.columns = columns_of_message(message)
        self.schema = pa.schema([pa.field(c.name, c.arrow) for c in self.columns])
        self._class = message_class(message)
        self._writers: dict[int, Any] = {}

    def decode(self, rows: pa.Table) -> Decoded:
        """Decode the `value` column of rows shaped as `RECORDS`; a null value is poison here."""
        values, ids, framed, poison = framed_values(rows)
        raw = np.frombuffer(values.data, dtype=np.uint8)
        parts: list[tuple[pa.Table, Ints]] = []
        for schema_id in np.unique(ids[framed]).tolist():
            which = np.flatnonzero(framed & (ids == schema_id))
            # nearly always one zero byte: the first message of the file
            first = (values.ends[which] > values.starts[which] + 5) & (raw[values.starts[which] + 5] == 0)
            parts += self._first(values, which[first], schema_id, poison)
            parts += self._others(values, which[~first], schema_id, poison)
        parts = [(t, p) for t, p in parts if len(p)]
        if not parts:
            return Decoded(self.schema.empty_table(), np.empty(0, dtype=np.int64), by_place(poison))
        table, indices = merged([t for t, _ in parts], [p for _, p in parts])
        return Decoded(table, indices, by_place(poison))

    def _first(
        self, values: Values, which: Ints, schema_id: int, poison: list[Poison]
    ) -> list[tuple[pa.Table, Ints]]:
        if not len(which):
            return []
        try:
            self._check(schema_id, [0])
        except DecodeError as error:
            poison += [Poison(int(i), error.what, named(error)) for i in which]
            return []
        messages = Messages(values.data, values.starts[which] + 6, values.ends[which])
        table = pa.table(messages.read_messages(self.columns), schema=self.schema)
        good = messages.errors == 0
        if good.all():
            return [(table, which)]
        skips = np.full(int((~good).sum()), 6)
        left = self._by_row(values, which[~good], skips, poison)
        return [(table.filter(pa.array(good)), which[good]), left]

    def _others(
        self, values: Values, which: Ints, schema_id: int, poison: list[Poison]
    ) -> list[tuple[pa.Table, Ints]]:
        """Values whose message indexes are written out."""
        fine: list[int] = []
        skips: list[int] = []
        for row in which.tolist():
            try:
                indexes, size = _indexes(values.bytes_at(row)[5:])
                self._check(schema_id, indexes)
            except DecodeError as error:
                poison.append(Poison(row, error.what, named(error)))
            else:
                fine.append(row)
                skips.append(5 + size)
        return [self._by_row(values, np.array(fine, dtype=np.int64), np.array(skips), poison)]

    def _by_row(self, values: Values, which: Ints, skips: Any, poison: list[Poison]) -> tuple[pa.Table, Ints]:
        made: list[dict[str, Any]] = []
        places: list[int] = []
        for row, skip in zip(which.tolist(), skips.tolist(), strict=True):
            try:
                made.append(read_message(self._class, self.columns, values.bytes_at(row)[skip:]))
            except DecodeError as error:
                poison.append(Poison(row, error.what, named(error)))
            else:
                places.append(row)
        arrays = [pa.array([m[f.name] for m in made], f.type) for f in self.schema]
        return pa.table(arrays, schema=self.schema), np.array(places, dtype=np.int64)

    def _check(self, schema_id: int, indexes: list[int]) -> None:
        """Raises DecodeError unless the indexes lead to the reader's message in the writer's schema."""
        if schema_id not in self._writers:
            self._writers[schema_id] = self._writer(schema_id)
        found = self._writers[schema_id]
        if isinstance(found, str):
            raise DecodeError(f"schema id {schema_id} cannot be used: {found}")
        messages = list(found.message_types_by_name.values())
        message = None
        for index in indexes:
            if not 0 <= index < len(messages):
                raise DecodeError(NO_SUCH_MESSAGE)
            message = messages[index]
            messages = list(message.nested_types)
        if message is None or path_of(message) != self.name:
            raise DecodeError(OTHER_MESSAGE)

    def _writer(self, schema_id: int) -> Any:
        """The writer's file, or why it cannot be used. An outage of the registry passes through."""
        if self.registry is None:
            return "this topic has no schema registry"
        try:
            written = self.registry.by_id(schema_id)
        except UnknownSchema as error:
            return error.what
        if written.schema_type != "PROTOBUF":
            return f"it is {written.schema_type}, this topic is read as PROTOBUF"
        try:
            imports = referenced(self.registry, written) if written.references else {}
        except DecodeError as error:
            return error.what
        try:
            return load_message(written.schema, imports).file
        except SchemaError as error:
            return error.what


def _indexes(data: bytes) -> tuple[list[int], int]:
    """The message indexes at the start and their size in bytes. Raises DecodeError."""
    count, at = _varint(data, 0)
    if not 0 <= count <= MAX_INDEXES:
        raise DecodeError(BAD_INDEXES)
    found: list[int] = []
    for _ in range(count):
        value, at = _varint(data, at)
        found.append(value)
    return found or [0], at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise DecodeError(BAD_INDEXES)
