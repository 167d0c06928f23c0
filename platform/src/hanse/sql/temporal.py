"""Intervals, units of time, EXTRACT, FLOOR and CEIL to a unit, and Java's date patterns."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hanse.sql.relation import Value, refuse
from hanse.sql.types import BIGINT, DATE, INTERVAL, INTERVAL_YEAR, STRING, Type, literal

DAY_UNITS = {
    "MILLISECOND": 1,
    "SECOND": 1000,
    "MINUTE": 60_000,
    "HOUR": 3_600_000,
    "DAY": 86_400_000,
    "WEEK": 604_800_000,
}
_RANGES = {
    ("DAY", "HOUR"): r"(\d+) (\d+)",
    ("DAY", "MINUTE"): r"(\d+) (\d+):(\d+)",
    ("DAY", "SECOND"): r"(\d+) (\d+):(\d+):(\d+(?:\.\d+)?)",
    ("HOUR", "MINUTE"): r"(\d+):(\d+)",
    ("HOUR", "SECOND"): r"(\d+):(\d+):(\d+(?:\.\d+)?)",
    ("MINUTE", "SECOND"): r"(\d+):(\d+(?:\.\d+)?)",
}
_ORDER = ("DAY", "HOUR", "MINUTE", "SECOND")


def unit_name(node: Any) -> str:
    """A unit as Flink calls it: singular, upper case, without SQL_TSI_."""
    name = str(getattr(node, "name", node)).upper().removeprefix("SQL_TSI_").removeprefix("FRAC_")
    return name.removesuffix("S") if name not in ("MILLENNIUM",) else name


def interval(node: Any) -> tuple[str, Type]:
    """DuckDB's text of an interval literal and its type. Raises UnsupportedSQL."""
    unit = node.args.get("unit")
    text = str(node.this.name) if node.this is not None else ""
    negative = text.startswith("-")
    text = text.lstrip("+-").strip()
    if unit is None:
        raise refuse("an INTERVAL without a unit", node, "write INTERVAL '10' SECOND")
    if hasattr(unit, "expression") and unit.expression:
        ms_or_months, kind = _span(text, unit_name(unit.this), unit_name(unit.expression), node)
    else:
        name = unit_name(unit)
        if not re.fullmatch(r"\d+(\.\d+)?", text):
            raise refuse(f"INTERVAL '{text}'", node, "write a number")
        months = {"YEAR": 12, "MONTH": 1, "QUARTER": 3}.get(name)
        if months:
            ms_or_months, kind = round(float(text) * months), INTERVAL_YEAR
        elif name in DAY_UNITS:
            ms_or_months, kind = round(float(text) * DAY_UNITS[name]), INTERVAL
        else:
            raise refuse(f"INTERVAL in {name}", node, "use SECOND, MINUTE, HOUR, DAY, WEEK, MONTH or YEAR")
    sign = "-" if negative else ""
    if kind is INTERVAL_YEAR:
        return f"to_months({sign}{ms_or_months})", kind
    return f"to_milliseconds({sign}{ms_or_months})", kind


def _span(text: str, first: str, last: str, node: Any) -> tuple[int, Type]:
    if (first, last) == ("YEAR", "MONTH"):
        years, _, months = text.partition("-")
        return int(years) * 12 + int(months or 0), INTERVAL_YEAR
    match = re.fullmatch(_RANGES.get((first, last), "(?!)"), text)
    if match is None:
        raise refuse(
            f"INTERVAL '{text}' {first} TO {last}", node, "write INTERVAL '1 02:03:04' DAY TO SECOND"
        )
    units = _ORDER[_ORDER.index(first) :]
    total = sum(float(part) * DAY_UNITS[unit] for part, unit in zip(match.groups(), units, strict=False))
    return round(total), INTERVAL


def milliseconds(sql: str) -> int | None:
    """The length of an interval lowered by `interval`, in milliseconds; None for months."""
    match = re.fullmatch(r"to_milliseconds\((-?\d+)\)", sql)
    return int(match.group(1)) if match else None


_EXTRACT = {
    "YEAR": "year", "QUARTER": "quarter", "MONTH": "month", "WEEK": "week", "DAY": "day", "DOY": "doy",
    "HOUR": "hour", "MINUTE": "minute", "EPOCH": "epoch", "CENTURY": "century", "DECADE": "decade",
    "MILLENNIUM": "millennium", "ISODOW": "isodow", "ISOYEAR": "isoyear",
}  # fmt: skip


