"""Queries: SELECT and set operations lowered to DuckDB, with the meaning that Flink gives them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

from sqlglot import exp

from hanse.sql import dialect as ast
from hanse.sql import joins, traces
from hanse.sql.aggregates import AGGREGATES, RANKING, Call, ranking
from hanse.sql.catalog import Catalog, Source, View
from hanse.sql.expressions import ExpressionCompiler
from hanse.sql.grouping import compile_group
from hanse.sql.relation import Binding, Column, Relation, Scope, Value, refuse, unique_columns
from hanse.sql.types import BIGINT, BOOLEAN, Type, common, quote
from hanse.sql.windows import (
    closed_test,
    instant,
    late_filter,
    reached,
    row_watermark,
    table_function,
    untriggered,
)

Hints = dict[str, bool]
"""Row-number columns that the outer query bounds, and whether it keeps only the first row."""
MAX_JOINS = 128
MAX_COLUMNS = 2_000


class QueryCompiler:
    """Lowers queries over a catalog, under an emission and a rule for late rows."""

    def __init__(
        self,
        catalog: Catalog,
        emission: Literal["update", "closed"],
        late: Literal["keep", "drop"],
    ) -> None:
        self.catalog = catalog
        self.zone = catalog.zone
        self.emission = emission
        self.late = late
        self.ctes: list[dict[str, tuple[Any, tuple[str, ...]]]] = []
        self.used: set[int] = set()
        self.operators: list[str] = []
        self.batch: str | None = None
        self.scans: dict[int, Source] | None = None
        self._number = 0
        self._depth = 0
        self._first_only: set[str] = set()
        self.outer_window: frozenset[int] | None = None
        self.semi_window: frozenset[int] | None = None
        self._sorts: dict[int, Value] = {}

    def alias(self) -> str:
        """A DuckDB alias that no other part of the text has."""
        self._number += 1
        return f"q{self._number}"

    def note(self, operator: str) -> None:
        """Remember an operator for EXPLAIN."""
        self.operators.append(operator)

    # queries

    def query(self, node: Any, parent: Scope | None = None, hints: Hints | None = None) -> Relation:
        """The relation of a query. Raises UnsupportedSQL."""
        self._depth += 1
        if self._depth > 120:
            raise refuse("a query nested this deep", node, "nest at most 120 levels")
        scopes = self.push_ctes(node)
        try:
            return self._query(node, parent, hints or {})
        finally:
            del self.ctes[len(self.ctes) - scopes :]
            self._depth -= 1

    def governing(self) -> list[int]:
        """The sources read so far that have a watermark."""
        return [s.number for s in self.catalog.sources.values() if s.watermark and s.number in self.used]

    def push_ctes(self, node: Any) -> int:
        """Make the names of a query's WITH known; returns how many scopes to take away after it."""
        clause = node.args.get("with_") or node.args.get("with")
        if clause is None:
            return 0
        if clause.args.get("recursive"):
            raise refuse("WITH RECURSIVE", clause, "streams have no fixed point; use a join per level")
        for cte in clause.expressions:
            names = tuple(column.name for column in (cte.args["alias"].args.get("columns") or []))
            self.ctes.append({cte.alias: (cte.this, names)})
        return len(clause.expressions)

    def _query(self, node: Any, parent: Scope | None, hints: Hints) -> Relation:
        if isinstance(node, exp.Subquery):
            inner = self.query(node.this, parent, hints)
            return (
                self.ordered(inner, node, parent)
                if node.args.get("order") or node.args.get("limit")
                else inner
            )
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, parent)
        if isinstance(node, exp.Select):
            return self._select(node, parent, hints)
        if isinstance(node, exp.Values):
            return self.values(node)
        if isinstance(node, exp.Table):
            return self.table(node, hints)
        raise refuse(f"{node.key.upper()} as a query", node, "write SELECT")

    def _set_operation(self, node: exp.SetOperation, parent: Scope | None) -> Relation:
        left, right = self.query(node.this, parent), self.query(node.expression, parent)
        left, right = self.settle(left), self.settle(right)
        if len(left.columns) != len(right.columns):
            raise refuse("a set operation over different numbers of columns", node, "select the same columns")
        columns: list[tuple[str, Type, str | None]] = []
        texts: tuple[list[str], list[str]] = ([], [])
        compiler = ExpressionCompiler(self, Scope())
        for a, b in zip(left.columns, right.columns, strict=True):
            try:
                kind = common(a.type, b.type)
            except TypeError as error:
                raise refuse(f"{a.type} beside {b.type} in a set operation", node, "cast one") from error
            columns.append((a.name, kind, a.role if a.role == b.role else None))
            for side, column in zip(texts, (a, b), strict=True):
                side.append(compiler.convert(Value(column.sql, column.type), kind))
        named = tuple(
            replace(c, trace=a.trace | b.trace) if a.trace and b.trace and a.type == b.type else c
            for c, a, b in zip(unique_columns(columns), left.columns, right.columns, strict=True)
        )
        sources = left.sources | right.sources
        parts = [
            f"SELECT {', '.join(f'{t} AS {c.sql}' for t, c in zip(side, named, strict=True))}, _s, _w, {n} AS _side "
            f"FROM ({rel.sql})"
            for n, (side, rel) in enumerate(zip(texts, (left, right), strict=True))
        ]
        names = ", ".join(column.sql for column in named)
        both = f"({parts[0]} UNION ALL {parts[1]})"
        distinct = node.args.get("distinct", True)
        window = left.window if left.window == right.window else None
        if isinstance(node, exp.Union):
            self.note("union all" if not distinct else "union")
            if not distinct:
                return Relation(
                    f"SELECT {names}, _s, _w FROM {both}",
                    named,
                    sources,
                    window=window,
                    append=left.append and right.append,
                    parts=traces.of_columns(named),
                    linear=left.linear | right.linear,
                    lag=max(left.lag, right.lag),
                )
            plain = tuple(replace(column, role=None) for column in named)
            return Relation(
                f"SELECT {names}, max(_s) AS _s, NULL::BIGINT[] AS _w FROM {both} GROUP BY ALL",
                plain,
                sources,
                append=False,
                parts=traces.of_columns(named),
            )
        self.note(node.key)
        counts = "count(*) FILTER (WHERE _side = 0) AS _l, count(*) FILTER (WHERE _side = 1) AS _r"
        grouped = f"SELECT {names}, max(_s) AS _s, {counts} FROM {both} GROUP BY {names}"
        if isinstance(node, exp.Intersect):
            copies = "least(_l, _r)"
        else:
            copies = "greatest(_l - _r, 0)" if not distinct else "CASE WHEN _r = 0 THEN _l ELSE 0 END"
        copies = f"least({copies}, 1)" if distinct else copies
        plain = tuple(replace(column, role=None) for column in named)
        text = f"SELECT {names}, _s, NULL::BIGINT[] AS _w FROM (SELECT *, unnest(range({copies})) AS _copy FROM ({grouped}))"
        return Relation(text, plain, sources, append=False, parts=traces.of_columns(named))

    # tables

    def values(self, node: exp.Values) -> Relation:
        """VALUES (…), (…)."""
        compiler = ExpressionCompiler(self, Scope())
        rows = [
            [compiler.value(item) for item in (row.expressions if isinstance(row, exp.Tuple) else [row])]
            for row in node.expressions
        ]
        kinds = [compiler.common_type(list(column), node) for column in zip(*rows, strict=True)]
        columns = unique_columns([(f"EXPR${n}", kind, None) for n, kind in enumerate(kinds)])
        parts = [
            "SELECT "
            + ", ".join(
                f"CAST({v.sql} AS {k.duckdb}) AS {c.sql}" for v, k, c in zip(row, kinds, columns, strict=True)
            )
            + f", [CAST({at} AS BIGINT)] AS _s, NULL::BIGINT[] AS _w"
            for at, row in enumerate(rows)
        ]
        return Relation(" UNION ALL ".join(parts), columns)

    def table(self, node: exp.Table, hints: Hints | None = None) -> Relation:
        """A named table: a CTE, a view or a source."""
        parts = [part.name for part in node.parts]
        if len(parts) == 1:
            for at in range(len(self.ctes) - 1, -1, -1):
                if parts[0] in self.ctes[at]:
                    query, names = self.ctes[at][parts[0]]
                    saved, self.ctes = self.ctes, self.ctes[:at]
                    try:
                        return self.renamed(self.query(query, None, hints), names, node)
                    finally:
                        self.ctes = saved
        found = self.catalog.find(parts)
        if isinstance(found, View):
            saved, self.ctes = self.ctes, []
            try:
                return self.renamed(self.query(found.query, None, hints), found.names, node)
            finally:
                self.ctes = saved
        if isinstance(found, Source):
            return self.scan(found)
        names = ", ".join(sorted([*self.catalog.sources, *self.catalog.views])) or "none"
        raise refuse(f"the unknown table {'.'.join(parts)}", node, f"the tables are: {names}")

    def renamed(self, relation: Relation, names: tuple[str, ...], node: Any) -> Relation:
        """The relation under other column names."""
        if not names:
            return relation
        if len(names) > len(relation.columns):
            raise refuse("more column names than columns", node, f"there are {len(relation.columns)} columns")
        new = list(relation.columns)
        for at, name in enumerate(names):
            new[at] = replace(new[at], name=name)
        return replace(relation, columns=tuple(new))

    def table_argument(self, node: Any) -> Relation:
        """The relation of `TABLE t` in a table function."""
        this = node.this
        return self.table(this) if isinstance(this, exp.Table) else self.query(this)

    def scan(self, source: Source, *, log: bool = False) -> Relation:
        """A source's rows: all of an append source, the current ones of a changelog.

        With `log`, or when late changes must be told apart, a changelog's single changes.
        """
        self.used.add(source.number)
        governs = frozenset({source.number}) if source.watermark else frozenset[int]()
        names = ", ".join(column.sql for column in source.columns)
        hidden = "[_seq] AS _s, " + self.watermarks() + " AS _w"
        table, number = self.reading(source)
        if self.batch is not None:
            text = f"SELECT {names}, {hidden}, _k FROM {self.batch}"
            return Relation(
                text, source.columns, governs, changelog=True, append=source.changelog == "append"
            )
        if source.changelog == "append":
            made = Relation(f"SELECT {names}, {hidden} FROM {table}", source.columns, governs)
            return self.traced(made, source, number, linear=True)
        if log or (self.late == "drop" and source.watermark):
            source.log_needed = True
            text = self._changes(source, table, names, hidden)
            made = Relation(text, source.columns, governs, changelog=True, append=False)
            return self.traced(made, source, number, linear=False)
        text = self._current(source, table, names, hidden)
        made = Relation(text, source.columns, governs, append=False)
        return self.traced(made, source, number, linear=not source.log_needed)

    def reading(self, source: Source) -> tuple[str, int]:
        """The table that a new scan of the source reads, and the scan's number.

        With `scans` it is a name that the engine puts the rows to read in the place of.
        """
        if self.scans is None:
            return source.table, -1
        number = len(self.scans)
        self.scans[number] = source
        return f'"_hanse_scan_{number}"', number

    def traced(self, relation: Relation, source: Source, number: int, *, linear: bool) -> Relation:
        """The relation of a scan with its traces; a keyed log is only whole by key."""
        if number < 0:
            return relation
        by_key = source.changelog == "upsert" and source.log_needed
        names = source.primary_key if by_key else tuple(column.name for column in source.columns)
        columns = tuple(
            replace(c, trace=frozenset({(number, c.sql)})) if c.name in names else c for c in relation.columns
        )
        scans = frozenset({number}) if linear else frozenset[int]()
        return replace(relation, columns=columns, parts=traces.of_columns(columns), linear=scans)

    def watermarks(self) -> str:
        """The text of a stored row's watermark list."""
        numbers = [s.number for s in self.catalog.sources.values() if s.watermark]
        if not numbers or self.late == "keep":
            return "NULL::BIGINT[]"
        return "[" + ", ".join(f"_w{n}" if n in numbers else "NULL" for n in range(max(numbers) + 1)) + "]"

    def _key(self, source: Source) -> str:
        by_name = {column.name: column.sql for column in source.columns}
        return ", ".join(by_name[name] for name in source.primary_key)

    def _current(self, source: Source, table: str, names: str, hidden: str) -> str:
        if source.primary_key:
            ranked = f"SELECT *, row_number() OVER (PARTITION BY {self._key(source)} ORDER BY _seq DESC) AS _r FROM {table}"
            return f"SELECT {names}, {hidden} FROM ({ranked}) WHERE _r = 1 AND _kind IN (0, 2)"
        return self._fold(
            f"SELECT {names}, {hidden}, CASE WHEN _kind IN (0, 2) THEN 1 ELSE -1 END AS _k FROM {table}",
            names,
        )

    def _changes(self, source: Source, table: str, names: str, hidden: str) -> str:
        if not source.primary_key:
            return (
                f"SELECT {names}, {hidden}, CASE WHEN _kind IN (0, 2) THEN 1 ELSE -1 END AS _k FROM {table}"
            )
        key = self._key(source)
        old = ", ".join(f"_p.{column.sql} AS {column.sql}" for column in source.columns)
        lagged = f"SELECT *, lag(_row) OVER (PARTITION BY {key} ORDER BY _seq) AS _p FROM {table} _row"
        return (
            f"SELECT {names}, {hidden}, 1 AS _k FROM {table} WHERE _kind IN (0, 2) UNION ALL "
            f"SELECT {old}, {hidden}, -1 AS _k FROM ({lagged}) WHERE _p._kind IN (0, 2)"
        )

    def _fold(self, changes: str, names: str) -> str:
        partition = f"PARTITION BY {names}"
        return (
            f"SELECT {names}, _s, _w FROM (SELECT *, sum(_k) OVER ({partition}) AS _net, row_number() OVER "
            f"({partition}, _k ORDER BY _s DESC) AS _r FROM ({changes})) WHERE _k = 1 AND _r <= _net"
        )

    def settle(self, relation: Relation) -> Relation:
        """A changelog folded to its current rows; anything else unchanged."""
        if not relation.changelog:
            return relation
        names = ", ".join(column.sql for column in relation.columns)
        return replace(relation, sql=self._fold(relation.sql, names), changelog=False)

    # SELECT

    def _select(self, node: exp.Select, parent: Scope | None, hints: Hints) -> Relation:
        self._check_clauses(node)
        source = self.from_clause(node, parent)
        relation, scope = source
        windows_over = self._event_over(node, scope, hints)
        relation, scope, closed = self._close_windows(node, relation, scope, hints, windows_over)
        if node.args.get("group") is not None or self._has_aggregate(node):
            result = compile_group(self, node, relation, scope)
        else:
            result = self._project(node, relation, scope, hints, closed)
        if node.args.get("distinct"):
            result = self._distinct(result)
        if node.args.get("order") or node.args.get("limit") or node.args.get("offset"):
            result = self.ordered(result, node, parent)
        return result

    def _check_clauses(self, node: exp.Select) -> None:
        for key, clause in (
            ("laterals", "LATERAL VIEW"), ("qualify", "QUALIFY"), ("connect", "CONNECT BY"), ("pivots", "PIVOT"),
            ("into", "SELECT INTO"), ("locks", "FOR UPDATE"), ("sample", "TABLESAMPLE"), ("cluster", "CLUSTER BY"),
            ("distribute", "DISTRIBUTE BY"), ("sort", "SORT BY"), ("match", "MATCH_RECOGNIZE"),
        ):  # fmt: skip
            if node.args.get(key):
                raise refuse(clause, node, "the language has no such clause")
        if len(node.expressions) > MAX_COLUMNS:
            raise refuse(f"more than {MAX_COLUMNS} columns", node, "select fewer")

    def from_clause(self, node: exp.Select, parent: Scope | None) -> tuple[Relation, Scope]:
        """FROM, joins and WHERE as one flat relation, and the scope that names its columns."""
        clause = node.args.get("from_") or node.args.get("from")
        if clause is None:
            empty = Relation("SELECT [0::BIGINT] AS _s, NULL::BIGINT[] AS _w", ())
            return empty, Scope([Binding("", "", ())], parent)
        items = node.args.get("joins") or []
        if len(items) > MAX_JOINS:
            raise refuse(f"more than {MAX_JOINS} joins", node, "split the query into views")
        builder = joins.FromBuilder(self, parent)
        builder.where = node.args.get("where")
        builder.first(clause.this, self._rank_hints(node))
        for item in items:
            builder.join(item)
        return builder.finish(node.args.get("where"))

    def _rank_hints(self, node: exp.Select) -> Hints:
        """`rn <= 3` and the like in WHERE: what they bound, and whether to one row."""
        where = node.args.get("where")
        hints: Hints = {}
        for part in (
            where.this.flatten()
            if where is not None and isinstance(where.this, exp.And)
            else ([where.this] if where is not None else [])
        ):
            test: Any = part.unnest()
            if isinstance(test, exp.Between):
                if isinstance(test.this, exp.Column):
                    hints[test.this.name] = False
                continue
            if not isinstance(test, exp.EQ | exp.LTE | exp.LT | exp.GT | exp.GTE):
                continue
            left, right, less = test.this, test.expression, isinstance(test, exp.LTE | exp.LT)
            if isinstance(right, exp.Column) and isinstance(left, exp.Literal):
                left, right, less = right, left, isinstance(test, exp.GT | exp.GTE)
            if (
                isinstance(left, exp.Column)
                and isinstance(right, exp.Literal)
                and (less or isinstance(test, exp.EQ))
            ):
                strict = isinstance(test, exp.LT | exp.GT)
                hints[left.name] = str(right.this) == ("2" if strict else "1")
        return hints

    def _windows(self, node: exp.Select) -> list[exp.Window]:
        found: list[exp.Window] = []
        for item in node.expressions:
            found += [
                window for window in item.find_all(exp.Window) if window.find_ancestor(exp.Select) is node
            ]
        return found

    def window_clause(self, window: exp.Window) -> tuple[list[Any], list[Any], Any]:
        """Partition, order and frame of an OVER clause, looked up when it names one."""
        named: dict[str, exp.Window] = {}
        select = window.find_ancestor(exp.Select)
        for definition in (select.args.get("windows") or []) if select is not None else []:
            named[definition.name] = definition
        name = window.args.get("alias")
        base = named.get(name.name) if name is not None and hasattr(name, "name") else None
        partition = list(
            window.args.get("partition_by") or (base.args.get("partition_by") if base else None) or []
        )
        order = window.args.get("order") or (base.args.get("order") if base else None)
        spec = window.args.get("spec") or (base.args.get("spec") if base else None)
        return partition, list(order.expressions) if order is not None else [], spec

    def _event_over(
        self, node: exp.Select, scope: Scope, hints: Hints
    ) -> tuple[str, list[str] | None] | None:
        """The event-time column that OVER aggregates are ordered by, when there are some.

        With it the partition columns of a bounded frame, None for an unbounded one.
        """
        compiler = ExpressionCompiler(self, scope)
        for window in self._windows(node):
            partition, order, spec = self.window_clause(window)
            if not order or self._is_bounded_rank(window, hints):
                continue
            column = order[0].this
            if isinstance(column, exp.Column):
                value = compiler.resolve([part.name for part in column.parts])
                if value is not None and value.role in ("rowtime", "window_time"):
                    bounded = spec is not None and spec.args.get("start") not in (
                        "UNBOUNDED",
                        "CURRENT ROW",
                        None,
                    )
                    keys = [compiler.value(item).sql.split(".", 1)[-1] for item in partition]
                    return value.sql, keys if bounded and all(key.startswith('"') for key in keys) else None
        return None

    def _is_bounded_rank(self, window: exp.Window, hints: Hints) -> bool:
        alias = window.parent.alias if isinstance(window.parent, exp.Alias) else ""
        name = _call_name(window.this)
        return name in ("ROW_NUMBER", "RANK", "DENSE_RANK") and alias in hints

    def _close_windows(
        self,
        node: exp.Select,
        relation: Relation,
        scope: Scope,
        hints: Hints,
        over: tuple[str, list[str] | None] | None,
    ) -> tuple[Relation, Scope, list[str]]:
        """Drop late rows before, and find the tests that hold back open results after, this SELECT."""
        closed: list[str] = []
        semi = self.semi_window if relation.window == "assigned" else None
        if semi is not None:
            self.semi_window = None
            relation = self._drop_late(relation, semi)
            end = relation.column("window_end")
            if self.emission == "closed" and end is not None:
                closed.append(closed_test(end.sql, end.type.clock, semi, relation.lag))
            return replace(relation, window="emitted"), scope, closed
        if over is not None and relation.timed:
            name = over[0].split(".", 1)[-1]
            if self.late == "drop":
                test = f"{instant(name)} > {row_watermark(relation.sources, lag=relation.lag)}"
                if over[1] is not None:
                    test = untriggered(relation, name, over[1], relation.sources)
                relation = self.settle(relation.with_sql(f"SELECT * FROM ({relation.sql}) WHERE {test}"))
            if self.emission == "closed":
                closed.append(reached(relation, name))
            self.note("over, by event time")
            return self.settle(relation), scope, closed
        if relation.window == "assigned" and self._ranks_windows(node, scope, hints):
            relation = self._drop_late(relation, relation.sources)
            end = relation.column("window_end")
            if self.emission == "closed" and end is not None:
                closed.append(closed_test(end.sql, end.type.clock, relation.sources, relation.lag))
            self.note("window top-n")
            return replace(relation, window="emitted"), scope, closed
        first = self._keeps_first(node, scope, hints) if relation.append and relation.window is None else None
        if first is not None and relation.sources:
            name = first.split(".", 1)[-1]
            if self.late == "drop":
                test = f"{instant(name)} >= {row_watermark(relation.sources, lag=relation.lag)}"
                relation = relation.with_sql(f"SELECT * FROM ({relation.sql}) WHERE {test}")
            if self.emission == "closed":
                closed.append(reached(relation, name))
            self.note("keep the first row by event time")
        if self._windows(node):
            relation = self.settle(relation)
        return relation, scope, closed

    def _keeps_first(self, node: exp.Select, scope: Scope, hints: Hints) -> str | None:
        """The event time of a deduplication that keeps the first row: it is final once the watermark is there."""
        for window in self._windows(node):
            _, order, _ = self.window_clause(window)
            alias = window.parent.alias if isinstance(window.parent, exp.Alias) else ""
            single = (
                len(order) == 1 and not order[0].args.get("desc") and isinstance(order[0].this, exp.Column)
            )
            if _call_name(window.this) != "ROW_NUMBER" or not hints.get(alias) or not single:
                continue
            value = ExpressionCompiler(self, scope).resolve([part.name for part in order[0].this.parts])
            if value is not None and value.role in ("rowtime", "window_time"):
                return value.sql
        return None

    def _drop_late(self, relation: Relation, sources: frozenset[int]) -> Relation:
        if self.late == "drop":
            relation = late_filter(relation, sources)
        return self.settle(relation)

    def _ranks_windows(self, node: exp.Select, scope: Scope, hints: Hints) -> bool:
        compiler = ExpressionCompiler(self, scope)
        for window in self._windows(node):
            if not self._is_bounded_rank(window, hints):
                continue
            partition, _, _ = self.window_clause(window)
            roles = set()
            for column in partition:
                if isinstance(column, exp.Column):
                    value = compiler.resolve([part.name for part in column.parts])
                    roles.add(value.role if value else None)
            if {"window_start", "window_end"} <= roles:
                return True
        return False

    def _has_aggregate(self, node: exp.Select) -> bool:
        having = node.args.get("having")
        return any(contains_aggregate(item) for item in node.expressions) or having is not None

    def projections(self, node: exp.Select, scope: Scope) -> list[tuple[str, Any]]:
        """The select list with stars expanded: names, and syntax nodes or ready values."""
        out: list[tuple[str, Any]] = []
        for item in node.expressions:
            if isinstance(item, exp.Star):
                out += self._star(scope, None, item)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                out += self._star(scope, item.table, item)
            elif isinstance(item, exp.Alias):
                out.append((item.alias, item.this))
            else:
                out.append((_implicit_name(item, len(out)), item))
        return out

    def _star(self, scope: Scope, table: str | None, node: Any) -> list[tuple[str, Any]]:
        out: list[tuple[str, Any]] = []
        for binding, column in scope.visible():
            if (table is None and column.name not in binding.hidden) or (
                table is not None and binding.alias == table
            ):
                ref = f"{binding.ref}.{column.sql}" if binding.ref else column.sql
                out.append((column.name, Value(ref, column.type, column.role)))
        if not out:
            if table is not None:
                value = ExpressionCompiler(self, scope).resolve([table])
                if value is not None and value.type.kind == "ROW":
                    return [
                        (name, Value(f"struct_extract({value.sql}, '{name}')", kind))
                        for name, kind in zip(value.type.names, value.type.items, strict=True)
                    ]
            raise refuse(
                f"{table or ''}.* without columns".lstrip("."), node, "name a table of the FROM clause"
            )
        return out

    def _project(
        self, node: exp.Select, relation: Relation, scope: Scope, hints: Hints, closed: list[str]
    ) -> Relation:
        saved, self._first_only = self._first_only, {name for name, first in hints.items() if first}
        compiler = ExpressionCompiler(self, scope)
        try:
            values = [
                (name, item if isinstance(item, Value) else compiler.value(item))
                for name, item in self.projections(node, scope)
            ]
        finally:
            self._first_only = saved
        columns = unique_columns([(name, value.type, value.role) for name, value in values])
        columns, relation = self._traces_above(node, relation, scope, compiler, columns, values)
        hidden = ", _s, _w" + (", _k" if relation.changelog else "")
        listed = ", ".join(
            f"{value.sql} AS {column.sql}" for (_, value), column in zip(values, columns, strict=True)
        )
        sorts = self._hidden_sorts(node, compiler, columns)
        listed += "".join(f", {value.sql} AS _o{at}" for at, value in sorts.items())
        hidden += "".join(f", _o{at}" for at in sorts) if closed else ""
        inner = relation.sql
        text = f"SELECT {listed}{hidden} FROM ({inner}) {scope.bindings[0].ref or 'q0'}"
        if closed:
            tests = " AND ".join(closed)
            marks = f"SELECT *, ({tests}) AS _closed FROM ({inner})"
            shown = ", _s, _w" + (", _k" if relation.changelog else "")
            text = f"SELECT {listed}{shown}, _closed FROM ({marks}) {scope.bindings[0].ref}"
            names = ", ".join(column.sql for column in columns)
            text = f"SELECT {names}{hidden} FROM ({text}) WHERE _closed"
        self.note("project" if not self._windows(node) else "over")
        over = bool(self._windows(node))
        return replace(relation, sql=text, columns=columns, append=relation.append and not over)

    def _traces_above(
        self, node: exp.Select, relation: Relation, scope: Scope, compiler: ExpressionCompiler,
        columns: tuple[Column, ...], values: list[tuple[str, Value]],
    ) -> tuple[tuple[Column, ...], Relation]:  # fmt: skip
        """The select list's traces; above OVER only those that every window is partitioned by."""
        known = traces.in_scope(scope)
        windows = self._windows(node) if self.scans is not None else []
        for window in windows:
            partition, _, _ = self.window_clause(window)
            texts = {compiler.value(item).sql for item in partition}
            known = {text: trace for text, trace in known.items() if text in texts}
        if windows:
            relation = replace(relation, parts=frozenset(known.values()), linear=frozenset())
        return traces.carried(columns, [value for _, value in values], known), relation

    def _hidden_sorts(
        self, node: exp.Select, compiler: ExpressionCompiler, columns: tuple[Column, ...]
    ) -> dict[int, Value]:
        """What ORDER BY sorts by that is not selected, by its place in the clause."""
        order = node.args.get("order")
        found: dict[int, Value] = {}
        if order is None or node.args.get("distinct"):
            return found
        names = {column.name for column in columns}
        for at, item in enumerate(order.expressions):
            needs = {column.name for column in item.this.find_all(exp.Column)}
            if not needs <= names:
                found[at] = compiler.value(item.this)
        self._sorts = found
        return found

    def _distinct(self, relation: Relation) -> Relation:
        relation = self.settle(relation)
        names = ", ".join(column.sql for column in relation.columns)
        end, start = relation.column("window_end"), relation.column("window_start")
        windowed = relation.window == "assigned" and end is not None and start is not None
        if windowed and self.late == "drop":
            relation = late_filter(relation, relation.sources)
        text = f"SELECT {names}, min(_s) AS _s, NULL::BIGINT[] AS _w FROM ({relation.sql}) GROUP BY {names}"
        if windowed and end is not None and self.emission == "closed":
            text += f" HAVING {closed_test(end.sql, end.type.clock, relation.sources, relation.lag)}"
        self.note("distinct")
        return replace(
            relation, sql=text, window="emitted" if windowed else None,
            parts=traces.of_columns(relation.columns), linear=frozenset(),
        )  # fmt: skip

    def ordered(self, relation: Relation, node: Any, parent: Scope | None) -> Relation:
        """ORDER BY with LIMIT as a top-n; ORDER BY event time alone as a sort that drops and holds back."""
        limit, offset = node.args.get("limit"), node.args.get("offset")
        binding = Binding("", "o", relation.columns)
        compiler = ExpressionCompiler(self, Scope([binding], parent))
        order = node.args.get("order")
        keys: list[str] = []
        first: Value | None = None
        hidden, self._sorts = self._sorts, {}
        for at, item in enumerate(order.expressions if order is not None else []):
            if at in hidden:
                value = Value(f"o._o{at}", hidden[at].type, hidden[at].role)
            else:
                value = self._order_value(compiler, _selected(node, item.this), relation)
            first = first or value
            keys.append(f"{'o._s' if value.role == 'proctime' else value.sql} {direction(item)}")
        if limit is None and offset is None:
            return self._time_sort(relation, first)
        relation = self.settle(relation)
        count = limit.args.get("expression") or limit.args.get("count") if limit is not None else None
        clause = f" LIMIT {_whole(count, node)}" if count is not None else ""
        if offset is not None:
            clause += f" OFFSET {_whole(offset.expression, node)}"
        self.note("limit" if not keys else "top-n")
        text = f"SELECT * FROM ({relation.sql}) o ORDER BY {', '.join([*keys, 'o._s ASC'])}{clause}"
        return replace(
            relation, sql=f"SELECT * FROM ({text})", append=False,
            columns=traces.untraced(relation.columns), parts=frozenset(), linear=frozenset(),
        )  # fmt: skip

    def _order_value(self, compiler: ExpressionCompiler, node: Any, relation: Relation) -> Value:
        if (
            isinstance(node, exp.Literal)
            and not node.is_string
            and 1 <= int(node.this) <= len(relation.columns)
        ):
            column = relation.columns[int(node.this) - 1]
            return Value(f"o.{column.sql}", column.type, column.role)
        if isinstance(node, exp.Column) and compiler.resolve([node.name]) is not None:
            node = exp.column(node.this.copy())
        return compiler.value(node)

    def _time_sort(self, relation: Relation, first: Value | None) -> Relation:
        if first is None or first.role != "rowtime":
            return relation
        name = first.sql.split(".", 1)[-1]
        tests = []
        if self.late == "drop":
            tests.append(untriggered(relation, name, (), relation.sources))
        if self.emission == "closed":
            tests.append(reached(relation, name))
        self.note("sort by event time")
        if not tests:
            return relation
        return relation.with_sql(
            f"SELECT * FROM ({relation.sql}) WHERE {' AND '.join(tests)}",
            columns=traces.untraced(relation.columns), parts=frozenset(), linear=frozenset(),
        )  # fmt: skip

    # OVER

    def over(self, compiler: ExpressionCompiler, node: exp.Window) -> Value:
        """A function over a window of rows."""
        call = node.this
        if isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
            call = call.this
        condition = ""
        if isinstance(call, exp.Filter):
            condition, call = compiler.boolean(call.expression.this), call.this
        name = _call_name(call)
        partition, order, spec = self.window_clause(node)
        arrival = getattr(compiler, "arrival", "_s")
        keys = [compiler.value(item).sql for item in partition]
        sorts, last_wins = self._over_order(compiler, order, name, node, arrival)
        frame = self._frame(compiler, spec)
        by_rows = frame.startswith(" ROWS") or name in ("ROW_NUMBER", "NTILE")
        backwards = ", ".join([*(_reversed(sort) for sort in sorts), f"{arrival} DESC"])
        if sorts and by_rows:
            sorts.append(f"{arrival} {'DESC' if last_wins else 'ASC'}")
        if not sorts and name in ("ROW_NUMBER", "LAG"):
            sorts.append(f"{arrival} ASC")
        parts = [f"PARTITION BY {', '.join(keys)}"] if keys else []
        parts += [f"ORDER BY {', '.join(sorts)}"] if sorts else []
        text = f" OVER ({' '.join(parts)}{frame if name not in RANKING else ''})"
        distinct, args = _call_args(compiler, call)
        made = Call(name, args, distinct, condition, text, arrival, self.zone, call, backwards)
        value = ranking(made)
        if value is None and name in AGGREGATES:
            value = AGGREGATES[name](made)
        if value is None:
            advice = (
                "turn the order and use LAG" if name == "LEAD" else "use an aggregate or a ranking function"
            )
            raise refuse(f"{name} OVER", node, advice)
        return value

    def _over_order(
        self, compiler: ExpressionCompiler, order: list[Any], name: str, node: exp.Window, arrival: str
    ) -> tuple[list[str], bool]:
        values = [(compiler.value(item.this), item) for item in order]
        alias = node.parent.alias if isinstance(node.parent, exp.Alias) else ""
        one = len(values) == 1 and values[0][0].role in ("rowtime", "window_time") and name == "ROW_NUMBER"
        last_wins = one and bool(values[0][1].args.get("desc")) and alias in self._first_only
        sorts = [
            f"{arrival if value.role == 'proctime' else value.sql} {direction(item)}"
            for value, item in values
        ]
        return sorts, last_wins

    def _frame(self, compiler: ExpressionCompiler, spec: Any) -> str:
        if spec is None:
            return ""
        bounds = []
        for side in ("start", "end"):
            bound = spec.args.get(side)
            word = spec.args.get(f"{side}_side") or ""
            if word == "FOLLOWING":
                raise refuse("a frame of FOLLOWING rows", spec.parent, "end the frame at CURRENT ROW")
            if bound is None:
                continue
            text = bound if isinstance(bound, str) else compiler.value(bound).sql
            bounds.append(f"{text} {word}".strip())
        if len(bounds) == 1:
            return f" {spec.args['kind']} BETWEEN {bounds[0]} AND CURRENT ROW"
        return f" {spec.args['kind']} BETWEEN {bounds[0]} AND {bounds[1]}"

    # subqueries

    def _inner(self, compiler: ExpressionCompiler, query: Any) -> Relation:
        inner = query.this if isinstance(query, exp.Subquery) else query
        return self.settle(self.query(inner, compiler.scope))

    def in_subquery(self, compiler: ExpressionCompiler, left: Any, query: Any) -> Value:
        """`x IN (SELECT …)`, also of several columns."""
        inner = self._inner(compiler, query)
        items = left.expressions if isinstance(left, exp.Tuple) else [left]
        values = [compiler.value(item) for item in items]
        if len(values) != len(inner.columns):
            raise refuse("IN over a different number of columns", left, "compare as many as are selected")
        names = ", ".join(column.sql for column in inner.columns)
        text = values[0].sql if len(values) == 1 else "(" + ", ".join(value.sql for value in values) + ")"
        right = names if len(values) == 1 else f"({names})"
        self.note("semi join")
        return Value(f"({text} IN (SELECT {right} FROM ({inner.sql})))", BOOLEAN)

    def exists(self, compiler: ExpressionCompiler, query: Any) -> Value:
        """EXISTS (SELECT …)."""
        inner = self._inner(compiler, query)
        self.note("semi join")
        return Value(f"EXISTS (SELECT 1 FROM ({inner.sql}))", BOOLEAN)

    def scalar_subquery(self, compiler: ExpressionCompiler, query: Any) -> Value:
        """A subquery of one row and one column; no row is NULL."""
        inner = self._inner(compiler, query)
        if len(inner.columns) != 1:
            raise refuse("a scalar subquery of several columns", query, "select one column")
        self.note("single value")
        column = inner.columns[0]
        return Value(f"(SELECT {column.sql} FROM ({inner.sql}))", column.type)

    def correlated_window(self, relation: Relation, scope: Scope) -> Relation:
        """Inside EXISTS or IN on equal windows: close both sides together."""
        roles = {column.role for column in scope.correlated}
        outer = self.outer_window
        if outer is None or relation.window != "assigned" or not {"window_start", "window_end"} <= roles:
            return relation
        self.semi_window = outer | relation.sources
        return replace(self._drop_late(relation, self.semi_window), window="emitted")


