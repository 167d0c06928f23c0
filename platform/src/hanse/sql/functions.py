"""The scalar functions: what each is called, takes, gives, and is in DuckDB."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanse.sql.casts import cast, scaled
from hanse.sql.relation import Value, refuse
from hanse.sql.temporal import DAY_UNITS, extract, java_pattern
from hanse.sql.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INT,
    STRING,
    TIMESTAMP,
    TIMESTAMP_LTZ,
    Type,
    array,
    as_decimal,
    decimal,
    literal,
    parse_type,
    quote,
)

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler

Build = Callable[["ExpressionCompiler", list[Value], Any], Value]


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function: how it is written, how many arguments it takes, and its lowering."""

    signature: str
    arity: tuple[int, int]
    build: Build


FUNCTIONS: dict[str, Function] = {}


def _arity(signature: str) -> tuple[int, int]:
    inside = signature[signature.index("(") + 1 : signature.rindex(")")].strip()
    if not inside:
        return 0, 0
    required = inside.split("[")[0].strip().rstrip(",")
    low = len([part for part in required.split(",") if part.strip() not in ("", "...")])
    if "..." in inside:
        return low, 10_000
    return low, low + inside.count("[")


def function(signature: str) -> Callable[[Build], Build]:
    """Register a lowering under the name in `signature`."""

    def register(build: Build) -> Build:
        FUNCTIONS[signature[: signature.index("(")]] = Function(signature, _arity(signature), build)
        return build

    return register


def simple(signature: str, template: str, kind: Type, *args: Type) -> None:
    """Register a function by its DuckDB text, `{0}` the first argument; `args` are the types wanted."""

    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        texts = [
            cast(value, args[at], compiler.zone)
            if at < len(args) and value.type.kind != args[at].kind
            else value.sql
            for at, value in enumerate(values)
        ]
        return Value(template.format(*texts), kind)

    function(signature)(build)


S, I, D = STRING, INT, DOUBLE  # noqa: E741

simple("UPPER(s)", "upper({0})", S, S)
simple("LOWER(s)", "lower({0})", S, S)
simple("CHAR_LENGTH(s)", "CAST(length({0}) AS INTEGER)", I, S)
simple("CHARACTER_LENGTH(s)", "CAST(length({0}) AS INTEGER)", I, S)
simple("LENGTH(s)", "CAST(length({0}) AS INTEGER)", I, S)
simple("OCTET_LENGTH(s)", "CAST(octet_length(encode({0})) AS INTEGER)", I, S)
simple("ASCII(s)", "CAST(CASE WHEN {0} = '' THEN 0 ELSE ascii({0}) END AS INTEGER)", I, S)
simple("CHR(i)", "chr(CAST({0} % 256 AS INTEGER))", S, BIGINT)
simple("REVERSE(s)", "reverse({0})", S, S)
simple("LTRIM(s, [chars])", "ltrim({0}, ' ')", S, S)
simple("RTRIM(s, [chars])", "rtrim({0}, ' ')", S, S)
simple("BTRIM(s)", "trim({0}, ' ')", S, S)
simple("REPEAT(s, n)", "repeat({0}, greatest({1}, 0))", S, S, BIGINT)
simple("REPLACE(s, from, to)", "replace({0}, {1}, {2})", S, S, S, S)
simple("TRANSLATE(s, from, to)", "translate({0}, {1}, {2})", S, S, S, S)
simple("LEFT(s, n)", "left({0}, greatest({1}, 0))", S, S, BIGINT)
simple("RIGHT(s, n)", "right({0}, greatest({1}, 0))", S, S, BIGINT)
simple("POSITION(x, s)", "CAST(instr({1}, {0}) AS INTEGER)", I, S, S)
simple("LOCATE(x, s, [from])", "CAST(instr({1}, {0}) AS INTEGER)", I, S, S)
simple("INSTR(s, x)", "CAST(instr({0}, {1}) AS INTEGER)", I, S, S)
simple("STARTSWITH(s, x)", "starts_with({0}, {1})", BOOLEAN, S, S)
simple("ENDSWITH(s, x)", "ends_with({0}, {1})", BOOLEAN, S, S)
simple("INITCAP(s)", "regexp_replace_initcap({0})", S, S)
simple("MD5(s)", "md5({0})", S, S)
simple("SHA1(s)", "sha1({0})", S, S)
simple("SHA256(s)", "sha256({0})", S, S)
simple("TO_BASE64(s)", "to_base64(encode({0}))", S, S)
simple("FROM_BASE64(s)", "decode(from_base64({0}))", S, S)
simple("HEX(x)", "hex({0})", S)
simple("REGEXP(s, pattern)", "regexp_matches({0}, {1})", BOOLEAN, S, S)
simple("REGEXP_REPLACE(s, pattern, to)", "regexp_replace({0}, {1}, {2}, 'g')", S, S, S, S)
simple("URL_ENCODE(s)", "url_encode({0})", S, S)
simple("URL_DECODE(s)", "url_decode({0})", S, S)
simple("SPLIT(s, delimiter)", "string_split({0}, {1})", array(S), S, S)
simple("CONCAT_WS(separator, s, ...)", "", S)
simple("PI()", "pi()", D)
simple("E()", "exp(1)", D)
for _name in (
    "SQRT",
    "EXP",
    "SIN",
    "COS",
    "TAN",
    "ASIN",
    "ACOS",
    "ATAN",
    "SINH",
    "COSH",
    "TANH",
    "DEGREES",
    "RADIANS",
    "CBRT",
):
    simple(f"{_name}(x)", _name.lower() + "({0})", D, D)
