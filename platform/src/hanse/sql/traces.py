"""Where a column comes from unchanged: the keys by which a query falls apart.

A trace is a set of (scan, column): reading only the rows whose column has some value, in each of these
scans, gives exactly the query's rows with that value; scans it does not name are read whole. What a
batch changes can then be worked out from the rows that share a value with it.
A query is linear in a scan when its rows are the sum of what each single row of the scan gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hanse.sql.relation import Binding, Column, Relation, Scope, Trace, Value

NONE: Trace = frozenset()
KEEPS_LEFT = ("INNER", "CROSS", "LEFT")
KEEPS_RIGHT = ("INNER", "CROSS", "RIGHT")


def of_columns(columns: Iterable[Column]) -> frozenset[Trace]:
    """The traces of columns, without the empty one."""
    return frozenset(column.trace for column in columns if column.trace)


def untraced(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns without their traces."""
    return tuple(replace(column, trace=NONE) for column in columns)


def in_scope(scope: Scope) -> dict[str, Trace]:
    """Traces by the text that an expression has for the column."""
    return {
        (f"{binding.ref}.{column.sql}" if binding.ref else column.sql): column.trace
        for binding, column in scope.visible()
        if column.trace
    }


def carried(
    columns: Sequence[Column], values: Iterable[Value], known: dict[str, Trace]
) -> tuple[Column, ...]:
    """Columns made from values, with the traces of those that are a known column as it is."""
    return tuple(replace(c, trace=known.get(v.sql, NONE)) for c, v in zip(columns, values, strict=True))


def aligned(relation: Relation, base: Relation, keys: Iterable[str] | None) -> Relation:
    """A relation that adds columns to `base`, row by row; with `keys` the rows of a key only together."""
    if keys is None:
        traces = [column.trace for column in base.columns]
        parts, linear = base.parts, base.linear
    else:
        names = set(keys)
        traces = [column.trace if column.name in names else NONE for column in base.columns]
        parts, linear = frozenset(t for t in traces if t), frozenset[int]()
    traces += [NONE] * (len(relation.columns) - len(traces))
    columns = tuple(replace(c, trace=t) for c, t in zip(relation.columns, traces, strict=True))
    return replace(relation, columns=columns, parts=parts, linear=linear)


@dataclass(slots=True)
class Joined:
    """What FROM has joined so far: its parts, the scans it is linear in, and columns equal on every row."""

    parts: frozenset[Trace] = frozenset()
    linear: frozenset[int] = frozenset()
    same: list[set[str]] = field(default_factory=list[set[str]])

    def add(
        self, bindings: list[Binding], relation: Relation, kind: str, pairs: Iterable[tuple[str, str]]
    ) -> None:
        """Join the last binding, `relation`, to the others on equal columns (texts of left and right)."""
        known = in_scope(Scope(bindings))
        both = frozenset(self._equal(known, left, right, kind) for left, right in pairs) - {NONE}
        for binding in bindings:
            kept = KEEPS_RIGHT if binding is bindings[-1] else KEEPS_LEFT
            binding.columns = tuple(
                replace(c, trace=known.get(f"{binding.ref}.{c.sql}", NONE) if kind in kept else NONE)
                for c in binding.columns
            )
        self.parts = frozenset[Trace]().union(
            self.parts if kind in KEEPS_LEFT else (),
            relation.parts if kind in KEEPS_RIGHT else (),
            both,
            *(of_columns(binding.columns) for binding in bindings),
        )
        self.linear = (self.linear if kind in KEEPS_LEFT else frozenset()) | (
            relation.linear if kind in KEEPS_RIGHT else frozenset()
        )
        if kind not in KEEPS_LEFT:
            self.same = []

    def _equal(self, known: dict[str, Trace], left: str, right: str, kind: str) -> Trace:
        one, other = known.get(left, NONE), known.get(right, NONE)
        if not one or not other or {scan for scan, _ in one} & {scan for scan, _ in other}:
            return NONE
        group = next((group for group in self.same if left in group), {left})
        if kind in ("INNER", "CROSS"):
            group.add(right)
            if group not in self.same:
                self.same.append(group)
        for text in {*group, right}:
            known[text] = one | other
        return one | other