def direction(item: Any) -> str:
    """ASC or DESC with Flink's place for NULL: it is the least value."""
    descending = bool(item.args.get("desc"))
    nulls_first = item.args.get("nulls_first")
    explicit = item.args.get("nulls_explicit")
    if explicit is None:
        nulls_first = not descending
    return f"{'DESC' if descending else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}"


def _reversed(sort: str) -> str:
    """A sort item's text with the other direction."""
    text, way, nulls = re.fullmatch(r"(.*) (ASC|DESC)( NULLS FIRST| NULLS LAST)?", sort, re.DOTALL).groups("")  # type: ignore[union-attr]
    turned = {"": "", " NULLS FIRST": " NULLS LAST", " NULLS LAST": " NULLS FIRST"}[nulls]
    return f"{text} {'DESC' if way == 'ASC' else 'ASC'}{turned}"


def _selected(select: Any, node: Any) -> Any:
    """The place of a sort expression that is selected as it is and is more than a column; else itself."""
    items = select.expressions if isinstance(select, exp.Select) else []
    stars = (item for item in items if isinstance(item, exp.Star) or isinstance(item.this, exp.Star))
    if isinstance(node, exp.Column | exp.Literal) or next(stars, None) is not None:
        return node
    for at, item in enumerate(items):
        if (item.this if isinstance(item, exp.Alias) else item) == node:
            return exp.Literal.number(at + 1)
    return node


