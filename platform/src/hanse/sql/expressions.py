"""Scalar expressions: names resolved, types derived as in Flink, text lowered for DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from hanse.sql import dialect as ast
from hanse.sql.casts import cast, divide_decimal
from hanse.sql.functions import FUNCTIONS, json_call
from hanse.sql.relation import Binding, Column, Scope, Value, refuse
from hanse.sql.temporal import DAY_UNITS, extract, interval, round_to, unit_name
from hanse.sql.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    INTERVAL,
    NULL,
    STRING,
    TIMESTAMP_LTZ,
    Type,
    TypeSyntax,
    as_decimal,
    common,
    decimal,
    literal,
    parse_type,
    quote,
)

if TYPE_CHECKING:
    from hanse.sql.query import QueryCompiler

MAX_DEPTH = 400
_COMPARE = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
NONDETERMINISTIC = (
    "RAND", "RAND_INTEGER", "UUID", "NOW", "CURRENT_TIMESTAMP", "CURRENT_ROW_TIMESTAMP", "LOCALTIMESTAMP",
    "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "UNIX_TIMESTAMP", "CURRENT_DATABASE",
)  # fmt: skip


class ExpressionCompiler:
    """Lowers expressions in a scope. `query` lowers subqueries; `zone` is the session's time zone."""

    processing_time = "make_timestamptz(0)"
    """What PROCTIME() reads as: in a query every row is processed at one moment."""

    def __init__(self, query: QueryCompiler, scope: Scope) -> None:
        self.query = query
        self.scope = scope
        self.zone = query.zone
        self.depth = 0

    def value(self, node: Any) -> Value:
        """The lowered expression. Raises UnsupportedSQL."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise refuse("an expression nested this deep", node, f"nest at most {MAX_DEPTH} levels")
        try:
            return self._value(node)
        finally:
            self.depth -= 1

    def _value(self, node: Any) -> Value:
        kind = type(node)
        if kind in _COMPARE:
            return self._compare(node, _COMPARE[kind])
        if kind in _ARITHMETIC:
            return self._arithmetic(node, _ARITHMETIC[kind])
        handler = self.HANDLERS.get(kind)
        if handler is None:
            raise refuse(_clause(node), node, "see the language reference for what there is")
        return handler(self, node)

    def boolean(self, node: Any) -> str:
        """The text of a condition."""
        value = self.value(node)
        if value.type.kind not in ("BOOLEAN", "NULL"):
            raise refuse(f"a condition of type {value.type}", node, "compare it with something")
        return value.sql

    # names

    def _column(self, node: exp.Column) -> Value:
        if isinstance(node.this, exp.Star):
            raise refuse("* here", node, "name the columns")
        parts = [part.name for part in node.parts]
        found = self.resolve(parts)
        if found is None:
            if len(parts) == 1:
                special = self._niladic(node)
                if special is not None:
                    return special
            raise refuse(f"the unknown column {'.'.join(parts)}", node, self._suggest(parts[-1]))
        return found

    def _niladic(self, node: exp.Column) -> Value | None:
        name = node.name.upper()
        if name in NONDETERMINISTIC:
            raise refuse(name, node, "use an event-time column: a replay must give the same rows")
        return None

    def _suggest(self, name: str) -> str:
        names = sorted({column.name for _, column in self.scope.visible()})
        same = [known for known in names if known.lower() == name.lower()]
        if same:
            return f"names are case-sensitive: write {same[0]}"
        return f"there are: {', '.join(names[:12])}" if names else "there are no columns here"

    def resolve(self, parts: list[str]) -> Value | None:
        """The column, or field of a row column, that a dotted name means; None when there is none."""
        scope: Scope | None = self.scope
        while scope is not None:
            for split in (len(parts) - 1, *range(len(parts) - 2, -1, -1)):
                if split < 0:
                    continue
                found = self._lookup(scope, parts[:split], parts[split])
                if found is not None:
                    column, ref = found
                    if scope is not self.scope:
                        self.scope.correlated.append(column)
                    value = Value(ref, column.type, column.role)
                    return self._fields(value, parts[split + 1 :])
            scope = scope.parent
        return None

    def _lookup(self, scope: Scope, table: list[str], name: str) -> tuple[Column, str] | None:
        matches: list[tuple[Binding, Column]] = []
        for binding in scope.bindings:
            if table and binding.alias != table[-1] and binding.alias != ".".join(table):
                continue
            matches += [
                (binding, column)
                for column in binding.columns
                if column.name == name and (table or name not in binding.hidden)
            ]
        if not matches:
            return None
        binding, column = matches[0]
        return column, f"{binding.ref}.{column.sql}" if binding.ref else column.sql

    def _fields(self, value: Value, names: list[str]) -> Value | None:
        for name in names:
            if value.type.kind != "ROW" or name not in value.type.names:
                return None
            item = value.type.items[value.type.names.index(name)]
            value = Value(f"struct_extract({value.sql}, {literal(name)})", item)
        return value

    def _dot(self, node: exp.Dot) -> Value:
        base = self.value(node.this)
        found = self._fields(base, [node.expression.name])
        if found is None:
            raise refuse(f"the unknown field {node.expression.name}", node, f"the value is {base.type}")
        return found

    def _bracket(self, node: exp.Bracket) -> Value:
        base = self.value(node.this)
        key = self.value(node.expressions[0])
        if base.type.kind == "ARRAY":
            return Value(f"({base.sql})[{key.sql}]", base.type.items[0])
        if base.type.kind in ("MAP", "MULTISET"):
            item = base.type.items[1] if base.type.kind == "MAP" else INT
            return Value(f"({base.sql})[CAST({key.sql} AS {base.type.items[0].duckdb})]", item)
        if base.type.kind == "ROW" and key.constant and key.sql.isdigit():
            at = int(key.sql) - 1
            return Value(f"struct_extract({base.sql}, {literal(base.type.names[at])})", base.type.items[at])
        raise refuse(f"[…] on {base.type}", node, "use it on an ARRAY or a MAP")

    # literals

    def _literal(self, node: exp.Literal) -> Value:
        text = node.this
        if node.is_string:
            return Value(literal(text), Type("STRING", len(text), fixed=True), constant=True)
        if "e" in text.lower():
            return Value(f"CAST({text} AS DOUBLE)", DOUBLE, constant=True)
        if "." in text:
            whole, _, part = text.partition(".")
            kind = decimal(max(len(whole.lstrip("0")) + len(part), 1), len(part))
            return Value(f"CAST({text} AS {kind.duckdb})", kind, constant=True)
        if int(text) > 2**63 - 1:
            kind = decimal(len(text), 0)
            return Value(f"CAST({text} AS {kind.duckdb})", kind, constant=True)
        return Value(text, INT if int(text) < 2**31 else BIGINT, constant=True)

    def _boolean_literal(self, node: exp.Boolean) -> Value:
        return Value("TRUE" if node.this else "FALSE", BOOLEAN, constant=True)

    def _null(self, _: exp.Null) -> Value:
        return Value("NULL", NULL, constant=True)

    def _interval(self, node: exp.Interval) -> Value:
        sql, kind = interval(node)
        return Value(sql, kind, constant=True)

    # operators

    def _compare(self, node: exp.Binary, operator: str) -> Value:
        left, right = self.value(node.this), self.value(node.expression)
        a, b = self._aligned(left, right, node)
        return Value(f"({a} {operator} {b})", BOOLEAN)

    def _aligned(self, left: Value, right: Value, node: Any) -> tuple[str, str]:
        """Both sides in one type, so that DuckDB compares as Flink would."""
        if left.type.kind == right.type.kind and left.type.kind != "DECIMAL":
            return left.sql, right.sql
        if "NULL" in (left.type.kind, right.type.kind):
            return left.sql, right.sql
        for one, other in ((left, right), (right, left)):
            if one.type.kind == "STRING" and other.type.kind != "STRING":
                sql = cast(one, other.type, self.zone, safe=False)
                return (sql, other.sql) if one is left else (other.sql, sql)
        try:
            kind = common(left.type, right.type)
        except TypeError as error:
            raise refuse(f"comparing {left.type} with {right.type}", node, "cast one side") from error
        if kind.is_numeric:
            return left.sql, right.sql
        return cast(left, kind, self.zone), cast(right, kind, self.zone)

    def _distinct_from(self, node: exp.Binary) -> Value:
        left, right = self.value(node.this), self.value(node.expression)
        a, b = self._aligned(left, right, node)
        word = "IS DISTINCT FROM" if isinstance(node, exp.NullSafeNEQ) else "IS NOT DISTINCT FROM"
        return Value(f"({a} {word} {b})", BOOLEAN)

    def _arithmetic(self, node: exp.Binary, operator: str) -> Value:
        left, right = self.value(node.this), self.value(node.expression)
        if left.type.is_time or right.type.is_time or left.type.kind.startswith("INTERVAL"):
            return self._time_arithmetic(left, right, operator, node)
        if left.type.kind == "STRING" or right.type.kind == "STRING":
            if operator == "+" and left.type.kind == right.type.kind:
                return Value(f"({left.sql} || {right.sql})", STRING)
            left, right = (
                Value(cast(side, DOUBLE, self.zone), DOUBLE) if side.type.kind == "STRING" else side
                for side in (left, right)
            )
        if left.type.kind == "NULL" and right.type.kind == "NULL":
            return Value("CAST(NULL AS INTEGER)", INT)
        if "NULL" in (left.type.kind, right.type.kind):
            kind = right.type if left.type.kind == "NULL" else left.type
            return Value(f"CAST(NULL AS {kind.duckdb})", kind)
        if not (left.type.is_numeric and right.type.is_numeric):
            raise refuse(f"{left.type} {operator} {right.type}", node, "cast both sides to numbers")
        return self.arithmetic(left, right, operator)

    def arithmetic(self, left: Value, right: Value, operator: str) -> Value:
        """Numbers as Flink has them: integers stay integers, decimals get their derived precision."""
        kind = common(left.type, right.type)
        if kind.kind == "DECIMAL":
            return self._decimal(left, right, operator)
        if kind.kind in ("FLOAT", "DOUBLE"):
            a, b = (
                side.sql if side.type == kind else f"CAST({side.sql} AS {kind.duckdb})"
                for side in (left, right)
            )
            if operator in "/%" and not (right.constant and right.sql.strip("0.") != ""):
                return Value(_float_quotient(a, b, operator, kind), kind)
            return Value(f"({a} {operator} {b})", kind)
        symbol = "//" if operator == "/" else operator
        if operator == "%":
            kind = right.type
        a, b = (side.sql for side in (left, right))
        if symbol in ("//", "%") and not (right.constant and right.sql.strip("0") != ""):
            b = f"nullif({b}, 0)"
        if symbol in "+-*":
            wide = "HUGEINT" if kind.kind == "BIGINT" else "BIGINT"
            if left.constant and right.constant:
                return Value(f"CAST({a} {symbol} {b} AS {kind.duckdb})", kind, constant=True)
            return (
                Value(f"CAST((CAST({a} AS {wide}) {symbol} {b}) AS {kind.duckdb})", kind)
                if kind.kind != ("BIGINT")
                else Value(f"({a} {symbol} {b})", kind)
            )
        return Value(f"CAST(({a} {symbol} {b}) AS {kind.duckdb})", kind)

    def _decimal(self, left: Value, right: Value, operator: str) -> Value:
        a, b = as_decimal(left.type), as_decimal(right.type)
        p1, s1, p2, s2 = a.size or 0, a.scale, b.size or 0, b.scale
        if operator == "/":
            scale = max(6, s1 + p2 + 1)
            kind = decimal(p1 - s1 + s2 + scale, scale)
            return Value(divide_decimal(left.sql, a, right.sql, b, kind), kind)
        if operator == "*":
            kind = decimal(p1 + p2, s1 + s2)
        elif operator == "%":
            scale = max(s1, s2)
            kind = decimal(min(p1 - s1, p2 - s2) + scale, scale)
        else:
            scale = max(s1, s2)
            kind = decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
        x, y = (
            side.sql if side.type.kind == "DECIMAL" else f"CAST({side.sql} AS {t.duckdb})"
            for side, t in ((left, a), (right, b))
        )
        return Value(f"CAST(({x} {operator} {y}) AS {kind.duckdb})", kind)

    def _time_arithmetic(self, left: Value, right: Value, operator: str, node: Any) -> Value:
        if right.type.is_time and left.type.kind.startswith("INTERVAL") and operator == "+":
            left, right = right, left
        if left.type.kind.startswith("INTERVAL") and right.type.is_numeric and operator == "*":
            return Value(f"({left.sql} * {right.sql})", left.type)
        if left.type.kind.startswith("INTERVAL") and right.type.kind.startswith("INTERVAL"):
            return Value(f"({left.sql} {operator} {right.sql})", left.type)
        if not (left.type.is_time and right.type.kind.startswith("INTERVAL") and operator in "+-"):
            raise refuse(f"{left.type} {operator} {right.type}", node, "use TIMESTAMPDIFF or an INTERVAL")
        if left.type.kind == "DATE":
            return Value(f"CAST(({left.sql} {operator} {right.sql}) AS DATE)", DATE)
        if left.type.kind == "TIMESTAMP_LTZ" and right.type.kind == "INTERVAL_DAY":
            # a day is 24 hours of an instant, whatever the zone's clock does
            ms = f"CAST(extract('epoch' FROM {right.sql}) * 1000000 AS BIGINT)"
            return Value(f"make_timestamptz(epoch_us({left.sql}) {operator} {ms})", left.type)
        return Value(f"({left.sql} {operator} {right.sql})", left.type)

    def _overlaps(self, node: exp.Overlaps) -> Value:
        """Whether two periods, each from a start to an end or over an interval, share a moment."""
        ends: list[tuple[str, str]] = []
        for side in (node.this, node.expression):
            if not isinstance(side, exp.Tuple) or len(side.expressions) != 2:
                raise refuse(
                    "OVERLAPS of what is no period", node, "write (start, end) OVERLAPS (start, end)"
                )
            start, end = (self.value(item) for item in side.expressions)
            if end.type.kind.startswith("INTERVAL"):
                end = self._time_arithmetic(start, end, "+", node)
            ends.append((f"least({start.sql}, {end.sql})", f"greatest({start.sql}, {end.sql})"))
        (first, last), (begin, finish) = ends
        return Value(f"({last} >= {begin} AND {finish} >= {first})", BOOLEAN)

    def _negate(self, node: exp.Neg) -> Value:
        value = self.value(node.this)
        return Value(f"(-{value.sql})", value.type, constant=value.constant)

    def _not(self, node: exp.Not) -> Value:
        return Value(f"(NOT {self.boolean(node.this)})", BOOLEAN)

    def _logic(self, node: exp.Connector) -> Value:
        word = "AND" if isinstance(node, exp.And) else "OR"
        parts = [self.boolean(part) for part in node.flatten()]
        return Value("(" + f" {word} ".join(parts) + ")", BOOLEAN)

    def _paren(self, node: exp.Paren) -> Value:
        return self.value(node.this)

    def _is(self, node: exp.Is) -> Value:
        value = self.value(node.this)
        other = node.expression
        word = "NULL" if isinstance(other, exp.Null) else ("TRUE" if other.this else "FALSE")
        return Value(f"({value.sql} IS {word})", BOOLEAN)

    def _between(self, node: exp.Between) -> Value:
        low, high = node.args["low"], node.args["high"]
        inside = self._within(node.this, low, high)
        if node.args.get("symmetric"):
            inside = f"({inside} OR {self._within(node.this, high, low)})"
        return Value(inside, BOOLEAN)

    def _within(self, item: Any, low: Any, high: Any) -> str:
        above = self._compare(exp.GTE(this=item.copy(), expression=low.copy()), ">=")
        below = self._compare(exp.LTE(this=item.copy(), expression=high.copy()), "<=")
        return f"({above.sql} AND {below.sql})"

    def _in(self, node: exp.In) -> Value:
        query = node.args.get("query")
        if query is not None:
            return self.query.in_subquery(self, node.this, query)
        left = self.value(node.this)
        parts = []
        for item in node.expressions:
            a, b = self._aligned(left, self.value(item), item)
            parts.append((a, b))
        if all(a == left.sql for a, _ in parts):
            return Value(f"({left.sql} IN ({', '.join(b for _, b in parts)}))", BOOLEAN)
        return Value("(" + " OR ".join(f"{a} = {b}" for a, b in parts) + ")", BOOLEAN)

    def _exists(self, node: exp.Exists) -> Value:
        return self.query.exists(self, node.this)

    def _subquery(self, node: exp.Subquery | exp.Select) -> Value:
        return self.query.scalar_subquery(self, node)

    def _like(self, node: exp.Like | exp.SimilarTo | exp.Escape) -> Value:
        escape = ""
        if isinstance(node, exp.Escape):
            escape = f" ESCAPE {self.value(node.expression).sql}"
            node = node.this
        left, right = self.value(node.this), self.value(node.expression)
        word = "SIMILAR TO" if isinstance(node, exp.SimilarTo) else "LIKE"
        pattern = right.sql
        if word == "SIMILAR TO":
            pattern = f"replace(replace({pattern}, '%', '.*'), '_', '.')"
        elif not escape:
            escape = " ESCAPE '\\'"
        word = f"NOT {word}" if node.args.get("negate") else word
        return Value(f"({left.sql} {word} {pattern}{escape})", BOOLEAN)

    def _concat(self, node: exp.DPipe) -> Value:
        left, right = self.value(node.this), self.value(node.expression)
        if left.type.kind == "ARRAY":
            return Value(f"list_concat({left.sql}, {right.sql})", left.type)
        return Value(f"({cast(left, STRING, self.zone)} || {cast(right, STRING, self.zone)})", STRING)

    def _case(self, node: exp.Case) -> Value:
        subject = node.this
        whens, results = [], []
        for branch in node.args["ifs"]:
            condition = branch.this
            if subject is not None:
                condition = exp.EQ(this=subject.copy(), expression=condition.copy())
            whens.append(self.boolean(condition))
            results.append(self.value(branch.args["true"]))
        default = node.args.get("default")
        results.append(self.value(default) if default is not None else Value("NULL", NULL))
        kind = self.common_type(results, node)
        texts = [self.convert(result, kind) for result in results]
        arms = " ".join(f"WHEN {when} THEN {then}" for when, then in zip(whens, texts, strict=False))
        return Value(f"(CASE {arms} ELSE {texts[-1]} END)", kind)

    def common_type(self, values: list[Value], node: Any) -> Type:
        """The least type of all. Raises UnsupportedSQL."""
        kind = NULL
        for value in values:
            try:
                kind = common(kind, value.type)
            except TypeError as error:
                raise refuse(f"mixing {kind} and {value.type}", node, "cast them to one type") from error
        return Type("STRING") if kind.kind == "STRING" else kind

    def convert(self, value: Value, kind: Type) -> str:
        """The value's text in `kind`, when it is not of it yet."""
        return (
            value.sql
            if value.type == kind or value.type.kind == kind.kind == "STRING"
            else cast(value, kind, self.zone)
        )

    def _cast(self, node: exp.Cast) -> Value:
        value = self.value(node.this)
        safe = isinstance(node, exp.TryCast)
        try:
            kind = parse_type(node.args["to"].name)
        except TypeSyntax as error:
            raise refuse(str(error), node.args["to"], "use a type of the language") from error
        role = value.role if kind.kind == value.type.kind and value.type.is_time else None
        return Value(cast(value, kind, self.zone, safe=safe), kind, role, value.constant)

    def _extract(self, node: exp.Extract) -> Value:
        return extract(node.this.name, self.value(node.expression), node, self.zone)

    def _round_to(self, node: ast.RoundTo) -> Value:
        return round_to(self.value(node.this), node.args["unit"], bool(node.args.get("up")), node, self.zone)

    def _array(self, node: exp.Array) -> Value:
        values = [self.value(item) for item in node.expressions]
        kind = self.common_type(values, node)
        return Value(
            "[" + ", ".join(self.convert(v, kind) for v in values) + "]", Type("ARRAY", items=(kind,))
        )

    def _tuple(self, node: exp.Tuple) -> Value:
        return self.row([self.value(item) for item in node.expressions])

    def row(self, values: list[Value]) -> Value:
        """ROW(…): fields are called EXPR$0, EXPR$1 and so on."""
        names = tuple(f"EXPR${number}" for number in range(len(values)))
        fields = ", ".join(f"{quote(n)} := {v.sql}" for n, v in zip(names, values, strict=True))
        return Value(f"struct_pack({fields})", Type("ROW", items=tuple(v.type for v in values), names=names))

    def _json(self, node: ast.JsonCall) -> Value:
        return json_call(self, node)

    def _is_json(self, node: ast.IsJson) -> Value:
        value = self.value(node.this)
        test = f"json_valid({value.sql})"
        want = {"OBJECT": "'OBJECT'", "ARRAY": "'ARRAY'"}.get(node.args.get("kind") or "")
        if want:
            test = f"(CASE WHEN json_valid({value.sql}) THEN json_type({value.sql}) = {want} ELSE FALSE END)"
        elif node.args.get("kind") == "SCALAR":
            test = f"(CASE WHEN json_valid({value.sql}) THEN json_type({value.sql}) NOT IN ('OBJECT', 'ARRAY') ELSE FALSE END)"
        return Value(f"coalesce({test}, FALSE)", BOOLEAN)

    def _call(self, node: exp.Anonymous) -> Value:
        name = str(node.name).upper()
        if name in NONDETERMINISTIC and not (name == "UNIX_TIMESTAMP" and node.expressions):
            raise refuse(name, node, "use an event-time column: a replay must give the same rows")
        if name in ("TIMESTAMPADD", "TIMESTAMPDIFF"):
            unit = unit_name(node.expressions[0])
            args = [self.value(arg) for arg in node.expressions[1:]]
            return FUNCTIONS[name].build(self, [Value(unit, STRING, constant=True), *args], node)
        function = FUNCTIONS.get(name)
        if function is None:
            raise refuse(
                f"the function {name}", node, "see the language reference for the functions there are"
            )
        args = [self.value(arg) for arg in node.expressions]
        low, high = function.arity
        if not low <= len(args) <= high:
            raise refuse(f"{name} with {len(args)} arguments", node, function.signature)
        return function.build(self, args, node)

    def _window(self, node: exp.Window) -> Value:
        return self.query.over(self, node)

    HANDLERS: ClassVar[dict[type[Any], Callable[[Any, Any], Value]]] = {
        exp.Column: _column,
        exp.Dot: _dot,
        exp.Bracket: _bracket,
        exp.Literal: _literal,
        exp.Boolean: _boolean_literal,
        exp.Null: _null,
        exp.Interval: _interval,
        exp.NullSafeEQ: _distinct_from,
        exp.NullSafeNEQ: _distinct_from,
        exp.Neg: _negate,
        exp.Overlaps: _overlaps,
        exp.Not: _not,
        exp.And: _logic,
        exp.Or: _logic,
        exp.Paren: _paren,
        exp.Is: _is,
        exp.Between: _between,
        exp.In: _in,
        exp.Exists: _exists,
        exp.Subquery: _subquery,
        exp.Select: _subquery,
        exp.Like: _like,
        exp.SimilarTo: _like,
        exp.Escape: _like,
        exp.DPipe: _concat,
        exp.Case: _case,
        exp.Cast: _cast,
        exp.TryCast: _cast,
        exp.Extract: _extract,
        ast.RoundTo: _round_to,
        exp.Array: _array,
        exp.Tuple: _tuple,
        ast.JsonCall: _json,
        ast.IsJson: _is_json,
        exp.Anonymous: _call,
        exp.Window: _window,
    }


def _float_quotient(a: str, b: str, operator: str, kind: Type) -> str:
    """IEEE division: by zero it is an infinity or not a number, where DuckDB would stop."""
    if operator == "%":
        return f"({a} % nullif({b}, 0))"
    zero = f"CASE WHEN {a} > 0 THEN CAST('inf' AS {kind.duckdb}) WHEN {a} < 0 THEN CAST('-inf' AS {kind.duckdb}) "
    return f"(CASE WHEN {b} = 0 THEN {zero}WHEN {a} = 0 THEN CAST('nan' AS {kind.duckdb}) END ELSE {a} / nullif({b}, 0) END)"


def _clause(node: Any) -> str:
    return str(getattr(node, "key", type(node).__name__)).upper()


__all__ = ["DAY_UNITS", "INTERVAL", "NONDETERMINISTIC", "TIMESTAMP_LTZ", "ExpressionCompiler"]
