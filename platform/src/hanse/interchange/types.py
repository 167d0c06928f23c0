"""Types of other formats in the words of a contract, those of Flink SQL. What has none is refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hanse.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

_SQL = {
    "BOOLEAN": "BOOLEAN", "TINYINT": "INT", "SMALLINT": "INT", "INT": "INT", "MEDIUMINT": "INT", "BIGINT": "BIGINT",
    "FLOAT": "FLOAT", "DOUBLE": "DOUBLE", "DATE": "DATE", "TIME": "TIME", "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP", "TIMESTAMPNTZ": "TIMESTAMP", "TIMESTAMPTZ": "TIMESTAMP_LTZ",
    "TIMESTAMPLTZ": "TIMESTAMP_LTZ", "BINARY": "BYTES", "VARBINARY": "BYTES", "BLOB": "BYTES", "UUID": "STRING",
    "CHAR": "STRING", "NCHAR": "STRING", "VARCHAR": "STRING", "NVARCHAR": "STRING", "TEXT": "STRING",
    "JSON": "STRING", "JSONB": "STRING", "UTINYINT": "INT", "USMALLINT": "INT", "UINT": "BIGINT",
}  # fmt: skip


def row_of(fields: Iterable[tuple[str, str]]) -> str:
    """A ROW of fields with a name and a type each."""
    return f"ROW<{', '.join(f'`{name}` {kind}' for name, kind in fields)}>"


def flink_of_arrow(kind: pa.DataType, name: str) -> str:
    """The type of an Arrow column; `name` is told when it has none. Raises ConfigError."""
    import pyarrow as pa

    t = pa.types
    for holds, flink in (
        (t.is_boolean, "BOOLEAN"), (t.is_string, "STRING"), (t.is_large_string, "STRING"), (t.is_date, "DATE"),
        (t.is_time, "TIME"), (t.is_float16, "FLOAT"), (t.is_float32, "FLOAT"), (t.is_float64, "DOUBLE"),
        (t.is_uint64, "DECIMAL(20, 0)"), (t.is_int64, "BIGINT"), (t.is_uint32, "BIGINT"), (t.is_integer, "INT"),
        (t.is_binary, "BYTES"), (t.is_large_binary, "BYTES"), (t.is_fixed_size_binary, "BYTES"),
    ):  # fmt: skip
        if holds(kind):
            return flink
    if t.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if t.is_timestamp(kind):
        return "TIMESTAMP_LTZ(6)" if kind.tz else "TIMESTAMP(6)"
    if t.is_dictionary(kind):
        return flink_of_arrow(kind.value_type, name)
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return f"ARRAY<{flink_of_arrow(kind.value_type, f'{name}[]')}>"
    if t.is_map(kind):
        inner = (flink_of_arrow(k, name) for k in (kind.key_type, kind.item_type))
        return f"MAP<{', '.join(inner)}>"
    if t.is_struct(kind):
        return row_of((f.name, flink_of_arrow(f.type, f"{name}.{f.name}")) for f in kind)
    raise _unknown(name, str(kind))


def flink_of_sql(column: exp.ColumnDef) -> str:
    """The type of a column in DDL. Raises ConfigError."""
    return _of_sql(column.args.get("kind"), column.name)


def _of_sql(kind: Any, name: str) -> str:
    if kind is None:
        raise _unknown(name, "none")
    word = kind.this.value
    if word in ("ARRAY", "LIST"):
        return f"ARRAY<{_of_sql(kind.expressions[0], name)}>"
    if word in ("DECIMAL", "NUMERIC", "BIGDECIMAL"):
        digits = [int(p.name) for p in kind.expressions if p.name.isdigit()] or [38, 9]
        return f"DECIMAL({digits[0]}, {digits[1] if len(digits) > 1 else 0})"
    if word not in _SQL:
        raise _unknown(name, kind.sql())
    return _SQL[word]


def flink_of_thrift(spec: Any, name: str) -> str:
    """The type of a field of a thriftpy2 struct: (type, name, required) or (type, name, inner, required)."""
    from thriftpy2.thrift import TType

    plain = {
        TType.BOOL: "BOOLEAN", TType.BYTE: "INT", TType.I16: "INT", TType.I32: "INT", TType.I64: "BIGINT",
        TType.DOUBLE: "DOUBLE", TType.STRING: "STRING", TType.BINARY: "BYTES",
    }  # fmt: skip
    kind, inner = (spec[0], spec[2] if len(spec) > 3 else None) if not isinstance(spec, int) else (spec, None)
    if kind in plain:
        return "STRING" if kind == TType.I32 and inner is not None else plain[kind]  # an enum goes by name
    if kind in (TType.LIST, TType.SET):
        return f"ARRAY<{_inner_thrift(inner, name)}>"
    if kind == TType.MAP and inner is not None:
        return f"MAP<{_inner_thrift(inner[0], name)}, {_inner_thrift(inner[1], name)}>"
    if kind == TType.STRUCT and inner is not None:
        return row_of((f[1], flink_of_thrift(f, f"{name}.{f[1]}")) for f in inner.thrift_spec.values())
    raise _unknown(name, str(kind))


def _inner_thrift(kind: Any, name: str) -> str:
    if isinstance(kind, tuple):
        return flink_of_thrift((kind[0], name, kind[1], False), name)
    return flink_of_thrift(kind, name)


def _unknown(name: str, kind: str) -> ConfigError:
    return ConfigError(
        f"the column {name} has a type that a product cannot hold",
        got=kind[:200],
        fix="leave it out of the source, or give it a plainer type",
    )
