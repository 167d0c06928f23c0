"""FROM clauses: tables, regular, window, interval, temporal and lookup joins, UNNEST and LATERAL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from hanse.sql import dialect as ast
from hanse.sql import expiry, traces
from hanse.sql.catalog import Source, View
from hanse.sql.expressions import ExpressionCompiler
from hanse.sql.relation import LOWEST, Binding, Column, Relation, Scope, Value, refuse, unique_columns
from hanse.sql.temporal import interval, milliseconds
from hanse.sql.types import INT, Type, quote
from hanse.sql.versions import Versions, versioned
from hanse.sql.windows import closed_test, instant, late_filter, now_watermark, row_watermark, table_function

if TYPE_CHECKING:
    from hanse.sql.query import QueryCompiler

_TURNED = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}
_OPERATORS = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval join: `low` <= mine - right <= `high`, in milliseconds."""

    mine: str
    right: str
    low: int
    high: int


def _comparisons(tests: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    for test in tests:
        if isinstance(test, exp.Between):
            yield ">=", test.this, test.args["low"]
            yield "<=", test.this, test.args["high"]
        for kind, operator in _OPERATORS.items():
            if isinstance(test, kind):
                yield operator, test.this, test.expression


def _shifted(compiler: ExpressionCompiler, node: Any, right: Binding) -> tuple[bool, str, int] | None:
    """A time column, possibly plus or minus an interval: whether it is the right side's, its text, the shift."""
    node = node.unnest()
    shift = 0
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression.unnest(), exp.Interval):
        length = milliseconds(interval(node.expression.unnest())[0])
        if length is None:
            return None
        shift = length if isinstance(node, exp.Add) else -length
        node = node.this.unnest()
    if not isinstance(node, exp.Column):
        return None
    value = compiler.resolve([part.name for part in node.parts])
    if value is None or value.role not in ("rowtime", "window_time"):
        return None
    return value.sql.startswith(f"{right.ref}."), value.sql, shift


