"""What an Avro type is in Arrow, and in the projection language.

Timestamps are UTC without a zone, as Flink maps them by default: TIMESTAMP(3) or (6). A union of
several types is a struct with one nullable field a branch, named after the branch's type.
"""

from __future__ import annotations

import pyarrow as pa

from hanse.errors import SchemaError
from hanse.wire.avro.schema import MAX_TYPES, AvroType

_PLAIN: dict[str, tuple[pa.DataType, str]] = {
    "null": (pa.null(), "STRING"),
    "boolean": (pa.bool_(), "BOOLEAN"),
    "int": (pa.int32(), "INT"),
    "long": (pa.int64(), "BIGINT"),
    "float": (pa.float32(), "FLOAT"),
    "double": (pa.float64(), "DOUBLE"),
    "bytes": (pa.binary(), "BYTES"),
    "string": (pa.string(), "STRING"),
    "enum": (pa.string(), "STRING"),
}
_LOGICAL: dict[str, tuple[pa.DataType, str]] = {
    "date": (pa.date32(), "DATE"),
    "time-millis": (pa.time32("ms"), "TIME(3)"),
    "time-micros": (pa.time64("us"), "TIME(6)"),
    "timestamp-millis": (pa.timestamp("ms"), "TIMESTAMP(3)"),
    "timestamp-micros": (pa.timestamp("us"), "TIMESTAMP(6)"),
    "timestamp-nanos": (pa.timestamp("ns"), "TIMESTAMP(9)"),
    "local-timestamp-millis": (pa.timestamp("ms"), "TIMESTAMP(3)"),
    "local-timestamp-micros": (pa.timestamp("us"), "TIMESTAMP(6)"),
    "local-timestamp-nanos": (pa.timestamp("ns"), "TIMESTAMP(9)"),
    "uuid": (pa.string(), "STRING"),
    "duration": (pa.month_day_nano_interval(), "INTERVAL MONTH"),
}


def optional(kind: AvroType) -> AvroType | None:
    """The one non-null branch of a union such as `["null", "string"]`, None for other types."""
    if kind.kind != "union":
        return None
    rest = [b for b in kind.branches if b.kind != "null"]
    return rest[0] if len(rest) == 1 else None


def branch_names(kind: AvroType) -> list[str]:
    """Field names of the struct that stands for a union of several types."""
    rest = [b for b in kind.branches if b.kind != "null"]
    short = [b.short_name for b in rest]
    return [s if short.count(s) == 1 else (b.name or s) for s, b in zip(short, rest, strict=True)]


def arrow_type(kind: AvroType) -> pa.DataType:
    """The Arrow type of its values. Raises SchemaError for a recursive type, which has none."""
    return _Typing().of(kind, ())


class _Typing:
    """One expansion of a type: named types may be used often, so their number is bounded here."""

    def __init__(self) -> None:
        self.left = MAX_TYPES

    def of(self, kind: AvroType, above: tuple[int, ...]) -> pa.DataType:
        self.left -= 1
        if self.left < 0:
            raise SchemaError("the type has too many parts", expected=f"at most {MAX_TYPES}")
        if kind.logical == "decimal":
            wide = kind.precision > 38
            return (pa.decimal256 if wide else pa.decimal128)(kind.precision, kind.scale)
        if kind.logical is not None:
            return _LOGICAL[kind.logical][0]
        if kind.kind in _PLAIN:
            return _PLAIN[kind.kind][0]
        if kind.kind == "fixed":
            return pa.binary(kind.size)
        if id(kind) in above:
            raise SchemaError(
                f"the recursive type {kind.name!r} cannot be a column",
                expected="a type of bounded depth",
                fix="leave the field out of the reader's schema, or publish it flattened",
            )
        return self._nested(kind, (*above, id(kind)))

    def _nested(self, kind: AvroType, above: tuple[int, ...]) -> pa.DataType:
        if kind.kind == "record":
            return pa.struct([pa.field(f.name, self.of(f.type, above)) for f in kind.fields])
        if kind.kind == "array":
            return pa.list_(self.of(kind.element, above))
        if kind.kind == "map":
            return pa.map_(pa.string(), self.of(kind.element, above))
        only = optional(kind)
        if only is not None:
            return self.of(only, above)
        rest = [b for b in kind.branches if b.kind != "null"]
        if not rest:
            return pa.null()
        names = branch_names(kind)
        return pa.struct([pa.field(n, self.of(b, above)) for n, b in zip(names, rest, strict=True)])


def arrow_schema(record: AvroType) -> pa.Schema:
    """The columns of a record. Raises SchemaError when the schema is no record, or recursive."""
    if record.kind != "record":
        raise SchemaError(
            "a topic's schema must be a record", expected="record", got=record.name or record.kind
        )
    return pa.schema([pa.field(f.name, arrow_type(f.type)) for f in record.fields])


def sql_of_arrow(kind: pa.DataType) -> str:
    """The SQL type of an Arrow type that `arrow_type` gives."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_fixed_size_binary(kind):
        return f"BINARY({kind.byte_width})"
    if pa.types.is_map(kind):
        return f"MAP<STRING, {sql_of_arrow(kind.item_type)}>"
    if pa.types.is_list(kind):
        return f"ARRAY<{sql_of_arrow(kind.value_type)}>"
    if pa.types.is_struct(kind):
        fields = (kind.field(i) for i in range(kind.num_fields))
        return "ROW<" + ", ".join(f"`{f.name}` {sql_of_arrow(f.type)}" for f in fields) + ">"
    for arrow, sql in (*_PLAIN.values(), *_LOGICAL.values()):
        if arrow.equals(kind):
            return sql
    raise SchemaError(f"the Arrow type {kind} has no type in SQL")


def nullable(kind: AvroType) -> bool:
    """Whether a value may be null."""
    return kind.kind == "null" or (kind.kind == "union" and any(b.kind == "null" for b in kind.branches))