def extract(unit: str, value: Value, node: Any, zone: str) -> Value:
    """EXTRACT(unit FROM value), a BIGINT."""
    unit = unit_name(unit)
    sql = value.sql
    if value.type.kind == "TIMESTAMP_LTZ":
        sql = f"timezone({literal(zone)}, {sql})"
    if unit == "DOW":
        return Value(f"CAST(extract('dow' FROM {sql}) + 1 AS BIGINT)", BIGINT)
    if unit == "SECOND":
        return Value(f"CAST(extract('second' FROM {sql}) AS BIGINT)", BIGINT)
    if unit == "MILLISECOND":
        return Value(f"CAST(extract('millisecond' FROM {sql}) % 1000 AS BIGINT)", BIGINT)
    if unit == "MICROSECOND":
        return Value(f"CAST(extract('microsecond' FROM {sql}) % 1000000 AS BIGINT)", BIGINT)
    if unit not in _EXTRACT:
        raise refuse(f"EXTRACT({unit})", node, f"use one of {', '.join(_EXTRACT)}")
    return Value(f"CAST(floor(extract('{_EXTRACT[unit]}' FROM {sql})) AS BIGINT)", BIGINT)


_CLOCK_UNITS = ("DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND")


def round_to(value: Value, unit: str, up: bool, node: Any, zone: str) -> Value:
    """FLOOR or CEIL of a point in time to a unit; weeks begin on Sunday, as Flink has them."""
    unit = unit_name(unit)
    if unit not in (
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECOND",
        "DECADE",
        "CENTURY",
    ):
        raise refuse(f"rounding TO {unit}", node, "round to YEAR, MONTH, DAY, HOUR, MINUTE or SECOND")
    if value.type.kind == "TIMESTAMP_LTZ":
        shown = Value(f"timezone({literal(zone)}, {value.sql})", replace(value.type, kind="TIMESTAMP"))
        local = round_to(shown, unit, up, node, zone)
        return Value(f"timezone({literal(zone)}, {local.sql})", value.type)
    if unit == "WEEK":
        floor = f"(date_trunc('week', {value.sql} + INTERVAL 1 DAY) - INTERVAL 1 DAY)"
    else:
        floor = f"date_trunc('{unit.lower()}', {value.sql})"
    kind = value.type
    if value.type.kind == "DATE":
        floor = f"CAST({floor} AS DATE)"
    if not up:
        return Value(floor, kind)
    whole = value.sql if unit in _CLOCK_UNITS else f"date_trunc('day', {value.sql})"
    step = f"INTERVAL 1 {unit}" if unit != "QUARTER" else "INTERVAL 3 MONTH"
    back = f"CAST({floor} + {step} AS {kind.duckdb})"
    return Value(f"(CASE WHEN {floor} = {whole} THEN {floor} ELSE {back} END)", kind)


_PATTERNS = (
    ("yyyy", "%Y"), ("uuuu", "%Y"), ("YYYY", "%G"), ("yy", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"),
    ("dd", "%d"), ("HH", "%H"), ("hh", "%I"), ("mm", "%M"), ("ss", "%S"), ("SSSSSS", "%f"), ("SSS", "%g"),
    ("EEEE", "%A"), ("EEE", "%a"), ("DDD", "%j"), ("M", "%-m"), ("d", "%-d"), ("H", "%-H"), ("h", "%-I"),
    ("m", "%-M"), ("s", "%-S"), ("a", "%p"), ("E", "%a"), ("D", "%-j"),
)  # fmt: skip


def java_pattern(pattern: str, node: Any) -> str:
    """strftime's pattern for a DateTimeFormatter one. Raises UnsupportedSQL for letters it lacks."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "'":
            end = pattern.find("'", at + 1)
            end = len(pattern) if end < 0 else end
            out.append(pattern[at + 1 : end].replace("%", "%%") or "'")
            at = end + 1
            continue
        for java, posix in _PATTERNS:
            if pattern.startswith(java, at) and not (len(java) == 1 and pattern.startswith(java * 3, at)):
                out.append(posix)
                at += len(java)
                break
        else:
            if pattern[at].isalpha():
                raise refuse(
                    f"the date pattern letter {pattern[at]}", node, "use y, M, d, H, m, s, S, E or a"
                )
            out.append("%%" if pattern[at] == "%" else pattern[at])
            at += 1
    return "".join(out)


__all__ = [
    "DATE",
    "DAY_UNITS",
    "STRING",
    "extract",
    "interval",
    "java_pattern",
    "milliseconds",
    "round_to",
    "unit_name",
]