class FromBuilder:
    """Collects FROM items into one DuckDB FROM text with a scope."""

    def __init__(self, query: QueryCompiler, parent: Scope | None) -> None:
        self.query = query
        self.scope = Scope([], parent)
        self.relations: list[Relation] = []
        self.parts: list[str] = []
        self.tests: list[str] = []
        self.closed: list[str] = []
        self.joined = False
        self.sources: frozenset[int] = frozenset()
        self.window: str | None = None
        self.arrival: list[str] = []
        self.where: Any = None
        self.bounds: Bounds | None = None
        self.traces = traces.Joined()
        self.lag = 0
        self.held = False

    # items

    def first(self, node: Any, hints: dict[str, bool]) -> None:
        """The first FROM item."""
        if isinstance(node, exp.Unnest):
            self._start_with_one_row()
            self._unnest(node, "CROSS", exp.Join())
            return
        relation, alias = self.item(node, hints)
        ref = self.query.alias()
        self.scope.bindings.append(Binding(alias, ref, relation.columns))
        self.relations.append(relation)
        self.parts.append("")
        self.sources = relation.sources
        self.window = relation.window
        self.traces = traces.Joined(relation.parts, relation.linear)
        self.lag = relation.lag
        self.arrival.append(ref)

    def _start_with_one_row(self) -> None:
        """What a leading UNNEST is joined to."""
        one = Relation("SELECT [0::BIGINT] AS _s, NULL::BIGINT[] AS _w", ())
        ref = self.query.alias()
        self.scope.bindings.append(Binding("", ref, ()))
        self.relations.append(one)
        self.parts.append("")
        self.arrival.append(ref)
        self.joined = True

    def item(self, node: Any, hints: dict[str, bool] | None = None) -> tuple[Relation, str]:
        """A FROM item's relation and alias."""
        if isinstance(node, ast.MatchRecognize):
            raise refuse("MATCH_RECOGNIZE", node, "use OVER with LAG, or a self join on an interval")
        alias = node.args.get("alias")
        names = (
            tuple(column.name for column in (alias.args.get("columns") or [])) if alias is not None else ()
        )
        if isinstance(node, ast.TableFunction):
            call = node.this
            if not isinstance(call, exp.Anonymous):
                raise refuse("TABLE(…) without a function", node, "write TABLE(TUMBLE(TABLE t, …))")
            relation = table_function(self.query, call)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Anonymous):
            relation = table_function(self.query, node.this)
        elif isinstance(node, exp.Table):
            relation = self.query.table(node, hints)
        elif isinstance(node, exp.Values):
            relation = self.query.values(node)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery) and not names:
            relation, inner = self.item(node.this, hints)
            return relation, node.alias or inner
        elif isinstance(node, exp.Subquery):
            relation = self.query.query(node, self.scope.parent, hints)
        else:
            raise refuse(f"{node.key.upper()} in FROM", node, "name a table, a subquery or a window function")
        name = node.alias or (node.name if isinstance(node, exp.Table) else "")
        return self.query.renamed(relation, names, node), name

    # joins

    def join(self, node: exp.Join) -> None:
        """One JOIN (or comma) item."""
        self.joined = True
        self._settle_first()
        kind = self._kind(node)
        this = node.this
        if isinstance(this, exp.Unnest):
            self._unnest(this, kind, node)
            return
        if isinstance(this, exp.Lateral):
            self._lateral(this, kind, node)
            return
        if isinstance(this, exp.Table) and this.args.get("version") is not None:
            self._temporal(this, kind, node)
            return
        relation, alias = self.item(this)
        relation = relation if self._is_window_join_candidate(relation) else self.query.settle(relation)
        ref = self.query.alias()
        binding = Binding(alias, ref, relation.columns)
        self.scope.bindings.append(binding)
        condition = self._condition(node, kind, binding)
        relation = self._time_rules(relation, binding, node, kind)
        self.traces.add(self.scope.bindings, relation, kind, self._equal_columns(node, kind, binding))
        if self.bounds is not None:
            if self.query.late == "drop" and len(self.relations) == 1 and self.held:
                relation, condition = self._remembering(relation, condition, self.bounds, node, kind, binding)
            relation, condition, kind = self._bucketed(relation, condition, kind, self.bounds)
        text = f" {kind} JOIN ({relation.sql}) {ref}"
        self.parts.append(text + (f" ON {condition}" if condition else ""))
        self.relations.append(relation)
        self.arrival.append(ref)

    def _settle_first(self) -> None:
        if len(self.relations) == 1 and self.window != "assigned":
            self.relations[0] = self.query.settle(self.relations[0])

    def _is_window_join_candidate(self, relation: Relation) -> bool:
        return relation.window == "assigned" and self.window == "assigned"

    def _kind(self, node: exp.Join) -> str:
        side = (node.side or "").upper()
        kind = (node.kind or "").upper()
        if node.method and node.method.upper() not in ("NATURAL",):
            raise refuse(f"{node.method} JOIN", node, "write JOIN … ON")
        if kind in ("SEMI", "ANTI"):
            raise refuse(f"{kind} JOIN", node, "use EXISTS or NOT EXISTS")
        if side in ("LEFT", "RIGHT", "FULL"):
            return side
        no_condition = node.args.get("on") is None and not node.args.get("using") and not node.method
        return "CROSS" if no_condition else "INNER"

    def _condition(self, node: exp.Join, kind: str, right: Binding) -> str:
        using = [name.name for name in node.args.get("using") or []]
        if node.method and node.method.upper() == "NATURAL":
            left_names = {c.name for b in self.scope.bindings[:-1] for c in b.columns}
            using = [column.name for column in right.columns if column.name in left_names]
        if using:
            tests = []
            for name in using:
                compiler = ExpressionCompiler(self.query, Scope(self.scope.bindings[:-1], self.scope.parent))
                left = compiler.resolve([name])
                other = next((column for column in right.columns if column.name == name), None)
                if left is None or other is None:
                    raise refuse(f"USING ({name})", node, "both sides need that column")
                tests.append(f"{left.sql} = {right.ref}.{other.sql}")
            right.hidden = frozenset(using)
            return " AND ".join(tests)
        condition = node.args.get("on")
        if condition is None:
            return "TRUE" if kind not in ("CROSS",) else ""
        return ExpressionCompiler(self.query, self.scope).boolean(condition)

    def _equal_columns(self, node: exp.Join, kind: str, right: Binding) -> list[tuple[str, str]]:
        """The texts of left and right columns that the join makes equal."""
        pairs: list[tuple[str, str]] = []
        left = ExpressionCompiler(self.query, Scope(self.scope.bindings[:-1], self.scope.parent))
        for column in right.columns if right.hidden else ():
            found = left.resolve([column.name]) if column.name in right.hidden else None
            if found is not None:
                pairs.append((found.sql, f"{right.ref}.{column.sql}"))
        condition = node.args.get("on")
        tests = _conjuncts(condition) if condition is not None else []
        if kind in ("INNER", "CROSS") and self.where is not None:
            tests += _conjuncts(self.where.this)
        whole = ExpressionCompiler(self.query, self.scope)
        for test in tests:
            sides = (test.this, test.expression) if isinstance(test, exp.EQ) else ()
            values = [whole.resolve([p.name for p in s.parts]) for s in sides if isinstance(s, exp.Column)]
            texts = [value.sql for value in values if value is not None]
            if len(texts) == 2:
                texts.sort(key=lambda text: text.startswith(f"{right.ref}."))
                pairs.append((texts[0], texts[1]))
        return pairs

    def _time_rules(self, relation: Relation, right: Binding, node: exp.Join, kind: str) -> Relation:
        """Window and interval joins: late rows, held-back rows, and which times stay times."""
        both = self.sources | relation.sources
        condition = node.args.get("on")
        self.lag = max(self.lag, relation.lag)
        self.bounds, self.held = None, False
        if (
            relation.window
            and self.window
            and condition is not None
            and self._equal_windows(condition, right)
        ):
            self.query.note("window join")
            if self.query.late == "drop":
                if relation.window == "assigned":
                    relation = late_filter(relation, both, self.lag)
                if self.window == "assigned" and len(self.relations) == 1:
                    self.relations[0] = late_filter(self.relations[0], both, self.lag)
            relation = self.query.settle(relation)
            self.relations[0] = (
                self.query.settle(self.relations[0]) if len(self.relations) == 1 else self.relations[0]
            )
            if self.query.emission == "closed" and (
                self.window == "assigned" or relation.window == "assigned"
            ):
                ends = [self._end(self.scope.bindings[0]), self._end(right)]
                names = ", ".join(f"{ref}.{column.sql}" for ref, column in ends)
                self.closed.append(closed_test(f"coalesce({names})", ends[0][1].type.clock, both, self.lag))
            self.sources, self.window = both, "emitted"
            return relation
        bounds = self.bounds = self._interval_bounds(condition, right, kind)
        relation = self.query.settle(relation)
        if bounds is not None and relation.sources and self.sources:
            self.query.note("interval join")
            self.held = True
            self._hold_back_padding(bounds, kind, both)
            self.lag += max(-bounds.low, bounds.high, 0)
        else:
            self.query.note("join")
            self._forget_times()
        self.sources = both
        self.window = None
        return relation

    def _end(self, binding: Binding) -> tuple[str, Column]:
        column = next(column for column in binding.columns if column.role == "window_end")
        return binding.ref, column

    def _forget_times(self) -> None:
        for binding in self.scope.bindings:
            binding.columns = tuple(
                replace(
                    c,
                    role=None
                    if c.role in ("rowtime", "window_start", "window_end", "window_time")
                    else c.role,
                )
                for c in binding.columns
            )

    def _equal_windows(self, condition: Any, right: Binding) -> bool:
        compiler = ExpressionCompiler(self.query, self.scope)
        found = set()
        for test in _conjuncts(condition):
            if not isinstance(test, exp.EQ):
                continue
            sides = [
                compiler.resolve([p.name for p in side.parts]) if isinstance(side, exp.Column) else None
                for side in (test.this, test.expression)
            ]
            if sides[0] is None or sides[1] is None or sides[0].role != sides[1].role:
                continue
            if sum(side.sql.startswith(f"{right.ref}.") for side in sides if side is not None) == 1:
                found.add(sides[0].role)
        return {"window_start", "window_end"} <= found

    def _interval_bounds(self, condition: Any, right: Binding, kind: str) -> Bounds | None:
        """The event times that a join compares across its sides, and by how much; None when it does not."""
        compiler = ExpressionCompiler(self.query, self.scope)
        tests = _conjuncts(condition) if condition is not None else []
        if kind in ("INNER", "CROSS") and self.where is not None:
            tests += _conjuncts(self.where.this)
        low: int | None = None
        high: int | None = None
        times: dict[bool, str] = {}
        for operator, one, other in _comparisons(tests):
            first, second = (_shifted(compiler, side, right) for side in (one, other))
            if first is None or second is None or first[0] == second[0]:
                continue
            left_first = not first[0]
            (_, left, a), (_, right_sql, b) = (first, second) if left_first else (second, first)
            times = {False: left, True: right_sql}
            turned = operator if left_first else _TURNED.get(operator, operator)
            shift = b - a
            if turned in (">=", ">", "="):
                low = shift + (turned == ">") if low is None else max(low, shift)
            if turned in ("<=", "<", "="):
                high = shift - (turned == "<") if high is None else min(high, shift)
        if low is None or high is None:
            return None
        return Bounds(times[False], times[True], low, high)

    def _hold_back_padding(self, bounds: Bounds, kind: str, sources: frozenset[int]) -> None:
        """Rows without a partner are shown when Flink's clean-up timer finds them expired."""
        left, right = -bounds.low, bounds.high
        if self.query.emission != "closed" or left + right < 0:
            return
        spare = (left + right) // 2 + 1
        now = now_watermark(sources, self.lag)
        if kind in ("LEFT", "FULL"):
            self.closed.append(
                f"({bounds.right} IS NOT NULL OR {instant(bounds.mine)} + {left + spare} <= {now})"
            )
        if kind in ("RIGHT", "FULL"):
            self.closed.append(
                f"({bounds.mine} IS NOT NULL OR {instant(bounds.right)} + {right + spare} <= {now})"
            )

    def _remembering(
        self, relation: Relation, condition: str, bounds: Bounds, node: exp.Join, kind: str, right: Binding
    ) -> tuple[Relation, str]:
        """The join without the pairs that a late row makes with what is forgotten."""
        first = self.scope.bindings[0]
        pairs = [
            (a.removeprefix(f"{first.ref}."), b.removeprefix(f"{right.ref}."))
            for a, b in self._equal_columns(node, kind, right)
            if a.startswith(f"{first.ref}.") and a != bounds.mine
        ]
        left = expiry.Side(
            self.relations[0], first.ref, bounds.mine.split(".", 1)[1], tuple(a for a, _ in pairs)
        )
        other = expiry.Side(relation, right.ref, bounds.right.split(".", 1)[1], tuple(b for _, b in pairs))
        lag = max(self.relations[0].lag, relation.lag)
        self.relations[0], relation, meets = expiry.remembering(
            left, other, bounds.low, bounds.high, self.sources, lag
        )
        # what is forgotten depends on every row, so the query does not fall apart by keys
        self.traces.parts, self.traces.linear, self.traces.same = frozenset(), frozenset(), []
        for binding in self.scope.bindings:
            binding.columns = traces.untraced(binding.columns)
        return relation, f"{condition} AND {meets}" if condition else meets

    def _bucketed(
        self, relation: Relation, condition: str, kind: str, bounds: Bounds
    ) -> tuple[Relation, str, str]:
        """The join with stretches of time made equal, so that it compares only rows that are near in time.

        A stretch is as long as the interval: a row of one side lies in one of them, and its partners reach
        over two. The side whose rows may be padded is the one that is not doubled.
        """
        if bounds.low > bounds.high or kind == "FULL" or (kind == "RIGHT" and len(self.relations) > 1):
            return relation, condition, kind
        low, high = bounds.low - 1, bounds.high + 1
        length = high - low
        mine, other = bounds.mine, bounds.right
        if kind == "RIGHT":
            mine, other, low = other, mine, -high
        near = instant(other.split(".", 1)[1])
        first = f"CAST(floor(({near} + {low}) / {length}) AS BIGINT)"
        doubled = self.relations[0] if kind == "RIGHT" else relation
        sql = f"SELECT *, unnest([{first}, {first} + 1]) AS _near FROM ({doubled.sql})"
        side = other.split(".", 1)[0]
        test = f"{side}._near = CAST(floor({instant(mine)} / {length}) AS BIGINT)"
        if kind == "RIGHT":
            self.relations[0] = doubled.with_sql(sql)
        else:
            relation = doubled.with_sql(sql)
        return (
            relation,
            f"{condition} AND {test}" if condition else test,
            "INNER" if kind == "CROSS" else kind,
        )

    # temporal and lookup joins

    def _temporal(self, node: exp.Table, kind: str, join: exp.Join) -> None:
        if kind not in ("INNER", "LEFT"):
            raise refuse(f"{kind} JOIN … FOR SYSTEM_TIME AS OF", join, "use JOIN or LEFT JOIN")
        version = node.args["version"]
        compiler = ExpressionCompiler(self.query, self.scope)
        moment = compiler.value(version.expression)
        alias = node.alias or node.name
        plain = node.copy()
        plain.set("version", None)
        if moment.role == "proctime":
            versions = versioned(self.query, plain, by_time=False)
            self.query.note("lookup join")
        else:
            if moment.role not in ("rowtime", "window_time"):
                raise refuse(
                    "FOR SYSTEM_TIME AS OF what is no event time",
                    join,
                    "use the left side's event-time column",
                )
            versions = versioned(self.query, plain, by_time=True)
            self.query.note("temporal join")
        ref = self.query.alias()
        binding = Binding(alias, ref, versions.relation.columns)
        self.scope.bindings.append(binding)
        condition = ExpressionCompiler(self.query, self.scope).boolean(join.args["on"])
        left = self.scope.bindings[0].ref
        if moment.role == "proctime":
            self._trace_versions(kind, join, binding, versions)
            self.parts.append(_lookup(versions, ref, left, kind, condition))
            self.relations.append(versions.relation)
            return
        self._trace_versions(kind, join, binding, versions)
        both = self.sources | versions.relation.sources
        self._event_time(versions, ref, left, kind, condition, moment, join, binding, both)
        if self.query.emission == "closed":
            self.closed.append(f"{instant(moment.sql)} <= {now_watermark(both)}")
        self.sources = both
        self.relations.append(versions.relation)

    def _trace_versions(self, kind: str, join: exp.Join, binding: Binding, versions: Versions) -> None:
        relation = replace(versions.relation, linear=frozenset())
        self.traces.add(self.scope.bindings, relation, kind, self._equal_columns(join, kind, binding))

    def _event_time(
        self, versions: Versions, ref: str, left: str, kind: str, condition: str, moment: Value, join: exp.Join,
        binding: Binding, sources: frozenset[int],
    ) -> None:  # fmt: skip
        keys = self._key_tests(versions, ref, join.args["on"], binding)
        names = ", ".join(f"r.{column.sql} AS {column.sql}" for column in versions.relation.columns)
        pick = self._version(versions, left, keys, moment, sources)
        inner = f"SELECT {names} FROM (SELECT {pick} AS r) WHERE r IS NOT NULL AND r._live"
        self.parts.append(f" {kind} JOIN LATERAL (SELECT * FROM ({inner}) {ref}) {ref} ON {condition}")

    def _version(
        self, versions: Versions, left: str, keys: list[str], moment: Value, sources: frozenset[int]
    ) -> str:
        """Join the last version at `moment` beside the left rows; returns its text, a struct or NULL.

        A version is only unseen by a row that was emitted before it arrived, and such a version was late
        itself. A late version only counts until the next that was not: it is compared with the rows of its stretch.
        """
        near, text = self.query.alias(), versions.relation.sql
        when = f"_v.{versions.time}"
        late = f"{when} IS NOT NULL AND {instant(when)} <= {row_watermark(sources, '_v.')}"
        drop = self.query.late == "drop" and bool(sources)
        on_time = f"WHERE NOT ({late})" if drop else ""
        by = ", ".join(f"_v.{quote(key)}" for key in versions.keys)
        last = f"row_number() OVER (PARTITION BY {by}, {when} ORDER BY _v._s DESC) = 1"
        known = f"SELECT _v AS r FROM ({text}) _v {on_time} QUALIFY {last}"
        tests = " AND ".join(key.replace("_v.", f"{near}.r.", 1) for key in keys)
        self.parts.append(
            f" ASOF LEFT JOIN ({known}) {near} ON {tests} AND {moment.sql} >= {near}.r.{versions.time}"
        )
        if not drop:
            return f"{near}.r"
        other = self.query.alias()
        same = " AND ".join(f"_v.{quote(key)} = _n.r.{quote(key)}" for key in versions.keys)
        behind = (
            f"SELECT _v, coalesce(_n.r._s, []) AS _after FROM (SELECT * FROM ({text}) _v WHERE {late}) _v "
            f"ASOF LEFT JOIN ({known}) _n ON {same} AND {when} >= _n.r.{versions.time}"
        )
        seen = f"(_v._s < {left}._s OR {row_watermark(sources, '_v.')} < {instant(moment.sql)})"
        near_tests = [*keys, f"_after = coalesce({near}.r._s, [])", f"{when} <= {moment.sql}", seen]
        picked = (
            f"SELECT max_by(_v, struct_pack(t := {when}, s := _v._s)) AS r FROM ({behind}) "
            f"WHERE {' AND '.join(near_tests)}"
        )
        self.parts.append(f" LEFT JOIN LATERAL ({picked}) {other} ON TRUE")
        time = versions.time
        order = [f"struct_pack(t := {one}.r.{time}, s := {one}.r._s)" for one in (near, other)]
        return f"CASE WHEN {other}.r IS NULL OR ({near}.r IS NOT NULL AND {order[0]} > {order[1]}) THEN {near}.r ELSE {other}.r END"

    def _key_tests(self, versions: Versions, ref: str, condition: Any, binding: Binding) -> list[str]:
        """The equalities on the version table's key, which pick the version."""
        compiler = ExpressionCompiler(self.query, self.scope)
        tests = []
        for test in _conjuncts(condition):
            if not isinstance(test, exp.EQ):
                continue
            values = [compiler.value(test.this), compiler.value(test.expression)]
            for mine, other in (values, values[::-1]):
                name = mine.sql.removeprefix(f"{ref}.")
                column = next((c for c in binding.columns if c.sql == name), None)
                if column is not None and column.name in versions.keys and ref + "." not in other.sql:
                    tests.append(f"_v.{column.sql} = {other.sql}")
        if len(tests) < len(versions.keys):
            raise refuse(
                "a temporal join without the whole key", condition, f"compare {', '.join(versions.keys)}"
            )
        return tests

    # UNNEST and LATERAL

    def _unnest(self, node: exp.Unnest, kind: str, join: exp.Join) -> None:
        if kind not in ("CROSS", "INNER", "LEFT"):
            raise refuse(f"{kind} JOIN UNNEST", join, "use CROSS JOIN or LEFT JOIN … ON TRUE")
        compiler = ExpressionCompiler(self.query, self.scope)
        value = compiler.value(node.expressions[0])
        columns, sql = unnested(value, node)
        alias = node.args.get("alias")
        names = [column.name for column in (alias.args.get("columns") or [])] if alias is not None else []
        offset = node.args.get("offset")
        named = list(columns)
        if offset:
            named.append(Column(offset.name if hasattr(offset, "name") else "ORDINALITY", INT, "_o"))
        renamed = tuple(
            replace(column, name=names[at] if at < len(names) else column.name)
            for at, column in enumerate(named)
        )
        ref = self.query.alias()
        self.scope.bindings.append(
            Binding(alias.name if alias is not None and alias.this else "", ref, renamed)
        )
        condition = join.args.get("on")
        test = (
            ExpressionCompiler(self.query, self.scope).boolean(condition) if condition is not None else "TRUE"
        )
        word = "LEFT" if kind == "LEFT" else "INNER"
        self.parts.append(f" {word} JOIN LATERAL ({sql}) {ref} ON {test}")
        self.relations.append(Relation(sql, renamed))
        self.query.note("unnest")

    def _lateral(self, node: exp.Lateral, kind: str, join: exp.Join) -> None:
        inner = node.this
        if not isinstance(inner, exp.Subquery):
            raise refuse("LATERAL TABLE of a function", node, "use UNNEST, or LATERAL (SELECT …)")
        alias = node.args.get("alias")
        names = (
            tuple(column.name for column in (alias.args.get("columns") or [])) if alias is not None else ()
        )
        relation = self.query.settle(self.query.query(inner.this, self.scope))
        relation = self.query.renamed(relation, names, node)
        ref = self.query.alias()
        columns = traces.untraced(relation.columns)
        self.scope.bindings.append(Binding(alias.name if alias is not None else "", ref, columns))
        condition = join.args.get("on")
        test = (
            ExpressionCompiler(self.query, self.scope).boolean(condition) if condition is not None else "TRUE"
        )
        word = "LEFT" if kind == "LEFT" else "INNER"
        self.parts.append(f" {word} JOIN LATERAL ({relation.sql}) {ref} ON {test}")
        self.relations.append(relation)
        self.arrival.append(ref)
        self.sources |= relation.sources
        self.query.note("lateral join")

    # the whole

    def finish(self, where: Any) -> tuple[Relation, Scope]:
        """FROM, joins and WHERE as one relation with distinct column names."""
        saved = self.query.outer_window
        self.query.outer_window = self.sources if self.window == "assigned" and not self.joined else None
        self.query.semi_window = None
        condition = (
            ExpressionCompiler(self.query, self.scope).boolean(where.this) if where is not None else ""
        )
        semi = self.query.semi_window
        self.query.outer_window = saved
        first = self.relations[0]
        changelog = first.changelog and not self.joined
        ref = self.scope.bindings[0].ref
        flat: list[str] = []
        bindings: list[Binding] = []
        new = self.query.alias()
        for at, binding in enumerate(self.scope.bindings):
            columns = []
            for number, column in enumerate(binding.columns):
                name = column.sql if not self.joined else quote(f"c{at}_{number}")
                source = f"{binding.ref}.{column.sql}"
                flat.append(f"{source} AS {name}")
                columns.append(replace(column, sql=name))
            bindings.append(replace(binding, ref=new, columns=tuple(columns)))
        hidden = self._hidden(ref, changelog)
        text = (
            f"SELECT {', '.join([*flat, hidden])} FROM ({self.relations[0].sql}) {ref}{''.join(self.parts)}"
        )
        tests = ([condition] if condition else []) + self.closed
        if tests:
            text += f" WHERE {' AND '.join(tests)}"
        columns = tuple(column for binding in bindings for column in binding.columns)
        relation = Relation(
            text, columns, self.sources, changelog, self.window,
            first.append and (not self.joined), timed=True, lag=self.lag,
            parts=self.traces.parts, linear=self.traces.linear,
        )  # fmt: skip
        scope = Scope(bindings, self.scope.parent, self.scope.correlated)
        before = self.query.semi_window
        relation = self.query.correlated_window(relation, scope)
        self.query.semi_window = semi if semi is not None else self.query.semi_window
        if before is None and semi is None and relation.window == "assigned" and scope.parent is None:
            self.query.semi_window = None
        return relation, scope

    def _hidden(self, ref: str, changelog: bool) -> str:
        arrival, marks = f"{ref}._s", f"{ref}._w"
        for other in self.arrival[1:]:
            later = f"{other}._s IS NULL OR {arrival} > {other}._s"
            marks = f"CASE WHEN {later} THEN {marks} ELSE {other}._w END"
            arrival = f"CASE WHEN {later} THEN list_concat({arrival}, {other}._s) ELSE list_concat({other}._s, {arrival}) END"
        sign = f", {ref}._k AS _k" if changelog else ""
        return f"{arrival} AS _s, {marks} AS _w{sign}"