simple("COT(x)", "cot({0})", D, D)
simple("LN(x)", "ln({0})", D, D)
simple("LOG10(x)", "log10({0})", D, D)
simple("LOG2(x)", "log2({0})", D, D)
simple("POWER(x, y)", "pow({0}, {1})", D, D, D)
simple("ATAN2(y, x)", "atan2({0}, {1})", D, D, D)
simple("BIN(i)", "bin({0})", S)
simple("FROM_UNIXTIME(seconds, [pattern])", "", S)
simple("CARDINALITY(x)", "CAST(len({0}) AS INTEGER)", I)
simple("ARRAY_CONTAINS(array, x)", "list_contains({0}, {1})", BOOLEAN)


def _same(signature: str, template: str) -> None:
    """A function whose result has its first argument's type."""

    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        return Value(template.format(*(value.sql for value in values)), values[0].type)

    function(signature)(build)


_same("ABS(x)", "abs({0})")
_same("NULLIF(a, b)", "nullif({0}, {1})")
_same("ARRAY_DISTINCT(array)", "list_distinct_stable({0})")
_same("ARRAY_REVERSE(array)", "list_reverse({0})")
_same("ARRAY_REMOVE(array, x)", "list_filter({0}, lambda e: e IS DISTINCT FROM {1})")
_same("ARRAY_APPEND(array, x)", "list_append({0}, {1})")
_same("ARRAY_PREPEND(array, x)", "list_prepend({1}, {0})")
_same("ARRAY_CONCAT(array, other)", "list_concat({0}, {1})")
_same("ARRAY_SLICE(array, from, [to])", "")
_same("ARRAY_SORT(array)", "list_sort({0}, 'ASC', 'NULLS FIRST')")
_same("ARRAY_UNION(array, other)", "list_distinct_stable(list_concat({0}, {1}))")
_same("MAP_UNION(map, other)", "map_concat({0}, {1})")


