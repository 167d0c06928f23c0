"""Incremental plans: what a batch alone says about a sink, for the shapes that need no stored input.

A plan's texts read `_hanse_delta`, the batch as changes: the source's columns, `_seq`, the watermarks
`_w<n>` and `_k`, +1 for a row that came and -1 for one that went.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from hanse.sql.aggregates import AGGREGATES, Call
from hanse.sql.casts import divide_decimal
from hanse.sql.catalog import Source
from hanse.sql.expressions import ExpressionCompiler
from hanse.sql.grouping import GroupCompiler, add_key, is_everything, is_group_window, is_sets
from hanse.sql.query import QueryCompiler
from hanse.sql.relation import Relation, Scope, Value
from hanse.sql.types import BIGINT, Type, decimal
from hanse.sql.windows import late_filter

if TYPE_CHECKING:
    from hanse.sql.program import ProgramCompiler, Sink

DELTA = "_hanse_delta"


@dataclass(frozen=True, slots=True)
class Stateless:
    """Filters and projections: `sql` gives the sink's columns, `_s` and `_k` of a batch's changes."""

    source: Source
    sql: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A column of a group's state and how two batches' values merge: sum, min or max."""

    name: str
    duckdb: str
    sql: str
    merge: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """COUNT, SUM, AVG, MIN and MAX by group or window.

    `sql` gives a batch's keys (k0, k1, …), `_n` (the hidden count) and partials; `finals` the sink's columns from them.
    `end` is the key that is the window's end; None when groups never close.
    """

    source: Source
    sql: str
    keys: tuple[tuple[str, str], ...]
    partials: tuple[Partial, ...]
    finals: tuple[str, ...]
    key_columns: frozenset[str]
    end: str | None
    governs: frozenset[int]
    weighted: bool
    steps: tuple[str, ...] = field(default=())


def plan(program: ProgramCompiler, sink: Sink, queries: list[Any]) -> Stateless | Grouped | None:
    """The incremental plan of a sink with one query, when its shape has one."""
    if len(sink.sources) != 1 or len(queries) != 1:
        return None
    source = next(s for s in program.catalog.sources.values() if s.number in sink.sources)
    keyed_unknown = bool(source.primary_key) and not source.declared
    if keyed_unknown or not isinstance(queries[0], exp.Select):
        return None
    if "hanse_sessions" in sink.relation.sql:
        return None
    if set(sink.operators) <= {"project"}:
        if sink.primary_key and (not source.declared or source.changelog == "retract"):
            return None
        return _stateless(program, sink, source, queries[0])
    if set(sink.operators) <= {"project", "group aggregate", "global aggregate", "window aggregate"}:
        return _grouped(program, sink, source, queries[0])
    return None


def _compiler(program: ProgramCompiler) -> QueryCompiler:
    compiler = QueryCompiler(program.catalog, program.emission, program.late)
    compiler.batch = DELTA
    return compiler


def _stateless(program: ProgramCompiler, sink: Sink, source: Source, query: Any) -> Stateless | None:
    relation = _compiler(program).query(query)
    texts = _sink_texts(program, sink, [Value(c.sql, c.type) for c in relation.columns])
    if texts is None or not relation.changelog:
        return None
    listed = ", ".join(f"{text} AS {column.sql}" for text, column in zip(texts, sink.columns, strict=True))
    return Stateless(source, f"SELECT {listed}, _s, _k FROM ({relation.sql})")


def _sink_texts(program: ProgramCompiler, sink: Sink, values: list[Value]) -> list[str] | None:
    if len(values) != len(sink.columns):
        return None
    return [program.sink_text(value, column) for value, column in zip(values, sink.columns, strict=True)]


class _Partials(GroupCompiler):
    """Above GROUP BY: an aggregate becomes partial columns and the expression that finishes them."""

    def __init__(
        self,
        query: QueryCompiler,
        base: ExpressionCompiler,
        keys: dict[str, tuple[str, Value]],
        weighted: bool,
    ) -> None:
        super().__init__(query, base, keys)
        self.weighted = weighted
        self.partials: dict[tuple[str, str], Partial] = {}
        self.possible = True

    def _part(self, sql: str, duckdb: str, merge: str = "sum") -> str:
        known = self.partials.get((sql, merge))
        if known is None:
            known = Partial(f"p{len(self.partials)}", duckdb, sql, merge)
            self.partials[(sql, merge)] = known
        return known.name

    def _aggregate(self, call: Any, node: Any) -> Value:
        name = str(call.name).upper()
        args = list(call.expressions)
        star = len(args) == 1 and isinstance(args[0], exp.Star)
        distinct = len(args) == 1 and isinstance(args[0], exp.Distinct)
        condition = self.base.boolean(node.expression.this) if isinstance(node, exp.Filter) else ""
        if distinct or name not in ("COUNT", "SUM", "AVG", "MIN", "MAX") or (not star and len(args) != 1):
            self.possible = False
            return super()._aggregate(call, node)
        test = [condition] if condition else []
        if star:
            return Value(self._count(test), BIGINT)
        value = self.base.value(args[0])
        test.append(f"{value.sql} IS NOT NULL")
        if name == "COUNT":
            return Value(self._count(test), BIGINT)
        if name in ("MIN", "MAX"):
            self.possible = self.possible and not self.weighted
            where = f" FILTER (WHERE {' AND '.join(test)})"
            merge = name.lower()
            return Value(self._part(f"{merge}({value.sql}){where}", value.type.duckdb, merge), value.type)
        return self._sum(name, value, test, call)

    def _count(self, tests: list[str]) -> str:
        where = f" FILTER (WHERE {' AND '.join(tests)})" if tests else ""
        sql = f"coalesce(sum(_k){where}, 0)" if self.weighted else f"count(*){where}"
        return self._part(f"CAST({sql} AS BIGINT)", "BIGINT")

    def _sum(self, name: str, value: Value, tests: list[str], call: Any) -> Value:
        kind = AGGREGATES[name](Call(name, [value], False, "", "", "", self.zone, call)).type
        wide = _wide(value.type)
        term = f"CAST({value.sql} AS {wide})" + (" * _k" if self.weighted else "")
        where = f" FILTER (WHERE {' AND '.join(tests)})"
        total = self._part(f"CAST(coalesce(sum({term}){where}, 0) AS {wide})", wide)
        count = self._count(tests)
        if name == "SUM":
            return Value(f"(CASE WHEN {count} <> 0 THEN CAST({total} AS {kind.duckdb}) END)", kind)
        if kind.kind == "DECIMAL":
            mean = divide_decimal(total, decimal(38, value.type.scale), count, decimal(19, 0), kind)
            return Value(f"(CASE WHEN {count} <> 0 THEN {mean} END)", kind)
        operator = "//" if kind.is_integer else "/"
        return Value(
            f"(CASE WHEN {count} <> 0 THEN CAST({total} {operator} nullif({count}, 0) AS {kind.duckdb}) END)",
            kind,
        )


