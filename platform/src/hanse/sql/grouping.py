"""GROUP BY: keys, grouping sets, group windows, HAVING, and aggregates in the select list."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from hanse.sql import dialect as ast
from hanse.sql import traces
from hanse.sql.aggregates import AGGREGATES, Call
from hanse.sql.expressions import ExpressionCompiler
from hanse.sql.relation import Binding, Column, Relation, Scope, Value, refuse, unique_columns
from hanse.sql.temporal import interval, milliseconds
from hanse.sql.types import BIGINT, Type
from hanse.sql.windows import assign, closed_test, late_filter

if TYPE_CHECKING:
    from hanse.sql.query import QueryCompiler

_GROUP_WINDOWS = ("TUMBLE", "HOP", "SESSION")
_AUXILIARY = {"START": "window_start", "END": "window_end", "ROWTIME": "window_time"}


class GroupCompiler(ExpressionCompiler):
    """Expressions above a GROUP BY: group keys become columns, aggregates become calls."""

    arrival = "_s"

    def __init__(
        self, query: QueryCompiler, base: ExpressionCompiler, keys: dict[str, tuple[str, Value]]
    ) -> None:
        super().__init__(query, base.scope)
        self.base = base
        self.keys = keys
        self.auxiliary: dict[str, Value] = {}
        self.inside_over = False

    def _value(self, node: Any) -> Value:
        from hanse.sql.query import contains_aggregate

        call = node.this if isinstance(node, exp.Filter) else node
        name = str(call.name).upper() if hasattr(call, "name") else ""
        if isinstance(call, exp.Anonymous | ast.JsonCall) and name in AGGREGATES:
            return self._aggregate(call, node)
        if isinstance(node, exp.Grouping) or name in ("GROUPING", "GROUPING_ID", "GROUP_ID"):
            return self._grouping(node, name)
        prefix, _, suffix = name.partition("_")
        if prefix in _GROUP_WINDOWS and suffix in _AUXILIARY and suffix in self.auxiliary:
            return self.auxiliary[suffix]
        if not contains_aggregate(node) and not isinstance(node, exp.Window | exp.Literal | exp.Query):
            found = self._key(node)
            if found is not None:
                return found
        if isinstance(node, exp.Column):
            special = self._niladic(node)
            if special is not None:
                return special
            raise refuse(f"{node.sql()} outside an aggregate", node, "add it to GROUP BY or aggregate it")
        if isinstance(node, exp.Window):
            self.inside_over, saved = True, self.inside_over
            try:
                arrival: Any = _Arrival(self)
                return self.query.over(arrival, node)
            finally:
                self.inside_over = saved
        return super()._value(node)

    def ready(self, value: Value) -> Value:
        """A column that a star brought: it must be a key."""
        if value.sql in self.keys:
            name, key = self.keys[value.sql]
            return Value(name, key.type, key.role)
        raise refuse("* with GROUP BY", None, "name the group keys")

    def _key(self, node: Any) -> Value | None:
        if any(isinstance(part, exp.Query) for part in node.walk()):
            return None
        columns = list(node.find_all(exp.Column))
        if any(self.resolve([p.name for p in column.parts]) is None for column in columns):
            return None
        if any(is_group_window(part) for part in node.walk()):
            return None
        value = self.base.value(node)
        if value.sql in self.keys:
            sql, key = self.keys[value.sql]
            return Value(sql, key.type, key.role)
        return value if value.constant else None

    def _aggregate(self, call: Any, node: Any) -> Value:
        args = list(call.expressions)
        distinct = len(args) == 1 and isinstance(args[0], exp.Distinct)
        if distinct:
            args = list(args[0].expressions)
        star = len(args) == 1 and isinstance(args[0], exp.Star)
        values = [] if star else [self.base.value(arg) for arg in args]
        condition = self.base.boolean(node.expression.this) if isinstance(node, exp.Filter) else ""
        return AGGREGATES[str(call.name).upper()](
            Call(str(call.name).upper(), values, distinct, condition, "", "_s", self.zone, call)
        )

    def _grouping(self, node: Any, name: str) -> Value:
        if name == "GROUP_ID" or not node.expressions:
            return Value("CAST(0 AS BIGINT)", BIGINT)
        keys = []
        for arg in node.expressions:
            value = self.base.value(arg)
            if value.sql not in self.keys:
                raise refuse("GROUPING of what is no group key", node, "name a column of GROUP BY")
            keys.append(self.keys[value.sql][0])
        return Value(f"CAST(grouping({', '.join(keys)}) AS BIGINT)", BIGINT)


class _Arrival:
    """The group compiler with the arrival order of groups, for OVER above GROUP BY."""

    arrival = "max(_s)"

    def __init__(self, inner: GroupCompiler) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def is_group_window(node: Any) -> bool:
    """Whether a GROUP BY item is TUMBLE, HOP or SESSION."""
    return isinstance(node, exp.Anonymous) and str(node.name).upper() in _GROUP_WINDOWS


def compile_group(query: QueryCompiler, node: exp.Select, relation: Relation, scope: Scope) -> Relation:
    """The relation of a SELECT with GROUP BY or aggregates. Raises UnsupportedSQL."""
    group = node.args.get("group")
    items = [item for item in group.expressions if not is_everything(item)] if group is not None else []
    windows = [item for item in items if is_group_window(item)]
    auxiliary: dict[str, Column] = {}
    if windows:
        items = [item for item in items if not is_group_window(item)]
        relation, scope, auxiliary = _assign_group_window(query, windows[0], items, relation, scope)
    base = ExpressionCompiler(query, scope)
    keys: dict[str, tuple[str, Value]] = {}
    plain = [add_key(base, keys, item, node) for item in items if not is_sets(item)]
    ref = scope.bindings[0].ref if scope.bindings else "q0"
    for column in auxiliary.values():
        value = Value(f"{ref}.{column.sql}", column.type, column.role)
        if column.role != "window_time":
            keys.setdefault(value.sql, (f"g{len(keys)}", value))
    sets = _grouping_sets(base, keys, group, items, plain, node)
    if auxiliary:
        extra = [keys[f"{ref}.{c.sql}"][0] for c in auxiliary.values() if c.role != "window_time"]
        plain += extra
        sets = [[*one, *extra] for one in sets] if sets is not None else None
    relation, closed = _close(query, relation, keys)
    return _emit(query, node, relation, scope, base, keys, plain, sets, auxiliary, closed)


def is_everything(item: Any) -> bool:
    """Whether a GROUP BY item is `()`: no key at all."""
    return isinstance(item, exp.Tuple) and not item.expressions


def is_sets(item: Any) -> bool:
    """Whether a GROUP BY item is GROUPING SETS, ROLLUP or CUBE."""
    return isinstance(item, exp.GroupingSets | exp.Rollup | exp.Cube)


def add_key(base: ExpressionCompiler, keys: dict[str, tuple[str, Value]], item: Any, node: exp.Select) -> str:
    """Add a GROUP BY item to `keys` (by its text); returns the key's column name."""
    if isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Column) and base.resolve([p.name for p in item.parts]) is None:
        aliased = next(
            (e.this for e in node.expressions if isinstance(e, exp.Alias) and e.alias == item.name), None
        )
        item = aliased if aliased is not None else item
    value = base.value(item)
    if value.sql not in keys:
        keys[value.sql] = (f"g{len(keys)}", value)
    return keys[value.sql][0]


