"""What a query is while it is lowered: DuckDB text, typed columns and event-time facts.

Beside its columns every relation carries `_s`, the arrival order of the rows that made a row (a
list of sequence numbers, latest first), and `_w`, each source's watermark just before it arrived
(a list of milliseconds). A relation that is a changelog also carries `_k`, +1 or -1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hanse.errors import UnsupportedSQL
from hanse.sql.types import Type, quote

LOWEST = -9_000_000_000_000_000
"""The watermark of a source that has shown none, in milliseconds."""
RESERVED = frozenset(
    [
        "_w",
        "_s",
        "_op",
        "_k",
        "_r",
        "_ws",
        "_we",
        "_side",
        "_until",
        "_o",
        "_n",
        "_live",
        "_ls",
        "_kind",
        "_i",
        "_y",
        "_x",
        "_u",
        "_top",
        "_seq",
        "_sees",
        "_rows",
        "_row",
        "_proctime",
        "_p",
        "_net",
        "_near",
        "_mark",
        "_m",
        "_l",
        "_gone",
        "_e",
        "_copy",
        "_closed",
        "_clock",
        "_at",
        "_after",
    ]
)
"""Column names that lowered queries and state tables use themselves."""
HIGHEST = 9_000_000_000_000_000
"""The watermark at the end of input."""


Trace = frozenset[tuple[int, str]]
"""Scans and the column of each that a column is an unchanged copy of: see `traces`."""


@dataclass(frozen=True, slots=True)
class Column:
    """An output column. `role` marks event time (`rowtime`), processing time and window bounds."""

    name: str
    type: Type
    sql: str
    role: str | None = None
    trace: Trace = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """A lowered scalar expression."""

    sql: str
    type: Type
    role: str | None = None
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A lowered query: `sql` is a SELECT whose columns are named by `columns[i].sql`.

    `sources` are the numbers of the sources whose watermarks govern it, `window` is `assigned`
    when rows carry windows that no operator has closed yet, `emitted` after one has. `lag` is by how
    many milliseconds the watermark stays behind its sources', as it does after an interval join. `parts`
    are the traces by which it falls apart, `linear` the scans in which it is linear (see `traces`).
    """

    sql: str
    columns: tuple[Column, ...]
    sources: frozenset[int] = frozenset()
    changelog: bool = False
    window: str | None = None
    append: bool = True
    names: frozenset[str] = frozenset()
    timed: bool = True
    lag: int = 0
    parts: frozenset[Trace] = frozenset()
    linear: frozenset[int] = frozenset()

    def column(self, role: str) -> Column | None:
        """The first column of that role."""
        return next((column for column in self.columns if column.role == role), None)

    def with_sql(self, sql: str, **changes: object) -> Relation:
        """The same columns from another text."""
        return replace(self, sql=sql, **changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class Binding:
    """A FROM item under its alias; `ref` is its DuckDB alias."""

    alias: str
    ref: str
    columns: tuple[Column, ...]
    hidden: frozenset[str] = frozenset()


@dataclass(slots=True)
class Scope:
    """The names that an expression can see, inner first."""

    bindings: list[Binding] = field(default_factory=list[Binding])
    parent: Scope | None = None
    correlated: list[Column] = field(default_factory=list[Column])

    def visible(self) -> Iterator[tuple[Binding, Column]]:
        """All columns of this level, in the order of `SELECT *`."""
        for binding in self.bindings:
            for column in binding.columns:
                yield binding, column


def unique_columns(named: list[tuple[str, Type, str | None]]) -> tuple[Column, ...]:
    """Columns with distinct DuckDB names; a repeated name gets a number, as in Flink."""
    taken: set[str] = {"_s", "_w", "_k"}
    columns: list[Column] = []
    for name, kind, role in named:
        unique, number = name, 0
        while unique.lower() in taken:
            unique, number = f"{name}{number}", number + 1
        taken.add(unique.lower())
        columns.append(Column(unique, kind, quote(unique), role))
    return tuple(columns)


def refuse(clause: str, node: object, advice: str) -> UnsupportedSQL:
    """The refusal of `clause` at the place of a syntax node (line and column from 1, 0 when unknown)."""
    line, column = position(node)
    return UnsupportedSQL(clause, line, column, advice)


def position(node: object) -> tuple[int, int]:
    """Where a syntax node begins, by its own or its first child's token."""
    meta = getattr(node, "meta", None) or {}
    if "line" in meta:
        return int(meta["line"]), max(int(meta["col"]) - (int(meta["end"]) - int(meta["start"])), 1)
    found = [(0, 0)]
    walk = getattr(node, "walk", None)
    if walk is not None:
        for child in walk():
            if "line" in child.meta:
                start = int(child.meta["col"]) - (int(child.meta["end"]) - int(child.meta["start"]))
                found.append((int(child.meta["line"]), max(start, 1)))
    return min(found[1:], default=(0, 0))
