"""Functions of points in time."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.sql.casts import cast
from hanse.sql.functions.registry import function
from hanse.sql.relation import LOWEST, Value, refuse
from hanse.sql.temporal import DAY_UNITS, extract, java_pattern
from hanse.sql.types import BIGINT, DATE, INT, STRING, TIMESTAMP, TIMESTAMP_LTZ, literal
from hanse.sql.windows import row_watermark

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler


@function("PROCTIME()")
def _proctime(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(compiler.processing_time, TIMESTAMP_LTZ, "proctime")


@function("TO_TIMESTAMP(s, [pattern])")
def _to_timestamp(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text = cast(values[0], STRING, compiler.zone)
    if len(values) > 1:
        pattern = literal(java_pattern(values[1].sql[1:-1].replace("''", "'"), node))
        return Value(f"try_strptime({text}, {pattern})", TIMESTAMP)
    # a day that the month lacks is its last one, up to the 31st
    first = f"TRY_CAST(left({text}, 8) || '01' AS DATE)"
    last = f"TRY_CAST(strftime(last_day({first}), '%Y-%m-%d') || substring({text}, 11) AS TIMESTAMP)"
    clamped = f"CASE WHEN regexp_matches({text}, '^\\d{{4}}-\\d{{2}}-(29|30|31)') THEN {last} END"
    return Value(f"date_trunc('millisecond', coalesce(TRY_CAST({text} AS TIMESTAMP), {clamped}))", TIMESTAMP)


@function("TO_TIMESTAMP_LTZ(x, [precision])")
def _to_timestamp_ltz(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    value = values[0]
    if value.type.kind == "STRING":
        local = _to_timestamp(compiler, values, node)
        return Value(f"timezone({literal(compiler.zone)}, {local.sql})", TIMESTAMP_LTZ)
    wide = "BIGINT" if value.type.is_integer else value.type.duckdb
    factor = 1_000_000 if len(values) > 1 and values[1].sql == "0" else 1000
    return Value(f"make_timestamptz(CAST(CAST({value.sql} AS {wide}) * {factor} AS BIGINT))", TIMESTAMP_LTZ)


@function("TO_DATE(s, [pattern])")
def _to_date(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text = values[0].sql
    if len(values) > 1:
        pattern = literal(java_pattern(values[1].sql[1:-1].replace("''", "'"), node))
        return Value(f"CAST(try_strptime({text}, {pattern}) AS DATE)", DATE)
    return Value(f"TRY_CAST({text} AS DATE)", DATE)


@function("DATE_FORMAT(time, pattern)")
def _date_format(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    value = values[0]
    if not values[1].constant:
        raise refuse("DATE_FORMAT with a computed pattern", node, "write the pattern as a string")
    pattern = java_pattern(values[1].sql[1:-1].replace("''", "'"), node)
    sql = value.sql
    if value.type.kind == "TIMESTAMP_LTZ":
        sql = f"timezone({literal(compiler.zone)}, {sql})"
    elif value.type.kind == "STRING":
        sql = f"TRY_CAST({sql} AS TIMESTAMP)"
    return Value(f"strftime({sql}, {literal(pattern)})", STRING)


@function("FROM_UNIXTIME(seconds, [pattern])")
def _from_unixtime(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    pattern = values[1].sql[1:-1].replace("''", "'") if len(values) > 1 else "yyyy-MM-dd HH:mm:ss"
    local = f"timezone({literal(compiler.zone)}, make_timestamptz(CAST({values[0].sql} AS BIGINT) * 1000000))"
    return Value(f"strftime({local}, {literal(java_pattern(pattern, node))})", STRING)


@function("UNIX_TIMESTAMP(s, [pattern])")
def _unix_timestamp(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    local = _to_timestamp(compiler, values, node).sql
    return Value(f"CAST(epoch(timezone({literal(compiler.zone)}, {local})) AS BIGINT)", BIGINT)


@function("CONVERT_TZ(s, from, to)")
def _convert_tz(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text, old, new = (value.sql for value in values)
    moved = f"timezone({new}, timezone({old}, TRY_CAST({text} AS TIMESTAMP)))"
    return Value(f"strftime({moved}, '%Y-%m-%d %H:%M:%S')", STRING)


@function("TIMESTAMPADD(unit, n, time)")
def _timestampadd(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    unit, count, time = values
    name = unit.sql
    if name in DAY_UNITS:
        step = f"to_milliseconds(CAST({count.sql} AS BIGINT) * {DAY_UNITS[name]})"
    elif name in ("MONTH", "QUARTER", "YEAR"):
        months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[name]
        step = f"to_months(CAST({count.sql} * {months} AS INTEGER))"
    else:
        raise refuse(
            f"TIMESTAMPADD({name})", node, "use SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR"
        )
    kind = time.type
    if kind.kind == "DATE" and name in ("SECOND", "MINUTE", "HOUR", "MILLISECOND"):
        kind = TIMESTAMP
    return Value(f"CAST(({time.sql} + {step}) AS {kind.duckdb})", kind)


@function("TIMESTAMPDIFF(unit, from, to)")
def _timestampdiff(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    name = values[0].sql
    start, end = (
        f"CAST({cast(v, TIMESTAMP, compiler.zone) if v.type.kind == 'STRING' else v.sql} AS TIMESTAMP)"
        for v in values[1:]
    )
    if name in DAY_UNITS:
        return Value(f"CAST((epoch_ms({end}) - epoch_ms({start})) // {DAY_UNITS[name]} AS INTEGER)", INT)
    if name not in ("MONTH", "QUARTER", "YEAR"):
        raise refuse(
            f"TIMESTAMPDIFF({name})", node, "use SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR"
        )
    return Value(f"CAST(datesub('{name.lower()}', {start}, {end}) AS INTEGER)", INT)


def _part(name: str, unit: str) -> None:
    @function(f"{name}(time)")
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        return extract(unit, values[0], node, compiler.zone)


for _unit in ("YEAR", "QUARTER", "MONTH", "WEEK", "HOUR", "MINUTE", "SECOND"):
    _part(_unit, _unit)
_part("DAYOFYEAR", "DOY")
_part("DAYOFMONTH", "DAY")
_part("DAYOFWEEK", "DOW")


@function("CURRENT_WATERMARK(time)")
def _current_watermark(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    if values[0].role != "rowtime":
        raise refuse("CURRENT_WATERMARK of what is no event time", node, "name the event-time column")
    mark = row_watermark(compiler.query.governing())
    shown = f"(CASE WHEN {mark} > {LOWEST} THEN make_timestamp({mark} * 1000) END)"
    if values[0].type.kind == "TIMESTAMP_LTZ":
        shown = f"timezone('UTC', {shown})"
    return Value(shown, values[0].type)


@function("SOURCE_WATERMARK()")
def _source_watermark(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value("CAST(NULL AS TIMESTAMP)", TIMESTAMP)