def _set_items(item: Any) -> list[Any]:
    if isinstance(item, exp.Tuple):
        return list(item.expressions)
    return [item.this] if isinstance(item, exp.Paren) else [item]


def _grouping_sets(
    base: ExpressionCompiler, keys: dict[str, tuple[str, Value]], group: Any, items: list[Any], plain: list[str],
    node: exp.Select,
) -> list[list[str]] | None:  # fmt: skip
    if group is None:
        return None
    special = [item for item in items if is_sets(item)]
    for name in ("grouping_sets", "rollup", "cube"):
        special += list(group.args.get(name) or [])
    if not special:
        return None
    result: list[list[str]] = [list(plain)]
    for item in special:
        parts = [[add_key(base, keys, one, node) for one in _set_items(entry)] for entry in item.expressions]
        if isinstance(item, exp.Rollup):
            options = [list(chain.from_iterable(parts[:count])) for count in range(len(parts), -1, -1)]
        elif isinstance(item, exp.Cube):
            options = [
                list(chain.from_iterable(chosen))
                for n in range(len(parts), -1, -1)
                for chosen in combinations(parts, n)
            ]
        else:
            options = parts
        result = [one + option for one in result for option in options]
    return result


def _assign_group_window(
    query: QueryCompiler, call: Any, items: list[Any], relation: Relation, scope: Scope
) -> tuple[Relation, Scope, dict[str, Column]]:
    name = call.name.upper()
    base = ExpressionCompiler(query, scope)
    time = base.value(call.expressions[0])
    lengths = []
    for arg in call.expressions[1:]:
        length = milliseconds(interval(arg)[0]) if isinstance(arg, exp.Interval) else None
        if length is None:
            raise refuse(f"{name} without a fixed INTERVAL", call, "write INTERVAL '10' MINUTE")
        lengths.append(length)
    wanted = {"TUMBLE": ("SIZE",), "HOP": ("SLIDE", "SIZE"), "SESSION": ("GAP",)}[name]
    column = next((c for c in relation.columns if time.sql.endswith(c.sql)), None)
    if column is None or len(lengths) < len(wanted):
        raise refuse(f"{name} in GROUP BY", call, f"write {name}(event_time_column, INTERVAL …)")
    session_keys: list[str] = []
    if name == "SESSION":
        for item in items:
            value = base.value(item)
            match = next((c.name for c in relation.columns if value.sql.endswith("." + c.sql)), None)
            if match is None:
                raise refuse("SESSION beside a computed key", call, "compute the key in a subquery first")
            session_keys.append(match)
    windowed = assign(
        query, relation, name, column, dict(zip(wanted, lengths, strict=False)), session_keys, call
    )
    old = dict(zip([c.sql for c in relation.columns], windowed.columns, strict=False))
    bindings = [
        replace(b, columns=tuple(replace(c, sql=old[c.sql].sql, trace=old[c.sql].trace) for c in b.columns))
        for b in scope.bindings
    ]
    auxiliary = {suffix: c for suffix, role in _AUXILIARY.items() if (c := windowed.column(role)) is not None}
    return windowed, Scope(bindings, scope.parent), auxiliary


