"""CAST as Flink has it: numbers truncate, booleans spell TRUE, timestamps keep their digits."""

from __future__ import annotations

from hanse.sql.relation import Value
from hanse.sql.types import Type, as_decimal, literal


def cast(value: Value, kind: Type, zone: str, *, safe: bool = False) -> str:
    """The text of CAST(value AS kind); with `safe`, NULL where the cast fails."""
    source = value.type
    word = "TRY_CAST" if safe else "CAST"
    if source == kind:
        return value.sql
    if source.kind == "NULL":
        return f"CAST(NULL AS {kind.duckdb})"
    if kind.kind == "STRING":
        return _to_string(value, kind, zone)
    if kind.is_integer and source.kind in ("DECIMAL", "FLOAT", "DOUBLE"):
        return f"{word}(trunc({value.sql}) AS {kind.duckdb})"
    if kind.is_integer and source.kind == "STRING":
        return f"{word}(trunc({word}(trim({value.sql}) AS DECIMAL(38, 6))) AS {kind.duckdb})"
    if kind.kind == "BOOLEAN" and source.is_numeric:
        return f"({value.sql} <> 0)"
    if kind.kind == "TIMESTAMP_LTZ" and source.kind in ("TIMESTAMP", "DATE"):
        return _digits(f"timezone({literal(zone)}, CAST({value.sql} AS TIMESTAMP))", kind, source)
    if kind.kind in ("TIMESTAMP", "DATE", "TIME") and source.kind == "TIMESTAMP_LTZ":
        local = f"timezone({literal(zone)}, {value.sql})"
        return _digits(local, kind, source) if kind.kind == "TIMESTAMP" else f"CAST({local} AS {kind.duckdb})"
    if kind.kind == "TIMESTAMP_LTZ" and source.kind == "STRING":
        return _digits(f"timezone({literal(zone)}, {word}({value.sql} AS TIMESTAMP))", kind, source)
    if kind.kind in ("TIMESTAMP", "TIMESTAMP_LTZ"):
        if source.kind == kind.kind:
            return _digits(value.sql, kind, source)
        return _digits(f"{word}({value.sql} AS {kind.duckdb})", kind, source)
    if kind.kind == "BYTES" and source.kind == "STRING":
        return f"encode({value.sql})"
    if kind.kind == "ROW" and source.kind == "ROW":
        return _rows(value, kind, zone)
    if kind.kind == "ARRAY" and source.kind == "ARRAY":
        inner = cast(Value("x", source.items[0]), kind.items[0], zone, safe=safe)
        return value.sql if inner == "x" else f"list_transform({value.sql}, lambda x: {inner})"
    return f"{word}({value.sql} AS {kind.duckdb})"


def _digits(sql: str, kind: Type, source: Type) -> str:
    """Cut the fraction of a second to the type's digits (Flink truncates)."""
    size = 6 if kind.size is None else kind.size
    have = (6 if source.size is None else source.size) if source.kind.startswith("TIMESTAMP") else 9
    if size >= 6 or (source.kind == "DATE") or (source.kind.startswith("TIMESTAMP") and have <= size):
        return sql
    unit = {0: "second", 3: "millisecond"}.get(size)
    if unit is None:
        step = 10 ** (6 - size)
        maker = "make_timestamptz" if kind.kind == "TIMESTAMP_LTZ" else "make_timestamp"
        return f"{maker}(CAST(floor(epoch_us({sql}) / {step}) * {step} AS BIGINT))"
    return f"date_trunc('{unit}', {sql})"


def _rows(value: Value, kind: Type, zone: str) -> str:
    fields = []
    for old, new, source, target in zip(
        value.type.names, kind.names, value.type.items, kind.items, strict=True
    ):
        inner = cast(Value(f"struct_extract({value.sql}, {literal(old)})", source), target, zone)
        fields.append(f'"{new}" := {inner}')
    return f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE struct_pack({', '.join(fields)}) END"


def _to_string(value: Value, kind: Type, zone: str) -> str:
    source, sql = value.type, value.sql
    if source.kind == "STRING":
        text = sql
    elif source.kind == "BOOLEAN":
        text = f"upper(CAST({sql} AS VARCHAR))"
    elif source.kind in ("TIMESTAMP", "TIMESTAMP_LTZ"):
        text = timestamp_text(value, zone)
    elif source.kind == "BYTES":
        text = f"decode({sql})"
    elif source.kind in ("FLOAT", "DOUBLE"):
        text = float_text(sql)
    elif source.kind in ("ARRAY", "MAP", "MULTISET", "ROW"):
        text = nested_text(value, zone)
    else:
        text = f"CAST({sql} AS VARCHAR)"
    if kind.size is not None and not (
        source.kind == "STRING" and (source.size or 2**31) <= kind.size and not kind.fixed
    ):
        text = f"left({text}, {kind.size})"
        if kind.fixed:
            text = f"rpad({text}, {kind.size}, ' ')"
    return text


