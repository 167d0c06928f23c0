"""What the planner says of each projection, as a plain value that a cache can keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The planner said no: what, at which line and column of `projection.sql` (from 1), and the way out."""

    what: str
    line: int
    column: int
    advice: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a projection reads and gives.

    `tables` are the tables read, as written; `columns` the output columns as (name, type in DuckDB).
    `lineage` gives for each output column the (table, column) pairs that it comes from, `values` those
    of them whose values can be seen in it (a COUNT shows none), `filters` the pairs that decide which
    rows there are (conditions, joins, groupings). `fingerprints` are the rules in the text, normalised.
    `open_joins` are the pairs of tables that are joined without a bound in time. `updates` tells that rows
    change after they were given, `program` is the program's digest. `refusal` is the planner's no; `failed`
    tells that the planner broke down, and the refusal how.
    """

    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] | None = None
    refusal: Refusal | None = None
    lineage: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    values: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    fingerprints: tuple[str, ...] = ()
    open_joins: tuple[tuple[str, str], ...] = ()
    updates: bool = False
    program: str = ""
    failed: bool = False

    def seen_in(self, column: str) -> tuple[tuple[str, str], ...]:
        """(table, column) pairs whose values can be seen in an output column."""
        return dict(self.values).get(column, ())

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return {
            "tables": list(self.tables),
            "columns": None if self.columns is None else [list(c) for c in self.columns],
            "refusal": _parts(self.refusal),
            "lineage": _listed(self.lineage),
            "values": _listed(self.values),
            "filters": [list(s) for s in self.filters],
            "fingerprints": list(self.fingerprints),
            "open_joins": [list(pair) for pair in self.open_joins],
            "updates": self.updates,
            "program": self.program,
            "failed": self.failed,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `as_dict`."""
        columns = values["columns"]
        return cls(
            tables=tuple(values["tables"]),
            columns=None if columns is None else tuple((c[0], c[1]) for c in columns),
            refusal=_refusal(values["refusal"]),
            lineage=_tupled(values["lineage"]),
            values=_tupled(values["values"]),
            filters=tuple((s[0], s[1]) for s in values["filters"]),
            fingerprints=tuple(values["fingerprints"]),
            open_joins=tuple((p[0], p[1]) for p in values["open_joins"]),
            updates=values["updates"],
            program=values["program"],
            failed=values["failed"],
        )


_Flows = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def _listed(flows: _Flows) -> list[Any]:
    return [[name, [list(s) for s in sources]] for name, sources in flows]


def _tupled(flows: list[Any]) -> _Flows:
    return tuple((name, tuple((s[0], s[1]) for s in sources)) for name, sources in flows)


def _parts(refusal: Refusal | None) -> list[Any] | None:
    return refusal and [refusal.what, refusal.line, refusal.column, refusal.advice]


def _refusal(parts: list[Any] | None) -> Refusal | None:
    return Refusal(*parts) if parts else None