def _close(
    query: QueryCompiler, relation: Relation, keys: dict[str, tuple[str, Value]]
) -> tuple[Relation, str | None]:
    """For a window aggregation: late rows dropped, and the test that the group's window has closed."""
    ends = [name for name, value in keys.values() if value.role == "window_end"]
    starts = [name for name, value in keys.values() if value.role == "window_start"]
    if relation.window == "assigned" and ends and starts:
        query.note("window aggregate")
        if query.late == "drop":
            relation = late_filter(relation, relation.sources)
        clock = next(value.type.clock for _, value in keys.values() if value.role == "window_end")
        test = (
            closed_test(ends[0], clock, relation.sources, relation.lag)
            if query.emission == "closed"
            else None
        )
        return query.settle(relation), test
    query.note("group aggregate" if keys else "global aggregate")
    return query.settle(relation), None


def _emit(
    query: QueryCompiler, node: exp.Select, relation: Relation, scope: Scope, base: ExpressionCompiler,
    keys: dict[str, tuple[str, Value]], plain: list[str], sets: list[list[str]] | None, auxiliary: dict[str, Column],
    closed: str | None,
) -> Relation:  # fmt: skip
    ref = scope.bindings[0].ref if scope.bindings and scope.bindings[0].ref else "q0"
    compiler = GroupCompiler(query, base, keys)
    for suffix, column in auxiliary.items():
        if column.role == "window_time":
            compiler.auxiliary[suffix] = Value(f"any_value({ref}.{column.sql})", column.type, "rowtime")
        else:
            compiler.auxiliary[suffix] = Value(keys[f"{ref}.{column.sql}"][0], column.type, column.role)
    values = [
        (name, compiler.ready(item) if isinstance(item, Value) else compiler.value(item))
        for name, item in query.projections(node, scope)
    ]
    having = node.args.get("having")
    tests = [compiler.boolean(having.this)] if having is not None else []
    tests += [closed] if closed else []
    if (not keys and not scope.correlated) or (sets is not None and [] in sets):
        tests.append("count(*) > 0")
    columns = unique_columns([(name, value.type, value.role) for name, value in values])
    listed = ", ".join(
        f"{value.sql} AS {column.sql}" for (_, value), column in zip(values, columns, strict=True)
    )
    keyed = "".join(f"{sql} AS {name}, " for sql, (name, _) in keys.items())
    inner = f"SELECT {keyed}{ref}.* FROM ({relation.sql}) {ref}"
    text = f"SELECT {listed}, max(_s) AS _s, NULL::BIGINT[] AS _w FROM ({inner}) {ref}"
    if sets is not None:
        text += " GROUP BY GROUPING SETS (" + ", ".join(f"({', '.join(one)})" for one in sets) + ")"
    elif plain:
        text += f" GROUP BY {', '.join(dict.fromkeys(plain))}"
    if tests:
        text += f" HAVING {' AND '.join(tests)}"
    known: dict[str, traces.Trace] = {}
    if sets is None and not any(item.find(exp.Window) for item in node.expressions):
        below = traces.in_scope(scope)
        known = {name: below[text] for text, (name, _) in keys.items() if text in below}
    columns = traces.carried(columns, [value for _, value in values], known)
    window = "emitted" if closed or relation.window == "assigned" else relation.window
    return Relation(
        text,
        columns,
        relation.sources,
        window=window,
        append=False,
        lag=relation.lag,
        parts=frozenset(known.values()),
    )


__all__ = ["Binding", "Type", "compile_group"]
