"""Which tables and columns a projection's text reads, and what flows into each output column.

It walks the syntax tree alone, and so also tells of a text that the planner refuses. What it does not
know it takes for the worst: an unknown table's column is followed under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from hanse.sql import dialect as ast

Source = tuple[str, str]
"""(table as written, column)."""
ColumnsOf = Callable[[str], Iterable[str]]

_WINDOW_COLUMNS = ("window_start", "window_end", "window_time")
_HIDING_CALLS = frozenset({"COUNT", "APPROX_COUNT_DISTINCT", "CHAR_LENGTH", "CHARACTER_LENGTH"})
_HIDING = (exp.Predicate, exp.Not, exp.Connector)
_MAX_RULE = 400


@dataclass(frozen=True, slots=True)
class _Flow:
    """Where a column comes from; `values` are the sources whose very values can be seen in it."""

    sources: frozenset[Source] = frozenset()
    values: frozenset[Source] = frozenset()

    def __or__(self, other: _Flow) -> _Flow:
        return _Flow(self.sources | other.sources, self.values | other.values)

    def hidden(self) -> _Flow:
        return _Flow(self.sources)


_Relation = dict[str, _Flow]


@dataclass(slots=True)
class Analysis:
    """What was found; names of tables are as written, `<domain>.<name>` or `<name>`."""

    tables: set[str] = field(default_factory=set[str])
    columns: _Relation = field(default_factory=dict[str, _Flow])
    filters: set[Source] = field(default_factory=set[Source])
    rules: dict[str, None] = field(default_factory=dict[str, None])
    open_joins: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def lineage(self) -> tuple[tuple[str, tuple[Source, ...]], ...]:
        """Sources of each output column."""
        return tuple((name, tuple(sorted(flow.sources))) for name, flow in self.columns.items())

    def values(self) -> tuple[tuple[str, tuple[Source, ...]], ...]:
        """Sources whose values can be seen in each output column."""
        return tuple((name, tuple(sorted(flow.values))) for name, flow in self.columns.items())


def analyse(statements: Iterable[Any], columns_of: ColumnsOf) -> Analysis:
    """Analyse the parsed statements of a projection: views, then one query or INSERT."""
    walker = _Walker(columns_of)
    views: dict[str, _Relation] = {}
    for statement in statements:
        if isinstance(statement, ast.CreateView):
            made = walker.query(statement.args["expression"], views)
            names = [_name(n) for n in statement.args.get("names") or []]
            views[_name(statement.this)] = _renamed(made, names)
        elif isinstance(statement, exp.Insert):
            walker.found.columns = walker.query(statement.expression, views)
        elif isinstance(statement, exp.Query):
            walker.found.columns = walker.query(statement, views)
        walker.collect_rules(statement)
    return walker.found


class _Walker:
    """Walks queries, keeping what it finds."""

    def __init__(self, columns_of: ColumnsOf) -> None:
        self.columns_of = columns_of
        self.found = Analysis()

    def query(self, node: Any, views: Mapping[str, _Relation]) -> _Relation:
        views = dict(views)
        clause = node.args.get("with_") or node.args.get("with")
        for common in clause.expressions if clause is not None else []:
            names = [_name(c) for c in common.args["alias"].args.get("columns") or []]
            views[common.alias] = _renamed(self.query(common.this, views), names)
        if isinstance(node, exp.Subquery):
            return self.query(node.this, views)
        if isinstance(node, exp.SetOperation):
            return self._merged(self.query(node.this, views), self.query(node.expression, views))
        return self._select(node, views) if isinstance(node, exp.Select) else {}

    def _merged(self, left: _Relation, right: _Relation) -> _Relation:
        flows = list(right.values())
        return {
            name: flow | (flows[i] if i < len(flows) else _Flow())
            for i, (name, flow) in enumerate(left.items())
        }

    def _select(self, node: exp.Select, views: Mapping[str, _Relation]) -> _Relation:
        scope: dict[str, _Relation] = {}
        start = node.args.get("from_") or node.args.get("from")
        joins = node.args.get("joins") or []
        for part in [*([start.this] if start is not None else []), *(j.this for j in joins)]:
            alias, relation = self._source(part, scope, views)
            if not _bounded(node, part):
                self._note_join(scope, relation)
            scope[alias] = relation
        for place in ("where", "group", "having", "qualify", "order", "limit"):
            self._filter(node.args.get(place), scope, views)
        for join in joins:
            for place in ("on", "using"):
                self._filter(join.args.get(place), scope, views)
        made: _Relation = {}
        for expression in node.expressions:
            made.update(self._output(expression, scope, views))
        return made

    def _note_join(self, scope: dict[str, _Relation], right: _Relation) -> None:
        """Note which tables meet in a join that no time bounds."""
        left = {t for relation in scope.values() for flow in relation.values() for t, _ in flow.sources}
        for table in {t for flow in right.values() for t, _ in flow.sources}:
            self.found.open_joins |= {
                (min(table, other), max(table, other)) for other in left if other != table
            }

    def _source(
        self, node: Any, scope: dict[str, _Relation], views: Mapping[str, _Relation]
    ) -> tuple[str, _Relation]:
        alias = node.alias or (node.name if isinstance(node, exp.Table) else f"#{len(scope)}")
        names = [_name(c) for c in _alias_columns(node)]
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            return alias, _renamed(self._table(node, views), names)
        if isinstance(node, exp.Subquery):
            return alias, _renamed(self.query(node, views), names)
        if isinstance(node, ast.TableFunction):
            return alias, _renamed(self._table_function(node, views), names)
        flow = self._flow(
            node, scope, views
        )  # UNNEST, LATERAL and the like: all of it, under the alias's names
        return alias, dict.fromkeys(names or [alias], flow)

    def _table(self, node: exp.Table, views: Mapping[str, _Relation]) -> _Relation:
        name = f"{node.db}.{node.name}" if node.db else node.name
        if name in views:
            return dict(views[name])
        self.found.tables.add(name)
        pairs = ((c, frozenset({(name, c)})) for c in self.columns_of(name))
        return {c: _Flow(source, source) for c, source in pairs}

    def _table_function(self, node: Any, views: Mapping[str, _Relation]) -> _Relation:
        made: _Relation = {}
        times: list[str] = []
        for argument in node.find_all(ast.TableArgument):
            inner = argument.this
            made |= self._table(inner, views) if isinstance(inner, exp.Table) else self.query(inner, views)
        for call in node.find_all(exp.Anonymous):
            if str(call.this).upper() == "DESCRIPTOR":
                times += [column.name for column in call.find_all(exp.Column)]
        time = made.get(times[0], _Flow()) if times else _Flow()
        return {**made, **dict.fromkeys(_WINDOW_COLUMNS, time)}

    def _output(
        self, node: Any, scope: dict[str, _Relation], views: Mapping[str, _Relation]
    ) -> Iterator[tuple[str, _Flow]]:
        star = isinstance(node, exp.Star) or (
            isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
        )
        if star:
            wanted = node.table if isinstance(node, exp.Column) else ""
            for alias, relation in scope.items():
                if wanted in ("", alias):
                    yield from relation.items()
            return
        yield node.alias_or_name or f"#{id(node)}", self._flow(node, scope, views)

    def _filter(self, node: Any, scope: dict[str, _Relation], views: Mapping[str, _Relation]) -> None:
        for part in node if isinstance(node, list) else [node]:
            if isinstance(part, exp.Expr):
                self.found.filters |= self._flow(part, scope, views).sources

    def _flow(self, node: Any, scope: dict[str, _Relation], views: Mapping[str, _Relation]) -> _Flow:
        """What flows through an expression."""
        if isinstance(node, exp.Column):
            return self._column(node, scope)
        if isinstance(node, exp.Query):
            made = self.query(node, {**views})
            flow = _Flow()
            for part in made.values():
                flow |= part
            return flow
        flow = _Flow()
        for key, children in node.args.items():
            for child in children if isinstance(children, list) else [children]:
                if isinstance(child, exp.Expr):
                    part = self._flow(child, scope, views)
                    flow |= part.hidden() if isinstance(node, exp.If) and key == "this" else part
        return flow.hidden() if _hides(node) else flow

    def _column(self, node: exp.Column, scope: dict[str, _Relation]) -> _Flow:
        relations = [scope[node.table]] if node.table in scope else list(scope.values())
        return next((r[node.name] for r in relations if node.name in r), _Flow())

    def collect_rules(self, statement: Any) -> None:
        """Note the CASE expressions and the filters with several literals, as normalised text."""
        for node in statement.find_all(exp.Case, exp.In):
            literals = sum(1 for _ in node.find_all(exp.Literal))
            enough = 3 if isinstance(node, exp.Case) else 2
            if literals >= enough and node.find(exp.Column) is not None:
                text = _normalised(node)
                if len(text) <= _MAX_RULE:
                    self.found.rules[text] = None


def _bounded(node: exp.Select, part: Any) -> bool:
    """Whether time bounds a join: an INTERVAL or a window column in its condition, or FOR SYSTEM_TIME."""
    join = part.parent
    conditions = [node.args.get("where")]
    if isinstance(join, exp.Join):
        conditions += [join.args.get("on"), join.args.get("using")]
    for condition in conditions:
        for tree in condition if isinstance(condition, list) else [condition]:
            if not isinstance(tree, exp.Expr):
                continue
            if tree.find(exp.Interval) is not None:
                return True
            if any(name.name in _WINDOW_COLUMNS for name in tree.find_all(exp.Identifier)):
                return True
    return part.find(exp.Version) is not None


def _hides(node: Any) -> bool:
    if isinstance(node, exp.Anonymous):
        return str(node.this).upper() in _HIDING_CALLS
    return isinstance(node, _HIDING)


def _normalised(node: Any) -> str:
    plain = node.copy()
    for column in plain.find_all(exp.Column):
        column.set("table", None)
    for identifier in plain.find_all(exp.Identifier):
        identifier.set("quoted", False)
        identifier.set("this", str(identifier.this).lower())
    return plain.sql(dialect=ast.Flink)


def _alias_columns(node: Any) -> list[Any]:
    alias = node.args.get("alias")
    return (alias.args.get("columns") or []) if isinstance(alias, exp.TableAlias) else []


def _renamed(relation: _Relation, names: list[str]) -> _Relation:
    if not names:
        return relation
    return dict(zip([*names, *list(relation)[len(names) :]], relation.values(), strict=False))


def _name(node: Any) -> str:
    return str(node.name)