def _lookup(versions: Versions, ref: str, left: str, kind: str, condition: str) -> str:
    """The rows of the right side that were current when the left row arrived."""
    now = f"{ref}._s < {left}._s AND ({ref}._until IS NULL OR {ref}._until > {left}._s) AND {ref}._live"
    return f" {kind} JOIN ({versions.relation.sql}) {ref} ON {condition} AND {now}"


def _conjuncts(condition: Any) -> list[Any]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return [part for side in (condition.this, condition.expression) for part in _conjuncts(side)]
    return [condition]


def unnested(value: Value, node: Any) -> tuple[tuple[Column, ...], str]:
    """The columns and the lateral text of UNNEST."""
    kind = value.type
    if kind.kind == "ARRAY" and kind.items[0].kind == "ROW":
        row = kind.items[0]
        columns = unique_columns(
            [(name, item, None) for name, item in zip(row.names, row.items, strict=True)]
        )
        picked = ", ".join(f"_e.{quote(name)} AS {c.sql}" for name, c in zip(row.names, columns, strict=True))
        items = value.sql
    elif kind.kind == "ARRAY":
        columns = unique_columns([("EXPR$0", kind.items[0], None)])
        picked, items = f"_e AS {columns[0].sql}", value.sql
    elif kind.kind == "MAP":
        columns = unique_columns([("KEY", kind.items[0], None), ("VALUE", kind.items[1], None)])
        picked = f"_e.key AS {columns[0].sql}, _e.value AS {columns[1].sql}"
        items = f"map_entries({value.sql})"
    elif kind.kind == "MULTISET":
        columns = unique_columns([("EXPR$0", kind.items[0], None)])
        picked = f"_e AS {columns[0].sql}"
        items = f"flatten(list_transform(map_entries({value.sql}), lambda e: list_transform(range(e.value), lambda i: e.key)))"
    else:
        raise refuse(f"UNNEST of {kind}", node, "unnest an ARRAY, a MAP or a MULTISET")
    sql = (
        f"SELECT {picked}, CAST(_o AS INTEGER) AS _o FROM (SELECT unnest({items}) AS _e, "
        f"unnest(range(1, len({items}) + 1)) AS _o)"
    )
    return columns, sql


__all__ = ["LOWEST", "FromBuilder", "Source", "Type", "View", "unnested"]
