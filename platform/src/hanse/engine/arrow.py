"""The language's types as Arrow types, and Python rows as Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pyarrow as pa

from hanse.sql.types import Type

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_SIMPLE: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", tz="UTC"),
}


def arrow_type(kind: Type) -> pa.DataType:
    """The Arrow type that holds `kind`."""
    match kind.kind:
        case "DECIMAL":
            return pa.decimal128(kind.size or 38, kind.scale)
        case "ARRAY":
            return pa.list_(arrow_type(kind.items[0]))
        case "MAP":
            return pa.map_(arrow_type(kind.items[0]), arrow_type(kind.items[1]))
        case "MULTISET":
            return pa.map_(arrow_type(kind.items[0]), pa.int32())
        case "ROW":
            fields = zip(kind.names, kind.items, strict=True)
            return pa.struct([pa.field(name, arrow_type(item)) for name, item in fields])
        case _:
            return _SIMPLE[kind.kind]


def python_value(value: Any, kind: Type) -> Any:
    """A value as pyarrow wants it: from Python, or from JSON's spelling (ISO times, `{"$map": …}`, 0x bytes).

    Raises ValueError or TypeError for what is not of the type.
    """
    if value is None:
        return None
    match kind.kind:
        case "DECIMAL":
            return Decimal(str(value)).quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)
        case "STRING":
            return value if isinstance(value, str) else str(value)
        case "FLOAT" | "DOUBLE":
            return float(value)
        case "BYTES":
            return (
                bytes.fromhex(value[2:])
                if isinstance(value, str) and value.startswith("0x")
                else (value.encode() if isinstance(value, str) else bytes(value))
            )
        case "DATE":
            return date.fromisoformat(value) if isinstance(value, str) else value
        case "TIME":
            return time.fromisoformat(value) if isinstance(value, str) else value
        case "TIMESTAMP":
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        case "TIMESTAMP_LTZ":
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        case "ARRAY":
            return [python_value(item, kind.items[0]) for item in value]
        case "MAP" | "MULTISET":
            pairs = (
                value["$map"]
                if isinstance(value, Mapping) and "$map" in value
                else (list(value.items()) if isinstance(value, Mapping) else value)
            )
            item = kind.items[1] if kind.kind == "MAP" else Type("INT")
            return [(python_value(k, kind.items[0]), python_value(v, item)) for k, v in pairs]
        case "ROW":
            items = [value.get(name) for name in kind.names] if isinstance(value, Mapping) else list(value)
            return {n: python_value(v, t) for n, v, t in zip(kind.names, items, kind.items, strict=True)}
        case _:
            return value


def arrow_table(rows: Sequence[Any], columns: Sequence[tuple[str, Type]]) -> pa.Table:
    """An Arrow table of rows given as sequences (in column order) or as mappings by name."""
    arrays: list[pa.Array] = []
    for at, (name, kind) in enumerate(columns):
        values = [python_value(row.get(name) if isinstance(row, Mapping) else row[at], kind) for row in rows]
        arrays.append(pa.array(values, arrow_type(kind)))
    return pa.table(arrays, names=[name for name, _ in columns])