@function("ARRAY_DISTINCT(array)")
def _array_distinct(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    sql = values[0].sql
    keep = f"list_filter({sql}, lambda e, i: list_position({sql}, e) = i)"
    return Value(keep, values[0].type)


@function("ARRAY_SLICE(array, from, [to])")
def _array_slice(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    end = values[2].sql if len(values) > 2 else f"len({values[0].sql})"
    return Value(f"({values[0].sql})[{values[1].sql}:{end}]", values[0].type)


@function("ARRAY_UNION(array, other)")
def _array_union(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    both = Value(f"list_concat({values[0].sql}, {values[1].sql})", values[0].type)
    return _array_distinct(compiler, [both], node)


@function("ARRAY_EXCEPT(array, other)")
def _array_except(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return _array_chosen(compiler, values, node, "= 0")


@function("ARRAY_INTERSECT(array, other)")
def _array_intersect(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return _array_chosen(compiler, values, node, "> 0")


def _array_chosen(compiler: ExpressionCompiler, values: list[Value], node: Any, test: str) -> Value:
    """The first array's distinct elements that are, or are not, in the other one; NULL is an element."""
    first, other = values[0].sql, values[1].sql
    same = f"len(list_filter({other}, lambda o: o IS NOT DISTINCT FROM e))"
    chosen = f"list_filter({first}, lambda e: {same} {test})"
    both = Value(f"(CASE WHEN {other} IS NOT NULL THEN {chosen} END)", values[0].type)
    return _array_distinct(compiler, [both], node)


@function("ARRAY_MAX(array)")
def _array_max(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"list_max({values[0].sql})", values[0].type.items[0])


@function("ARRAY_MIN(array)")
def _array_min(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"list_min({values[0].sql})", values[0].type.items[0])


@function("ARRAY_POSITION(array, x)")
def _array_position(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    found = f"CAST(coalesce(list_position({values[0].sql}, {values[1].sql}), 0) AS INTEGER)"
    return Value(
        f"(CASE WHEN {values[0].sql} IS NULL OR {values[1].sql} IS NULL THEN NULL ELSE {found} END)", INT
    )


@function("ARRAY_JOIN(array, delimiter, [null])")
def _array_join(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    items = values[0].sql
    if len(values) > 2:
        items = f"list_transform({items}, lambda e: coalesce(e, {values[2].sql}))"
    return Value(f"array_to_string({items}, {values[1].sql})", STRING)


@function("ELEMENT(array)")
def _element(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"({values[0].sql})[1]", values[0].type.items[0])


@function("MAP_KEYS(map)")
def _map_keys(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"map_keys({values[0].sql})", array(values[0].type.items[0]))


@function("MAP_VALUES(map)")
def _map_values(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"map_values({values[0].sql})", array(values[0].type.items[1]))


@function("MAP_ENTRIES(map)")
def _map_entries(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    entry = Type("ROW", items=values[0].type.items, names=("key", "value"))
    return Value(f"map_entries({values[0].sql})", array(entry))


@function("MAP_FROM_ARRAYS(keys, values)")
def _map_from_arrays(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    kind = Type("MAP", items=(values[0].type.items[0], values[1].type.items[0]))
    return Value(f"map({values[0].sql}, {values[1].sql})", kind)


@function("MAP(key, value, ...)")
def _map(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    keys, items = values[::2], values[1::2]
    key, item = compiler.common_type(keys, node), compiler.common_type(items, node)
    ks = ", ".join(compiler.convert(value, key) for value in keys)
    vs = ", ".join(compiler.convert(value, item) for value in items)
    return Value(f"map([{ks}], [{vs}])", Type("MAP", items=(key, item)))


@function("ROW(x, ...)")
def _row(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return compiler.row(values)


@function("IF(condition, then, else)")
def _if(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    kind = compiler.common_type(values[1:], node)
    then, other = (compiler.convert(value, kind) for value in values[1:])
    return Value(f"(CASE WHEN {values[0].sql} THEN {then} ELSE {other} END)", kind)


def _unified(name: str, template: str) -> None:
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        kind = compiler.common_type(values, node)
        texts = [compiler.convert(value, kind) for value in values]
        role = values[0].role if len({value.role for value in values}) == 1 else None
        if name == "COALESCE" and all(value.role in ("window_start", "window_end") for value in values):
            role = values[0].role
        return Value(template.format(", ".join(texts), texts[0]), kind, role)

    function(f"{name}(x, ...)")(build)


_unified("COALESCE", "coalesce({0})")
_unified("IFNULL", "coalesce({0})")
_STRICT = "(CASE WHEN {0} THEN NULL ELSE {1} END)"


def _extreme(name: str) -> None:
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        kind = compiler.common_type(values, node)
        texts = [compiler.convert(value, kind) for value in values]
        nulls = " OR ".join(f"{text} IS NULL" for text in texts)
        return Value(_STRICT.format(nulls, f"{name.lower()}({', '.join(texts)})"), kind)

    function(f"{name}(x, ...)")(build)


_extreme("GREATEST")
_extreme("LEAST")


@function("CONCAT(s, ...)")
def _concat(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value("(" + " || ".join(cast(value, STRING, compiler.zone) for value in values) + ")", STRING)


@function("CONCAT_WS(separator, s, ...)")
def _concat_ws(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    texts = ", ".join(cast(value, STRING, compiler.zone) for value in values)
    return Value(f"concat_ws({texts})", STRING)


@function("SUBSTRING(s, from, [length])")
def _substring(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text, start = values[0].sql, values[1].sql
    length = f", {values[2].sql}" if len(values) > 2 else ""
    begin = start if start.isdigit() and start != "0" else f"(CASE WHEN {start} = 0 THEN 1 ELSE {start} END)"
    return Value(f"substring({text}, {begin}{length})", STRING)


FUNCTIONS["SUBSTR"] = Function("SUBSTR(s, from, [length])", (2, 3), _substring)


@function("OVERLAY(s, other, from, [length])")
def _overlay(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text, other, start = (value.sql for value in values[:3])
    length = values[3].sql if len(values) > 3 else f"length({other})"
    return Value(f"(left({text}, {start} - 1) || {other} || substring({text}, {start} + {length}))", STRING)


@function("TRIM(side, chars, s)")
def _trim(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    name = {"'BOTH'": "trim", "'LEADING'": "ltrim", "'TRAILING'": "rtrim"}[values[0].sql]
    return Value(f"{name}({values[2].sql}, {values[1].sql})", STRING)


def _side(name: str) -> None:
    @function(f"{name}(s, [chars])")
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        chars = values[1].sql if len(values) > 1 else "' '"
        return Value(f"{name.lower()}({values[0].sql}, {chars})", STRING)


_side("LTRIM")
_side("RTRIM")


def _pad(name: str) -> None:
    @function(f"{name}(s, length, [pad])")
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        pad = values[2].sql if len(values) > 2 else "' '"
        text, length = values[0].sql, values[1].sql
        return Value(
            f"(CASE WHEN {length} < 0 THEN NULL ELSE {name.lower()}({text}, {length}, {pad}) END)", STRING
        )


_pad("LPAD")
_pad("RPAD")


@function("INITCAP(s)")
def _initcap(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text = values[0].sql
    words = f"regexp_extract_all({text}, '[A-Za-z0-9]+|[^A-Za-z0-9]+')"
    one = "upper(w[1]) || lower(w[2:])"
    return Value(f"array_to_string(list_transform({words}, lambda w: {one}), '')", STRING)


@function("SPLIT_INDEX(s, delimiter, index)")
def _split_index(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text, by, at = (value.sql for value in values)
    return Value(f"(CASE WHEN {at} < 0 THEN NULL ELSE (string_split({text}, {by}))[{at} + 1] END)", STRING)


@function("REGEXP_EXTRACT(s, pattern, [group])")
def _regexp_extract(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    group = values[2].sql if len(values) > 2 else "0"
    text, pattern = values[0].sql, values[1].sql
    found = f"regexp_extract({text}, {pattern}, {group})"
    return Value(f"(CASE WHEN regexp_matches({text}, {pattern}) THEN {found} END)", STRING)


@function("STR_TO_MAP(s, [pairs], [key])")
def _str_to_map(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    outer = values[1].sql if len(values) > 1 else "','"
    inner = values[2].sql if len(values) > 2 else "'='"
    pairs = f"string_split({values[0].sql}, {outer})"
    keys = f"list_transform({pairs}, lambda p: (string_split(p, {inner}))[1])"
    items = f"list_transform({pairs}, lambda p: (string_split(p, {inner}))[2])"
    return Value(f"map({keys}, {items})", Type("MAP", items=(STRING, STRING)))


@function("MOD(a, b)")
def _mod(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return compiler.arithmetic(values[0], values[1], "%")


@function("SIGN(x)")
def _sign(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"CAST(sign({values[0].sql}) AS {values[0].type.duckdb})", values[0].type)


def _rounding(name: str) -> None:
    @function(f"{name}(x)")
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        value = values[0]
        if value.type.is_integer:
            return value
        if value.type.kind == "DECIMAL":
            kind = decimal((value.type.size or 0) - value.type.scale or 1, 0)
            kind = decimal(max(value.type.size or 1, 1), 0)
            return Value(f"CAST({name.lower()}({value.sql}) AS {kind.duckdb})", kind)
        return Value(f"{name.lower()}({value.sql})", value.type)


_rounding("FLOOR")
_rounding("CEIL")


@function("ROUND(x, [digits])")
def _round(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return _digits("round", values)


@function("TRUNCATE(x, [digits])")
def _truncate(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return _digits("trunc", values)


def _digits(name: str, values: list[Value]) -> Value:
    value = values[0]
    digits = values[1].sql if len(values) > 1 else "0"
    if value.type.is_integer and digits.isdigit():
        return value
    kind = value.type
    if kind.kind == "DECIMAL" and digits.isdigit():
        scale = min(int(digits), kind.scale)
        grown = 1 if name == "round" else 0
        kind = decimal(max((kind.size or 0) - kind.scale + scale + grown, 1), scale)
    if name == "trunc" and digits == "0":
        return Value(f"CAST(trunc({value.sql}) AS {kind.duckdb})", kind)
    if name == "trunc":
        factor = f"CAST(pow(10, {digits}) AS DECIMAL(18,0))"
        return Value(f"CAST(trunc({value.sql} * {factor}) / {factor} AS {kind.duckdb})", kind)
    return Value(f"CAST(round({value.sql}, {digits}) AS {kind.duckdb})", kind)


@function("LOG(base, [x])")
def _log(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    texts = [cast(value, DOUBLE, compiler.zone) for value in values]
    return Value(f"ln({texts[0]})" if len(texts) == 1 else f"(ln({texts[1]}) / ln({texts[0]}))", DOUBLE)


# time


@function("PROCTIME()")
def _proctime(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(compiler.processing_time, TIMESTAMP_LTZ, "proctime")


@function("TO_TIMESTAMP(s, [pattern])")
def _to_timestamp(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text = cast(values[0], STRING, compiler.zone)
    if len(values) > 1:
        pattern = literal(java_pattern(values[1].sql[1:-1].replace("''", "'"), node))
        return Value(f"try_strptime({text}, {pattern})", TIMESTAMP)
    return Value(f"date_trunc('millisecond', TRY_CAST({text} AS TIMESTAMP))", TIMESTAMP)


@function("TO_TIMESTAMP_LTZ(x, [precision])")
def _to_timestamp_ltz(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    value = values[0]
    if value.type.kind == "STRING":
        local = _to_timestamp(compiler, values, node)
        return Value(f"timezone({literal(compiler.zone)}, {local.sql})", TIMESTAMP_LTZ)
    factor = 1_000_000 if len(values) > 1 and values[1].sql == "0" else 1000
    return Value(f"make_timestamptz(CAST({value.sql} * {factor} AS BIGINT))", TIMESTAMP_LTZ)


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


@function("SOURCE_WATERMARK()")
def _source_watermark(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value("CAST(NULL AS TIMESTAMP)", TIMESTAMP)


# JSON


def json_call(compiler: ExpressionCompiler, node: Any) -> Value:
    """JSON_VALUE, JSON_QUERY, JSON_EXISTS, JSON_OBJECT and JSON_ARRAY."""
    name = node.name
    args = [compiler.value(arg) for arg in node.expressions]
    if name == "JSON_OBJECT":
        parts = ", ".join(
            part
            for key, value in zip(args[::2], args[1::2], strict=True)
            for part in (key.sql, _json_item(value))
        )
        made = f"CAST(json_object({parts}) AS VARCHAR)"
        if node.args.get("on_null") == "ABSENT":
            made = f"CAST(json_merge_patch('{{}}', {made}) AS VARCHAR)"
        return Value(made, STRING)
    if name == "JSON_ARRAY":
        items = [_json_item(value) for value in args]
        listed = f"[{', '.join(f'to_json({item})' for item in items)}]"
        if node.args.get("on_null") != "NULL":
            listed = f"list_filter({listed}, lambda e: e IS NOT NULL AND CAST(e AS VARCHAR) <> 'null')"
        return Value(f"CAST(to_json({listed}) AS VARCHAR)", STRING)
    if name not in ("JSON_VALUE", "JSON_QUERY", "JSON_EXISTS"):
        raise refuse(name, node, "use it as an aggregate of a grouped query")
    text, path = args[0].sql, args[1].sql.replace("'lax ", "'").replace("'strict ", "'")
    guarded = f"(CASE WHEN json_valid({text}) THEN {text} END)"
    if name == "JSON_EXISTS":
        return Value(f"coalesce(json_exists({guarded}, {path}), FALSE)", BOOLEAN)
    if name == "JSON_QUERY":
        found = f"json_extract({guarded}, {path})"
        wrapper = node.args.get("wrapper") or ""
        if wrapper.startswith("WITH ") and "CONDITIONAL" in wrapper.split():
            return Value(
                f"CAST((CASE WHEN json_type({found}) = 'ARRAY' THEN {found} ELSE json_array({found}) END) AS VARCHAR)",
                STRING,
            )
        if wrapper.startswith("WITH "):
            return Value(f"CAST(json_array({found}) AS VARCHAR)", STRING)
        return Value(
            f"(CASE WHEN json_type({found}) IN ('ARRAY', 'OBJECT') THEN CAST({found} AS VARCHAR) END)", STRING
        )
    return _json_value(compiler, node, guarded, path)


def _json_item(value: Value) -> str:
    if value.type.is_time:
        return f"CAST({value.sql} AS VARCHAR)"
    return value.sql


def _json_value(compiler: ExpressionCompiler, node: Any, text: str, path: str) -> Value:
    kind = parse_type(node.args["kind"].name) if node.args.get("kind") else STRING
    found = f"json_extract({text}, {path})"
    scalar = f"(CASE WHEN json_type({found}) NOT IN ('ARRAY', 'OBJECT', 'NULL') THEN {found} ->> '$' END)"
    result = f"TRY_CAST({scalar} AS {kind.duckdb})"
    for place in ("empty", "error"):
        default = node.args.get(place)
        if default is not None and not isinstance(default, str):
            test = f"{found} IS NULL" if place == "empty" else f"{text} IS NULL"
            value = compiler.value(default)
            result = f"(CASE WHEN {test} THEN {cast(value, kind, compiler.zone)} ELSE {result} END)"
    return Value(result, kind)


@function("JSON_STRING(x)")
def _json_string(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"CAST(to_json({values[0].sql}) AS VARCHAR)", STRING)


@function("JSON_QUOTE(s)")
def _json_quote(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"CAST(to_json({values[0].sql}) AS VARCHAR)", STRING)


@function("TYPEOF(x)")
def _typeof(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(literal(str(values[0].type)), STRING)


@function("ENCODE(s, charset)")
def _encode(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"encode({values[0].sql})", BYTES)


@function("DECODE(bytes, charset)")
def _decode(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"decode({values[0].sql})", STRING)


__all__ = ["FUNCTIONS", "Function", "as_decimal", "function", "json_call", "quote", "scaled"]