def _wide(kind: Type) -> str:
    if kind.kind == "DECIMAL":
        return decimal(38, kind.scale).duckdb
    if kind.kind in ("TINYINT", "SMALLINT", "INT"):
        return "BIGINT"
    return "HUGEINT" if kind.is_integer else "DOUBLE"


def _grouped(program: ProgramCompiler, sink: Sink, source: Source, node: exp.Select) -> Grouped | None:
    group = node.args.get("group")
    items = [item for item in group.expressions if not is_everything(item)] if group is not None else []
    if (
        node.args.get("having")
        or node.args.get("distinct")
        or node.args.get("order")
        or node.args.get("limit")
    ):
        return None
    if any(is_group_window(item) or is_sets(item) for item in items):
        return None
    if group is not None and any(group.args.get(name) for name in ("grouping_sets", "rollup", "cube")):
        return None
    compiler = _compiler(program)
    compiler.push_ctes(node)
    relation, scope = compiler.from_clause(node, None)
    if set(compiler.operators) - {"project"}:
        return None
    base = ExpressionCompiler(compiler, scope)
    keys: dict[str, tuple[str, Value]] = {}
    for item in items:
        add_key(base, keys, item, node)
    ends = [name for name, value in keys.values() if value.role == "window_end"]
    starts = [name for name, value in keys.values() if value.role == "window_start"]
    windowed = relation.window == "assigned" and bool(ends) and bool(starts)
    clocked = any(value.type.clock for _, value in keys.values())
    if windowed and (
        (clocked and (program.emission == "closed" or program.late == "drop"))
        or source.changelog != "append"
        or (program.emission == "closed" and program.late == "keep")
    ):
        return None
    if windowed and program.late == "drop":
        relation = late_filter(relation, relation.sources)
    return _finish(
        program, sink, source, node, compiler, relation, scope, base, keys, ends[0] if windowed else None
    )


def _finish(
    program: ProgramCompiler, sink: Sink, source: Source, node: exp.Select, query: QueryCompiler, relation: Relation,
    scope: Scope, base: ExpressionCompiler, keys: dict[str, tuple[str, Value]], end: str | None,
) -> Grouped | None:  # fmt: skip
    # a source that was only assumed to append may still retract, so what cannot be undone is left out
    weighted = source.changelog != "append" or not source.declared
    if end is not None and not source.declared:
        return None
    compiler = _Partials(query, base, keys, weighted)
    values = [
        compiler.ready(item) if isinstance(item, Value) else compiler.value(item)
        for _, item in query.projections(node, scope)
    ]
    texts = _sink_texts(program, sink, values)
    if texts is None or not compiler.possible:
        return None
    by_key = {name: at for at, (name, _) in enumerate(keys.values())}
    key_columns = frozenset(
        column.name for column, value in zip(sink.columns, values, strict=True) if value.sql in by_key
    )
    if len({value.sql for value in values if value.sql in by_key}) < len(by_key) and sink.primary_key:
        return None
    if sink.primary_key and frozenset(sink.primary_key) != key_columns:
        return None
    ref = scope.bindings[0].ref
    partials = tuple(compiler.partials.values())
    listed = [f"{sql} AS {name}" for sql, (name, _) in keys.items()]
    listed.append("CAST(sum(_k) AS BIGINT) AS _n" if weighted else "count(*) AS _n")
    listed += [f"{part.sql} AS {part.name}" for part in partials]
    text = f"SELECT {', '.join(listed)} FROM ({relation.sql}) {ref}"
    if keys:
        text += " GROUP BY ALL"
    else:
        text += " HAVING count(*) > 0"
    return Grouped(
        source, text, tuple((name, value.type.duckdb) for name, value in keys.values()), partials, tuple(texts),
        key_columns, end, relation.sources, weighted, ("window aggregate" if end else "group aggregate",),
    )  # fmt: skip