def float_text(sql: str) -> str:
    """Java's text of a double: 1.0E7 from ten millions on and below a thousandth."""
    plain = f"CAST({sql} AS VARCHAR)"
    tests = f"abs({sql}) >= 1e7 OR (abs({sql}) < 1e-3 AND {sql} <> 0)"
    exponent = f"CAST(floor(log10(abs({sql}))) AS INTEGER)"
    mantissa = f"CAST(round({sql} / pow(10, {exponent}), 15) AS VARCHAR)"
    return f"(CASE WHEN isfinite({sql}) AND ({tests}) THEN {mantissa} || 'E' || {exponent} ELSE {plain} END)"


def timestamp_text(value: Value, zone: str) -> str:
    """`yyyy-MM-dd HH:mm:ss` and as many digits as the type has."""
    sql = value.sql if value.type.kind == "TIMESTAMP" else f"timezone({literal(zone)}, {value.sql})"
    size = 6 if value.type.size is None else value.type.size
    if size == 0:
        return f"strftime({sql}, '%Y-%m-%d %H:%M:%S')"
    full = f"strftime({sql}, '%Y-%m-%d %H:%M:%S.%f')"
    return full if size >= 6 else f"left({full}, {20 + size})"


def nested_text(value: Value, zone: str) -> str:
    """Arrays as [1, 2], maps as {a=1}, rows as (1, 2), with NULL spelt out."""
    kind = value.type

    def inner(sql: str, item: Type) -> str:
        return f"coalesce({_to_string(Value(sql, item), Type('STRING'), zone)}, 'NULL')"

    if kind.kind == "ARRAY":
        parts = f"list_transform({value.sql}, lambda x: {inner('x', kind.items[0])})"
        return f"'[' || array_to_string({parts}, ', ') || ']'"
    if kind.kind in ("MAP", "MULTISET"):
        item = kind.items[1] if kind.kind == "MAP" else Type("INT")
        pair = f"{inner('x.key', kind.items[0])} || '=' || {inner('x.value', item)}"
        return f"'{{' || array_to_string(list_transform(map_entries({value.sql}), lambda x: {pair}), ', ') || '}}'"
    fields = [
        inner(f"struct_extract({value.sql}, {literal(name)})", item)
        for name, item in zip(kind.names, kind.items, strict=True)
    ]
    text = " || ', ' || ".join(fields)
    return f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE '(' || {text} || ')' END"


def divide_decimal(left: str, a: Type, right: str, b: Type, kind: Type) -> str:
    """left / right in exact arithmetic, rounded half up to `kind`; NULL when right is 0."""
    shift = kind.scale - a.scale + b.scale
    n, d = _unscaled(left, a), _unscaled(right, b)
    if shift >= 0:
        n = f"({n} * CAST({10**shift} AS HUGEINT))"
    else:
        d = f"({d} * CAST({10**-shift} AS HUGEINT))"
    quotient = f"(sign({n}) * sign({d}) * ((abs({n}) * 2 + abs({d})) // nullif(abs({d}) * 2, 0)))"
    return scaled(quotient, kind)


def _unscaled(sql: str, kind: Type) -> str:
    kind = as_decimal(kind)
    if kind.scale == 0:
        return f"CAST({sql} AS HUGEINT)"
    narrow = f"CAST({sql} AS DECIMAL({38 - kind.scale - 1},{kind.scale}))"
    return f"CAST({narrow} * CAST({10**kind.scale} AS DECIMAL({kind.scale + 1},0)) AS HUGEINT)"


def scaled(sql: str, kind: Type) -> str:
    """A decimal from its unscaled whole number."""
    if kind.scale == 0:
        return f"CAST({sql} AS {kind.duckdb})"
    unit = f"CAST('{'0.' + '0' * (kind.scale - 1) + '1'}' AS DECIMAL({kind.scale},{kind.scale}))"
    return f"CAST(CAST({sql} AS DECIMAL({38 - kind.scale},0)) * {unit} AS {kind.duckdb})"
