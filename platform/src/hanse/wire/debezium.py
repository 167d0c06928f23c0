"""Debezium's change events: `before`, `after` and `op` around a row, as rows of a changelog.

Format: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hanse.errors import SchemaError
from hanse.ports.schema_registry import SchemaRegistry, SchemaType
from hanse.wire.decoded import Decoded, Poison, ValueDecoder, by_place
from hanse.wire.decoder import Decoder
from hanse.wire.json.decoder import JsonDecoder
from hanse.wire.json.types import JsonType, parse_json_schema

PUTS = ("c", "r", "u")
"""Created, read by a snapshot, updated: the row is now `after`."""
TRUNCATED = "the table was truncated, which no key tells: rebuild the product from a new snapshot"
UNKNOWN = "the change event has an operation that changes no row, or lacks the row after it"


class DebeziumDecoder:
    """Reads change events whose rows are described by an Avro record or a JSON Schema.

    Raises SchemaError for another format, and as the decoders of those.
    """

    def __init__(
        self, registry: SchemaRegistry | None, row_schema: str, form: SchemaType, key: tuple[str, ...]
    ) -> None:
        self.key = key
        self._inner: ValueDecoder
        if form == "AVRO" and registry is not None:
            self._inner = Decoder(registry, avro_envelope(row_schema))
        elif form == "JSON":
            self._inner = JsonDecoder(registry, _json(row_schema, key), wrapped=True)
        else:
            raise SchemaError(f"change events cannot be read as {form}", expected="AVRO or JSON")
        row = self._inner.schema.field("after").type
        self.schema = pa.schema([row.field(i) for i in range(row.num_fields)])

    def decode(self, rows: pa.Table) -> Decoded:
        """Rows as they are after their change, and deletes with their key columns alone."""
        found = self._inner.decode(rows)
        if not found.table.num_rows:
            return replace(found, table=self.schema.empty_table())
        events = found.table.combine_chunks()
        ops, before, after = (events.column(name).chunk(0) for name in ("op", "before", "after"))
        put = _among(ops, PUTS) & _valid(after)
        delete = _among(ops, ("d",))
        known = delete & _valid(before)
        kept = put | known
        columns = [self._column(name, before, after, known) for name in self.schema.names]
        table = pa.table(columns, schema=self.schema).filter(pa.array(kept))
        other = np.flatnonzero(~put & ~delete)
        truncated = _among(ops, ("t",))
        poison = [
            Poison(int(found.indices[i]), TRUNCATED if truncated[i] else UNKNOWN, str(ops[int(i)]))
            for i in other
        ]
        gone = np.concatenate([found.gone, found.indices[delete & ~known]])
        return Decoded(
            table, found.indices[kept], by_place([*found.poison, *poison]), known[kept], np.sort(gone)
        )

    def _column(self, name: str, before: Any, after: Any, deleted: npt.NDArray[np.bool_]) -> pa.Array:
        made = pc.call_function("struct_field", [after], pc.StructFieldOptions([name]))
        if name not in self.key:
            return made
        old = pc.call_function("struct_field", [before], pc.StructFieldOptions([name]))
        return pc.call_function("if_else", [pa.array(deleted), old, made])


def _among(ops: pa.Array, wanted: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    options = pc.SetLookupOptions(pa.array(wanted))
    return pc.call_function("is_in", [ops], options).to_numpy(zero_copy_only=False)


def _valid(rows: pa.Array) -> npt.NDArray[np.bool_]:
    return rows.is_valid().to_numpy(zero_copy_only=False)


def avro_envelope(row_schema: str) -> dict[str, Any]:
    """The envelope as a reader's schema; the row is defined once and then named."""
    row: Any = json.loads(row_schema)
    if not isinstance(row, dict) or row.get("type") != "record":
        raise SchemaError("the rows of change events must be a record", got=str(row)[:60])
    space = row.get("namespace")
    name = row.get("name") if not space or "." in str(row.get("name")) else f"{space}.{row.get('name')}"
    fields = [
        {"name": "before", "type": ["null", row], "default": None},
        {"name": "after", "type": ["null", name], "default": None},
        {"name": "op", "type": "string"},
    ]
    return {"type": "record", "name": "Envelope", "fields": fields}


def _json(row_schema: str, key: tuple[str, ...]) -> JsonType:
    """The envelope as a type. Of `before` only the key is read: databases need not log the rest of a row."""
    row = parse_json_schema(row_schema)
    old = {name: kind for name, kind in row.fields.items() if name in key}
    fields = {
        "before": _record(old, nullable=True),
        "after": _record(row.fields, nullable=True),
        "op": JsonType("string", pa.string()),
    }
    return _record(fields, nullable=False)


def _record(fields: dict[str, JsonType], *, nullable: bool) -> JsonType:
    arrow = pa.struct([pa.field(name, kind.arrow) for name, kind in fields.items()])
    return JsonType("record", arrow, nullable=nullable, fields=fields)
