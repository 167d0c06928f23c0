"""JSON values of a topic to Arrow columns: plain, in Confluent's frame, or inside a structured CloudEvent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hanse.errors import DecodeError, UnknownSchema
from hanse.ports.schema_registry import SchemaRegistry
from hanse.wire.cloudevents import data_of, structured
from hanse.wire.decoded import NO_VALUE, Decoded, Poison, by_place, merged
from hanse.wire.frame import MAGIC, Ints, Values, schema_ids, values_of
from hanse.wire.json.columns import cut
from hanse.wire.json.connect import payload_of, unwrapped
from hanse.wire.json.rows import load, read_value
from hanse.wire.json.types import JsonType, parse_json_schema


class JsonDecoder:
    """Reads JSON objects into the columns of a JSON Schema. A value in a frame must name a JSON schema.

    Keys that the schema does not name are passed over. Raises SchemaError for a schema without columns.
    `wrapped` values may be Kafka Connect's, with `schema` and `payload`: the schema describes the payload, and
    a null payload deletes what the record's key names.
    """

    def __init__(
        self,
        registry: SchemaRegistry | None,
        reader_schema: str | dict[str, Any] | JsonType,
        *,
        wrapped: bool = False,
    ) -> None:
        self.registry = registry
        known = isinstance(reader_schema, JsonType)
        self.reader = reader_schema if known else parse_json_schema(reader_schema)
        self.wrapped = wrapped
        self.schema = pa.schema([pa.field(n, t.arrow) for n, t in self.reader.fields.items()])
        self._known: dict[int, str] = {}

    def decode(self, rows: pa.Table) -> Decoded:
        """Decode the `value` column of rows shaped as `RECORDS`; a null value is poison here."""
        values = values_of(rows.column("value"))
        ids, framed = schema_ids(values)
        poison = [Poison(int(i), NO_VALUE) for i in np.flatnonzero(~values.valid)]
        for schema_id in np.unique(ids[framed]).tolist():
            if problem := self._problem(schema_id):
                which = np.flatnonzero(framed & (ids == schema_id))
                poison += [Poison(int(i), f"schema id {schema_id} cannot be used", problem) for i in which]
                values.valid[which] = False
        inside = structured(rows, len(framed)) & values.valid
        if self.wrapped:
            values = unwrapped(values)
        parts: list[tuple[pa.Table, Ints]] = []
        for skip, these in ((0, ~framed), (5, framed)):
            which = np.flatnonzero(these & values.valid & ~inside)
            parts += [
                (pa.table(c.columns, schema=self.schema), c.places)
                for c in cut(self.reader, values, which, skip)
            ]
        done = np.zeros(len(framed), dtype=bool)
        for _, places in parts:
            done[places] = True
        left = np.flatnonzero(values.valid & ~done)
        gone: list[int] = []
        if len(left):
            table, places, bad = self._by_row(values, left, framed, inside, gone)
            parts.append((table, places))
            poison += bad
        nothing = (self.schema.empty_table(), np.empty(0, dtype=np.int64))
        table, indices = merged([t for t, _ in parts], [p for _, p in parts]) if parts else nothing
        return Decoded(table, indices, by_place(poison), gone=np.array(gone, dtype=np.int64))

    def _problem(self, schema_id: int) -> str:
        """Why the schema id cannot be used; empty when it can."""
        if schema_id not in self._known:
            self._known[schema_id] = self._lookup(schema_id)
        return self._known[schema_id]

    def _lookup(self, schema_id: int) -> str:
        if self.registry is None:
            return "this topic has no schema registry"
        try:
            written = self.registry.by_id(schema_id)
        except UnknownSchema as error:
            return f"UnknownSchema: {error.what}"
        return (
            ""
            if written.schema_type == "JSON"
            else f"it is {written.schema_type}, this topic is read as JSON"
        )

    def _by_row(
        self, values: Values, which: Ints, framed: Any, inside: Any, gone: list[int]
    ) -> tuple[pa.Table, Ints, list[Poison]]:
        made: list[dict[str, Any]] = []
        places: list[int] = []
        poison: list[Poison] = []
        for row in which.tolist():
            try:
                document = load(values.bytes_at(row)[5 if framed[row] else 0 :])
                document = self._data(document) if inside[row] else document
                document = payload_of(document) if self.wrapped else document
                if document is None and self.wrapped:
                    gone.append(row)
                    continue
                made.append(read_value(self.reader, document))
            except DecodeError as error:
                poison.append(Poison(row, error.what, f"DecodeError: {error.what}"))
            else:
                places.append(row)
        arrays = [pa.array([m[f.name] for m in made], f.type) for f in self.schema]
        return pa.table(arrays, schema=self.schema), np.array(places, dtype=np.int64), poison

    def _data(self, event: Any) -> Any:
        """The document inside a structured event; binary data may have a frame of their own."""
        data = data_of(event)
        if not isinstance(data, bytes):
            return data
        if data[:1] != bytes([MAGIC]):
            return load(data)
        if problem := self._problem(int.from_bytes(data[1:5], "big")):
            raise DecodeError(problem)
        return load(data[5:])
