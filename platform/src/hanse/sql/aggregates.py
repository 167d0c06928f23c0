"""The aggregate functions, with Flink's result types, over groups and over windows of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hanse.sql.casts import cast, divide_decimal
from hanse.sql.relation import Value, refuse
from hanse.sql.types import BIGINT, DOUBLE, INT, STRING, Type, array, decimal


@dataclass(frozen=True, slots=True)
class Call:
    """An aggregate call: lowered arguments, DISTINCT, FILTER, and how rows are ordered by arrival.

    `over` is the text of the OVER clause, or empty; `arrival` orders a group's rows, `backwards` the
    rows of a frame from the last to the first.
    """

    name: str
    args: list[Value]
    distinct: bool
    condition: str
    over: str
    arrival: str
    zone: str
    node: Any
    backwards: str = ""

    def text(self, name: str, args: str, *, order: str = "", nulls: str = "") -> str:
        """The DuckDB call with this call's modifiers."""
        inside = ("DISTINCT " if self.distinct else "") + args
        if order and not self.over:
            inside += f" ORDER BY {order}"
        if nulls:
            inside += f" {nulls}"
        filtered = f" FILTER (WHERE {self.condition})" if self.condition else ""
        return f"{name}({inside}){filtered}{self.over}"


def _count(call: Call) -> Value:
    if not call.args:
        return Value(call.text("count", "*"), BIGINT)
    if len(call.args) > 1:
        tuple_sql = "(" + ", ".join(arg.sql for arg in call.args) + ")"
        nulls = " OR ".join(f"{arg.sql} IS NULL" for arg in call.args)
        return Value(call.text("count", f"CASE WHEN {nulls} THEN NULL ELSE {tuple_sql} END"), BIGINT)
    return Value(call.text("count", call.args[0].sql), BIGINT)


def _numeric(call: Call) -> Value:
    value = call.args[0]
    if value.type.kind == "NULL":
        return Value("CAST(NULL AS INTEGER)", INT)
    if not value.type.is_numeric:
        raise refuse(f"{call.name} of {value.type}", call.node, "cast it to a number")
    return value


def _sum(call: Call) -> Value:
    value = _numeric(call)
    kind = decimal(38, value.type.scale) if value.type.kind == "DECIMAL" else value.type
    return Value(f"CAST({call.text('sum', value.sql)} AS {kind.duckdb})", kind)


def _sum0(call: Call) -> Value:
    total = _sum(call)
    return Value(f"coalesce({total.sql}, 0)", total.type)


def _avg(call: Call) -> Value:
    value = _numeric(call)
    total, count = call.text("sum", value.sql), call.text("count", value.sql)
    if value.type.is_integer:
        return Value(f"CAST({total} // nullif({count}, 0) AS {value.type.duckdb})", value.type)
    if value.type.kind == "DECIMAL":
        kind = decimal(38, max(6, value.type.scale))
        inner = decimal(38, value.type.scale)
        mean = divide_decimal(total, inner, count, decimal(19, 0), kind)
        return Value(f"(CASE WHEN {count} > 0 THEN {mean} END)", kind)
    return Value(f"CAST({total} / nullif({count}, 0) AS {value.type.duckdb})", value.type)


def _extreme(call: Call) -> Value:
    value = call.args[0]
    return Value(call.text(call.name.lower(), value.sql), value.type)


_DEVIATIONS = {
    "STDDEV": "stddev_samp", "STDDEV_POP": "stddev_pop", "STDDEV_SAMP": "stddev_samp", "VARIANCE": "var_samp",
    "VAR_POP": "var_pop", "VAR_SAMP": "var_samp",
}  # fmt: skip


def _deviation(call: Call) -> Value:
    value = _numeric(call)
    if value.type.is_integer:
        return _whole_deviation(call, value)
    sql = call.text(_DEVIATIONS[call.name], f"CAST({value.sql} AS DOUBLE)")
    if value.type.kind in ("FLOAT", "DOUBLE"):
        return Value(sql, DOUBLE)
    kind = decimal(38, max(6, value.type.scale))
    return Value(f"CAST({sql} AS {kind.duckdb})", kind)


def _whole_deviation(call: Call, value: Value) -> Value:
    """Of integers Flink works it out in integers, each division truncating."""
    wide = f"CAST({value.sql} AS HUGEINT)"
    squares, total = call.text("sum", f"{wide} * {wide}"), call.text("sum", wide)
    count = call.text("count", value.sql)
    sample = _DEVIATIONS[call.name].endswith("samp")
    below = f"nullif({count} - 1, 0)" if sample else f"nullif({count}, 0)"
    spread = f"((CAST({squares} AS HUGEINT) - (CAST({total} AS HUGEINT) * CAST({total} AS HUGEINT)) // nullif({count}, 0)) // {below})"
    if _DEVIATIONS[call.name].startswith("stddev"):
        spread = f"trunc(sqrt(CAST({spread} AS DOUBLE)))"
    return Value(f"CAST({spread} AS {value.type.duckdb})", value.type)


