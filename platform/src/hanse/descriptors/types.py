"""The types that a contract can promise (ODCS `physicalType`), written as in Flink SQL.

One table of names decides how a type is called in DuckDB, and what `logicalType` it has; the publisher
turns it into Iceberg's. Timestamps carry microseconds; TINYINT and SMALLINT are stored as INT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hanse.errors import ConfigError

MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A parsed type: `kind` is Flink's name; DECIMAL has digits; ARRAY, MAP and ROW have `inner`."""

    kind: str
    precision: int = 0
    scale: int = 0
    inner: tuple[ColumnType, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def logical(self) -> str:
        """ODCS `logicalType`."""
        return _LOGICAL[self.kind]

    @property
    def duckdb(self) -> str:
        """The type in DuckDB's SQL."""
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.kind == "ARRAY":
            return f"{self.inner[0].duckdb}[]"
        if self.kind == "MAP":
            return f"MAP({self.inner[0].duckdb}, {self.inner[1].duckdb})"
        if self.kind == "ROW":
            fields = (f'"{n}" {t.duckdb}' for n, t in zip(self.names, self.inner, strict=True))
            return f"STRUCT({', '.join(fields)})"
        return _DUCKDB[self.kind]


_DUCKDB = {
    "STRING": "VARCHAR",
    "BOOLEAN": "BOOLEAN",
    "INT": "INTEGER",
    "BIGINT": "BIGINT",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMP WITH TIME ZONE",
    "BYTES": "BLOB",
}
_LOGICAL = {
    "STRING": "string",
    "BOOLEAN": "boolean",
    "INT": "integer",
    "BIGINT": "integer",
    "FLOAT": "number",
    "DOUBLE": "number",
    "DECIMAL": "number",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_LTZ": "timestamp",
    "BYTES": "string",
    "ARRAY": "array",
    "MAP": "map",
    "ROW": "object",
}
_DEFAULT = {
    "string": "STRING",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
}
_ALIASES = {
    "VARCHAR": "STRING",
    "CHAR": "STRING",
    "TEXT": "STRING",
    "TINYINT": "INT",
    "SMALLINT": "INT",
    "INTEGER": "INT",
    "LONG": "BIGINT",
    "REAL": "FLOAT",
    "DOUBLE PRECISION": "DOUBLE",
    "NUMERIC": "DECIMAL",
    "DEC": "DECIMAL",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMP_LTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_LTZ",
    "TIMESTAMP WITH LOCAL TIME ZONE": "TIMESTAMP_LTZ",
    "BINARY": "BYTES",
    "VARBINARY": "BYTES",
    "BLOB": "BYTES",
    "BOOL": "BOOLEAN",
}
_HEAD = re.compile(
    r"([A-Za-z_]+)\s*(?:\(([0-9, ]+|MAX)\))?((?:\s+(?:WITH|WITHOUT|LOCAL|TIME|ZONE|PRECISION))*)", re.I
)


def physical_type(text: str) -> ColumnType:
    """The type that a text names. Raises ConfigError for what a product cannot hold."""
    found = _parse(text.strip(), 0)
    if found is None:
        raise ConfigError(
            "this type cannot be promised by a contract",
            expected=f"one of {', '.join([*_DUCKDB, 'DECIMAL(p,s)', 'ARRAY<…>', 'MAP<…>', 'ROW<…>'])}",
            got=text[:100],
        )
    return found


def default_type(logical: str) -> ColumnType:
    """The type of an ODCS `logicalType` whose `physicalType` is not given. Raises ConfigError."""
    if logical not in _DEFAULT:
        raise ConfigError(f"a column of logicalType {logical} needs a physicalType", got=logical)
    return ColumnType(_DEFAULT[logical])


def _parse(text: str, depth: int) -> ColumnType | None:
    if depth > MAX_DEPTH or not text:
        return None
    nested = re.fullmatch(r"(ARRAY|MAP|ROW|STRUCT)\s*<(.*)>", text, re.I | re.S)
    if nested:
        return _nested(nested.group(1).upper(), _split(nested.group(2)), depth)
    head = _HEAD.fullmatch(text)
    if head is None:
        return None
    words = f"{head.group(1)}{head.group(3) or ''}".upper()
    kind = " ".join(words.split())
    kind = _ALIASES.get(kind, kind)
    numbers = [int(n) for n in (head.group(2) or "").replace("MAX", "").split(",") if n.strip()]
    if kind == "DECIMAL":
        return _decimal(numbers)
    if kind not in _DUCKDB or (kind.startswith("TIME") and numbers and numbers[0] > 6):
        return None
    return ColumnType(kind)


def _decimal(numbers: list[int]) -> ColumnType | None:
    precision, scale = [*numbers, *(10, 0)[len(numbers) :]][:2]
    valid = len(numbers) <= 2 and 1 <= precision <= 38 and scale <= precision
    return ColumnType("DECIMAL", precision, scale) if valid else None


def _nested(kind: str, parts: list[str], depth: int) -> ColumnType | None:
    names: list[str] = []
    if kind in ("ROW", "STRUCT"):
        kind = "ROW"
        pairs = [re.fullmatch(r"`?([A-Za-z_][A-Za-z0-9_]*)`?\s*:?\s+(.*)", part, re.S) for part in parts]
        if not pairs or any(pair is None for pair in pairs):
            return None
        names = [pair.group(1) for pair in pairs if pair]
        parts = [pair.group(2).strip() for pair in pairs if pair]
    inner = [_parse(part, depth + 1) for part in parts]
    arity = {"ARRAY": 1, "MAP": 2}.get(kind, len(inner))
    if len(inner) != arity or len(set(names)) != len(names):
        return None
    known = tuple(t for t in inner if t is not None)
    return ColumnType(kind, inner=known, names=tuple(names)) if len(known) == len(inner) else None


def _split(text: str) -> list[str]:
    """Split at commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]