def _whole(node: Any, at: Any) -> int:
    if not isinstance(node, exp.Literal) or node.is_string or not str(node.this).isdigit():
        raise refuse("a computed LIMIT or OFFSET", at, "write a whole number")
    return int(node.this)


def _call_name(node: Any) -> str:
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        return _call_name(node.this)
    return str(node.name).upper() if isinstance(node, exp.Anonymous | ast.JsonCall) else ""


def _call_args(compiler: ExpressionCompiler, call: Any) -> tuple[bool, list[Value]]:
    args = list(call.expressions)
    if len(args) == 1 and isinstance(args[0], exp.Distinct):
        return True, [compiler.value(arg) for arg in args[0].expressions]
    if len(args) == 1 and isinstance(args[0], exp.Star):
        return False, []
    return False, [compiler.value(arg) for arg in args]


def contains_aggregate(node: Any) -> bool:
    """Whether an aggregate of this query level is in the expression (not inside OVER or a subquery)."""
    if isinstance(node, exp.Window):
        inner = node.this
        while isinstance(inner, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
            inner = inner.this
        parts = [*getattr(inner, "expressions", []), *(node.args.get("partition_by") or [])]
        order = node.args.get("order")
        parts += list(order.expressions) if order is not None else []
        return any(contains_aggregate(part) for part in parts)
    if isinstance(node, exp.Query):
        return False
    if isinstance(node, exp.Anonymous | ast.JsonCall) and _call_name(node) in AGGREGATES:
        return True
    return any(contains_aggregate(child) for child in node.iter_expressions())


def _implicit_name(node: Any, at: int) -> str:
    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Dot):
        return node.expression.name
    return f"EXPR${at}"


__all__ = ["BIGINT", "Column", "QueryCompiler", "contains_aggregate", "quote", "table_function"]
