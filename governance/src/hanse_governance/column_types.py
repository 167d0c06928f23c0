"""Types of columns, compared as a reader of the product would: does every value fit?"""

from __future__ import annotations

import re

from hanse.descriptors.types import physical_type
from hanse.errors import ConfigError
from hanse.model.mesh import Column

_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_ALIASES = {
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "INT": "INTEGER",
    "REAL": "FLOAT",
    "DECIMAL": "DECIMAL(18,3)",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "DATETIME": "TIMESTAMP",
    "BYTEA": "BLOB",
}
_WIDTH = {
    "BOOLEAN": 0, "UTINYINT": 1, "TINYINT": 1, "USMALLINT": 2, "SMALLINT": 2, "UINTEGER": 3, "INTEGER": 3,
    "UBIGINT": 4, "BIGINT": 4, "HUGEINT": 5, "UHUGEINT": 5,
}  # fmt: skip
_CONVERTIBLE = {("FLOAT", "DOUBLE"), ("INTEGER", "DOUBLE"), ("SMALLINT", "DOUBLE"), ("TINYINT", "DOUBLE")}


def contract_type(column: Column) -> str:
    """The promised type in DuckDB's names; the text as written when it is none of Hanse's types."""
    try:
        return physical_type(column.physical_type).duckdb
    except ConfigError:
        return column.physical_type.upper()


def normal(kind: str) -> str:
    """One spelling for each type."""
    text = " ".join(kind.strip().split())
    upper = text if "STRUCT" in text.upper() else text.upper()
    decimal = _DECIMAL.fullmatch(upper)
    if decimal:
        return f"DECIMAL({decimal[1]},{decimal[2]})"
    if upper.startswith("VARCHAR("):
        return "VARCHAR"
    return _ALIASES.get(upper, upper)


def widens(old: str, new: str) -> bool:
    """Whether every value of the old type is one of the new type: readers of the new lose nothing."""
    old, new = normal(old), normal(new)
    if old == new or (old, new) in _CONVERTIBLE:
        return True
    if old in _WIDTH and new in _WIDTH:
        return 0 < _WIDTH[old] <= _WIDTH[new]
    before, after = _DECIMAL.fullmatch(old), _DECIMAL.fullmatch(new)
    if before and after:
        (p, s), (q, t) = map(_digits, (before, after))
        return t >= s and q - t >= p - s
    return False


def _digits(found: re.Match[str]) -> tuple[int, int]:
    return int(found[1]), int(found[2])


def comparable(promised: str, given: str) -> bool:
    """Whether a projection's column may be published under the promised type.

    Sums come out wider than their terms (`DECIMAL(38,2)`, `HUGEINT`): there the promise may be narrower,
    and a value that does not fit fails the publication.
    """
    promised, given = normal(promised), normal(given)
    if widens(given, promised) or given == "NULL":
        return True
    left, right = _DECIMAL.fullmatch(promised), _DECIMAL.fullmatch(given)
    if left and right:
        return _digits(left)[1] >= _digits(right)[1] or _digits(right)[0] == 38
    return promised == "BIGINT" and given == "HUGEINT"
