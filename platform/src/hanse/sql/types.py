"""The types of the projection language (Flink's names) and what they are in DuckDB and Arrow."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hanse.quoting import literal as literal
from hanse.quoting import quote as quote

INTEGERS = ("TINYINT", "SMALLINT", "INT", "BIGINT")
APPROXIMATE = ("FLOAT", "DOUBLE")
_RANK = {name: rank for rank, name in enumerate((*INTEGERS, "DECIMAL", *APPROXIMATE))}
_ALIASES = {
    "INTEGER": "INT",
    "VARCHAR": "STRING",
    "CHAR": "STRING",
    "CHARACTER": "STRING",
    "DEC": "DECIMAL",
    "NUMERIC": "DECIMAL",
    "BINARY": "BYTES",
    "VARBINARY": "BYTES",
    "REAL": "FLOAT",
    "BOOL": "BOOLEAN",
    "DATETIME": "TIMESTAMP",
}
_DUCKDB = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INT": "INTEGER",
    "BIGINT": "BIGINT",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "INTERVAL_DAY": "INTERVAL",
    "INTERVAL_YEAR": "INTERVAL",
    "NULL": "INTEGER",
}
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Type:
    """A type: `kind` is Flink's root name; the rest applies to some kinds only.

    `size` is a decimal's precision, a string's length or a timestamp's fractional digits (None:
    the default); `scale` a decimal's; `items` the element, key and value, or field types; `clock`
    the zone whose wall clock a timestamp shows, when that is known and is not UTC's.
    """

    kind: str
    size: int | None = None
    scale: int = 0
    items: tuple[Type, ...] = ()
    names: tuple[str, ...] = ()
    fixed: bool = False
    clock: str = ""

    @property
    def duckdb(self) -> str:
        """The DuckDB type that holds it."""
        match self.kind:
            case "DECIMAL":
                return f"DECIMAL({self.size},{self.scale})"
            case "ARRAY":
                return f"{self.items[0].duckdb}[]"
            case "MAP":
                return f"MAP({self.items[0].duckdb}, {self.items[1].duckdb})"
            case "MULTISET":
                return f"MAP({self.items[0].duckdb}, INTEGER)"
            case "ROW":
                fields = zip(self.names, self.items, strict=True)
                return "STRUCT(" + ", ".join(f"{quote(n)} {t.duckdb}" for n, t in fields) + ")"
            case _:
                return _DUCKDB[self.kind]

    @property
    def is_integer(self) -> bool:
        """One of the four integer types."""
        return self.kind in INTEGERS

    @property
    def is_numeric(self) -> bool:
        """Integer, decimal or approximate."""
        return self.kind in _RANK

    @property
    def is_time(self) -> bool:
        """A point in time or a date."""
        return self.kind in ("TIMESTAMP", "TIMESTAMP_LTZ", "DATE", "TIME")

    def __str__(self) -> str:
        match self.kind:
            case "DECIMAL":
                return f"DECIMAL({self.size}, {self.scale})"
            case "ARRAY" | "MAP" | "MULTISET":
                return f"{self.kind}<{', '.join(map(str, self.items))}>"
            case "ROW":
                fields = zip(self.names, self.items, strict=True)
                return f"ROW<{', '.join(f'`{n}` {t}' for n, t in fields)}>"
            case "TIMESTAMP" | "TIMESTAMP_LTZ":
                return f"{self.kind}({6 if self.size is None else self.size})"
            case _:
                return self.kind


BOOLEAN = Type("BOOLEAN")
INT = Type("INT")
BIGINT = Type("BIGINT")
DOUBLE = Type("DOUBLE")
FLOAT = Type("FLOAT")
STRING = Type("STRING")
BYTES = Type("BYTES")
DATE = Type("DATE")
TIME = Type("TIME")
TIMESTAMP = Type("TIMESTAMP", 3)
TIMESTAMP_LTZ = Type("TIMESTAMP_LTZ", 3)
INTERVAL = Type("INTERVAL_DAY")
INTERVAL_YEAR = Type("INTERVAL_YEAR")
NULL = Type("NULL")


def array(item: Type) -> Type:
    """ARRAY<item>."""
    return Type("ARRAY", items=(item,))


def decimal(precision: int, scale: int) -> Type:
    """DECIMAL(precision, scale), at most 38 digits; as Flink does, digits after the point give way first."""
    if precision > 38:
        whole = precision - scale
        scale = max(38 - whole, min(scale, 6))
        precision = 38
    return Type("DECIMAL", precision, scale)


def as_decimal(kind: Type) -> Type:
    """The decimal that an integer type is in mixed arithmetic."""
    digits = {"TINYINT": 3, "SMALLINT": 5, "INT": 10, "BIGINT": 19}
    return kind if kind.kind == "DECIMAL" else decimal(digits[kind.kind], 0)


def common(left: Type, right: Type) -> Type:
    """The least type that holds both. Raises TypeError when there is none."""
    if left == right or right.kind == "NULL":
        return left
    if left.kind == "NULL":
        return right
    if left.is_numeric and right.is_numeric:
        return _common_numeric(left, right)
    if left.kind == right.kind:
        return _common_same(left, right)
    if {left.kind, right.kind} == {"TIMESTAMP", "TIMESTAMP_LTZ"}:
        return left if left.kind == "TIMESTAMP_LTZ" else right
    if left.kind == "DATE" and right.kind.startswith("TIMESTAMP"):
        return right
    if right.kind == "DATE" and left.kind.startswith("TIMESTAMP"):
        return left
    raise TypeError(f"{left} and {right} have no common type")


def _common_numeric(left: Type, right: Type) -> Type:
    if "DECIMAL" in (left.kind, right.kind) and not {left.kind, right.kind} & set(APPROXIMATE):
        a, b = as_decimal(left), as_decimal(right)
        scale = max(a.scale, b.scale)
        return decimal(max((a.size or 0) - a.scale, (b.size or 0) - b.scale) + scale, scale)
    if "DECIMAL" in (left.kind, right.kind):
        return DOUBLE
    return left if _RANK[left.kind] >= _RANK[right.kind] else right


def _common_same(left: Type, right: Type) -> Type:
    if left.items and len(left.items) == len(right.items):
        items = tuple(common(a, b) for a, b in zip(left.items, right.items, strict=True))
        return Type(left.kind, items=items, names=left.names)
    if left.kind == "STRING":
        return STRING
    if left.size is None or right.size is None:
        return left
    return left if left.size >= right.size else right


_TOKEN = re.compile(r"\s*(`[^`]*`|'(?:[^']|'')*'|[A-Za-z_][\w]*|\d+|[<>(),])")


class TypeSyntax(ValueError):
    """The text is not a type of the language."""


def parse_type(text: str) -> Type:
    """The type that `text` names, e.g. `MAP<STRING, ROW<a INT NOT NULL>>`. Raises TypeSyntax."""
    tokens = _tokens(text)
    try:
        kind, rest = _parse(tokens, 0)
    except IndexError as error:
        raise TypeSyntax(f"type {text!r} is not complete") from error
    if rest != len(tokens):
        raise TypeSyntax(f"unexpected {tokens[rest]!r} in type {text!r}")
    return kind


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise TypeSyntax(f"cannot read type {text!r}")
        found.append(match.group(1))
        at = match.end()
    return found


def _word(tokens: list[str], at: int) -> str:
    return tokens[at].upper() if at < len(tokens) else ""


def _parse(tokens: list[str], at: int, depth: int = 0) -> tuple[Type, int]:
    if depth > MAX_DEPTH:
        raise TypeSyntax("types are nested too deep")
    name = _word(tokens, at)
    kind = _ALIASES.get(name, name)
    at += 1
    if kind in ("ARRAY", "MAP", "MULTISET"):
        items, at = _parse_items(tokens, at, depth)
        found = Type(kind, items=tuple(items))
        if len(items) != (2 if kind == "MAP" else 1):
            raise TypeSyntax(f"{kind} needs its element types")
    elif kind == "ROW":
        found, at = _parse_row(tokens, at, depth)
    else:
        found, at = _parse_simple(name, kind, tokens, at)
    if _word(tokens, at) == "NOT" and _word(tokens, at + 1) == "NULL":
        at += 2
    elif _word(tokens, at) == "NULL":
        at += 1
    while _word(tokens, at) in ("ARRAY", "MULTISET"):
        found, at = Type(_word(tokens, at), items=(found,)), at + 1
    return found, at


def _parse_items(tokens: list[str], at: int, depth: int) -> tuple[list[Type], int]:
    items: list[Type] = []
    if _word(tokens, at) != "<":
        raise TypeSyntax("expected < after ARRAY, MAP or MULTISET")
    while True:
        item, at = _parse(tokens, at + 1, depth + 1)
        items.append(item)
        if _word(tokens, at) == ">":
            return items, at + 1
        if _word(tokens, at) != ",":
            raise TypeSyntax("expected > after the element types")


def _parse_row(tokens: list[str], at: int, depth: int) -> tuple[Type, int]:
    close = {"<": ">", "(": ")"}.get(_word(tokens, at))
    if close is None:
        raise TypeSyntax("expected < after ROW")
    names: list[str] = []
    items: list[Type] = []
    while True:
        names.append(tokens[at + 1].strip("`") if at + 1 < len(tokens) else "")
        item, at = _parse(tokens, at + 2, depth + 1)
        items.append(item)
        if at < len(tokens) and tokens[at].startswith("'"):
            at += 1
        if _word(tokens, at) == close:
            return Type("ROW", items=tuple(items), names=tuple(names)), at + 1
        if _word(tokens, at) != ",":
            raise TypeSyntax("expected , or the end of the ROW")


def _parse_simple(name: str, kind: str, tokens: list[str], at: int) -> tuple[Type, int]:
    numbers: list[int] = []
    if name == "CHARACTER" and _word(tokens, at) == "VARYING":
        name, at = "VARCHAR", at + 1
    if name == "DOUBLE" and _word(tokens, at) == "PRECISION":
        at += 1
    if _word(tokens, at) == "(":
        at += 1
        while _word(tokens, at).isdigit() or _word(tokens, at) == ",":
            if tokens[at] != ",":
                numbers.append(int(tokens[at]))
            at += 1
        if _word(tokens, at) != ")":
            raise TypeSyntax(f"expected ) after {name}(")
        at += 1
    if kind in ("TIMESTAMP", "TIME") and _word(tokens, at) in ("WITH", "WITHOUT"):
        local = _word(tokens, at) == "WITH" and _word(tokens, at + 1) == "LOCAL"
        if _word(tokens, at) == "WITH" and not local:
            raise TypeSyntax("TIMESTAMP WITH TIME ZONE has no place here; use TIMESTAMP_LTZ")
        at += 4 if local else 3
        kind = "TIMESTAMP_LTZ" if local else kind
    if kind == "DECIMAL":
        precision = numbers[0] if numbers else 10
        scale = numbers[1] if len(numbers) > 1 else 0
        if not 1 <= precision <= 38 or scale > precision:
            raise TypeSyntax(f"DECIMAL({precision}, {scale}) is out of range")
        return Type("DECIMAL", precision, scale), at
    if kind not in _DUCKDB or kind.startswith("INTERVAL") or kind == "NULL":
        raise TypeSyntax(f"unknown type {name}")
    size = numbers[0] if numbers else (1 if name in ("CHAR", "CHARACTER") else None)
    if kind in ("STRING", "BYTES") and size == 2147483647:
        size = None
    return Type(kind, size, fixed=name in ("CHAR", "CHARACTER", "BINARY")), at