def _first_last(call: Call) -> Value:
    value = call.args[0]
    if call.over:
        name = "first_value" if call.name == "FIRST_VALUE" else "last_value"
        return Value(call.text(name, value.sql, nulls="IGNORE NULLS"), value.type)
    name = "arg_min" if call.name == "FIRST_VALUE" else "arg_max"
    condition = f"{value.sql} IS NOT NULL" + (f" AND {call.condition}" if call.condition else "")
    return Value(f"{name}({value.sql}, {call.arrival}) FILTER (WHERE {condition})", value.type)


def _listagg(call: Call) -> Value:
    text = cast(call.args[0], STRING, call.zone)
    separator = call.args[1].sql if len(call.args) > 1 else "','"
    if call.distinct:
        ordered = (
            f"list({text} ORDER BY {call.arrival}) FILTER (WHERE {text} IS NOT NULL{_and(call)}){call.over}"
        )
        unique = f"list_filter({ordered}, lambda e, i: list_position({ordered}, e) = i)"
        return Value(f"array_to_string({unique}, {separator})", STRING)
    return Value(call.text("string_agg", f"{text}, {separator}", order=call.arrival), STRING)


def _and(call: Call) -> str:
    return f" AND {call.condition}" if call.condition else ""


def _collect(call: Call) -> Value:
    value = call.args[0]
    kind = Type("MULTISET", items=(value.type,))
    filtered = f" FILTER (WHERE {value.sql} IS NOT NULL{_and(call)}){call.over}"
    if call.distinct:
        items = f"list(DISTINCT {value.sql}){filtered}"
        return Value(f"coalesce(map({items}, list_transform({items}, lambda e: 1)), map())", kind)
    counts = f"CAST(histogram({value.sql}){filtered} AS {kind.duckdb})"
    return Value(f"coalesce({counts}, CAST(map() AS {kind.duckdb}))", kind)


def _array_agg(call: Call) -> Value:
    value = call.args[0]
    return Value(call.text("list", value.sql, order=call.arrival), array(value.type))


def _json_arrayagg(call: Call) -> Value:
    value = call.args[0]
    keep = "" if call.node.args.get("on_null") == "NULL" else f" FILTER (WHERE {value.sql} IS NOT NULL)"
    return Value(
        f"coalesce(CAST(to_json(list({value.sql} ORDER BY {call.arrival}){keep}) AS VARCHAR), '[]')", STRING
    )


def _json_objectagg(call: Call) -> Value:
    key, value = call.args
    pair = f"to_json({key.sql}) || ':' || coalesce(CAST(to_json({value.sql}) AS VARCHAR), 'null')"
    absent = call.node.args.get("on_null") == "ABSENT"
    keep = f" FILTER (WHERE {value.sql} IS NOT NULL)" if absent else ""
    return Value(f"('{{' || coalesce(string_agg({pair}, ',' ORDER BY {key.sql}){keep}, '') || '}}')", STRING)


def _percentile(call: Call) -> Value:
    share = call.args[1]
    kind = array(DOUBLE) if share.type.kind == "ARRAY" else DOUBLE
    return Value(call.text("quantile_cont", f"CAST({call.args[0].sql} AS DOUBLE), {share.sql}"), kind)


AGGREGATES: dict[str, Callable[[Call], Value]] = {
    "COUNT": _count,
    "SUM": _sum,
    "$SUM0": _sum0,
    "AVG": _avg,
    "MIN": _extreme,
    "MAX": _extreme,
    "STDDEV": _deviation,
    "STDDEV_POP": _deviation,
    "STDDEV_SAMP": _deviation,
    "VARIANCE": _deviation,
    "VAR_POP": _deviation,
    "VAR_SAMP": _deviation,
    "FIRST_VALUE": _first_last,
    "LAST_VALUE": _first_last,
    "LISTAGG": _listagg,
    "COLLECT": _collect,
    "ARRAY_AGG": _array_agg,
    "PERCENTILE": _percentile,
    "JSON_ARRAYAGG": _json_arrayagg,
    "JSON_OBJECTAGG": _json_objectagg,
}
"""By name; `SINGLE_VALUE` is internal to scalar subqueries and needs no entry."""


def ranking(call: Call) -> Value | None:
    """ROW_NUMBER, RANK and the other functions that exist only over a window; None for the rest."""
    args = [arg.sql for arg in call.args]
    match call.name:
        case "ROW_NUMBER" | "RANK" | "DENSE_RANK":
            return Value(f"{call.name.lower()}(){call.over}", BIGINT)
        case "PERCENT_RANK" | "CUME_DIST":
            return Value(f"{call.name.lower()}(){call.over}", DOUBLE)
        case "NTILE":
            return Value(f"ntile({args[0]}){call.over}", BIGINT)
        case "LAG":
            back = args[1] if len(args) > 1 else "1"
            found = f"nth_value({args[0]}, {back} + 1 ORDER BY {call.backwards}){call.over}"
            return Value(f"coalesce({found}, {args[2]})" if len(args) > 2 else found, call.args[0].type)
        case _:
            return None


RANKING = ("ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LAG")
