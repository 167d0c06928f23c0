"""Plans of what a batch changes in a query: by the delta rule, or by recomputing the groups it touches.

The text of a plan names what each scan reads by `"_hanse_scan_<n>"`; the engine puts in the batch, the
rows that share a key with it, or the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hanse.sql.catalog import Source
from hanse.sql.query import QueryCompiler
from hanse.sql.relation import Trace, Value

if TYPE_CHECKING:
    from hanse.sql.program import ProgramCompiler, Sink

Way = Literal["delta", "groups", "whole"]
MOST_KEYS = 4


@dataclass(frozen=True, slots=True)
class Differential:
    """A sink's columns and `_s` over named scans, with the traces by which it falls apart.

    `latest` are the sources whose traces only hold while just the current row of each key is kept.
    """

    sql: str
    scans: dict[int, Source]
    parts: tuple[Trace, ...]
    linear: frozenset[int]
    latest: frozenset[int]
    keyed: bool

    def of(self, source: Source) -> list[int]:
        """The scans that read the source."""
        return [number for number, read in self.scans.items() if read.number == source.number]

    def way(self, source: Source) -> Way:
        """How a batch of the source is taken.

        By the delta rule where the query is linear in its one scan, by the groups it touches where each
        of its scans has a key of them, else by the whole query.
        """
        mine = self.of(source)
        # a retraction has an arrival of its own, so rows that are told apart by arrival cannot be undone
        undone = not (self.keyed and source.changelog == "retract")
        if len(mine) == 1 and mine[0] in self.linear and undone:
            return "delta"
        return "groups" if self.keys(source) else "whole"

    def keys(self, source: Source) -> list[dict[int, str]]:
        """Keys of what a batch of the source touches: for each the scans that it narrows, by which column."""
        mine = set(self.of(source))
        found = [dict(part) for part in self.parts if mine <= {scan for scan, _ in part}]
        widest = max((len(key) for key in found), default=0)
        return [key for key in found if len(key) == widest][:MOST_KEYS]


def plan(program: ProgramCompiler, sink: Sink, queries: list[Any]) -> Differential | None:
    """The plan of a sink with one query; None where every batch means the whole query."""
    if len(queries) != 1 or "engine.watermark" in sink.relation.sql:
        return None
    compiler = QueryCompiler(program.catalog, program.emission, program.late)
    compiler.scans = {}
    relation = compiler.settle(compiler.query(queries[0]))
    if len(relation.columns) != len(sink.columns) or not compiler.scans:
        return None
    if any(not source.declared for source in compiler.scans.values()):
        return None
    values = [
        program.sink_text(Value(c.sql, c.type), s)
        for c, s in zip(relation.columns, sink.columns, strict=True)
    ]
    listed = ", ".join(f"{text} AS {c.sql}" for text, c in zip(values, sink.columns, strict=True))
    parts = sorted(relation.parts, key=lambda part: (-len(part), sorted(part)))
    latest = {s.number for s in compiler.scans.values() if s.changelog == "upsert" and not s.log_needed}
    made = Differential(
        f"SELECT {listed}, _s FROM ({relation.sql})", compiler.scans, tuple(parts), relation.linear,
        frozenset(latest), bool(sink.primary_key),
    )  # fmt: skip
    ways = {made.way(source) for source in compiler.scans.values()}
    return None if ways == {"whole"} else made
