"""Functions of strings, patterns, hashes and encodings."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hanse.sql.casts import cast
from hanse.sql.functions.registry import FUNCTIONS, Function, function, simple
from hanse.sql.relation import Value, refuse
from hanse.sql.types import BIGINT, BOOLEAN, BYTES, INT, STRING, Type, array, literal

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler

S, I = STRING, INT  # noqa: E741

simple("UPPER(s)", "upper({0})", S, S)
simple("LOWER(s)", "lower({0})", S, S)
simple("CHAR_LENGTH(s)", "CAST(length({0}) AS INTEGER)", I, S)
simple("CHARACTER_LENGTH(s)", "CAST(length({0}) AS INTEGER)", I, S)
simple("LENGTH(s)", "CAST(length({0}) AS INTEGER)", I, S)
simple("OCTET_LENGTH(s)", "CAST(octet_length(encode({0})) AS INTEGER)", I, S)
simple("ASCII(s)", "CAST(CASE WHEN {0} = '' THEN 0 ELSE ascii({0}) END AS INTEGER)", I, S)
simple("REVERSE(s)", "reverse({0})", S, S)
simple("REPEAT(s, n)", "repeat({0}, greatest({1}, 0))", S, S, BIGINT)
simple("REPLACE(s, from, to)", "replace({0}, {1}, {2})", S, S, S, S)
simple("TRANSLATE(s, from, to)", "translate({0}, {1}, {2})", S, S, S, S)
simple("LEFT(s, n)", "left({0}, greatest({1}, 0))", S, S, BIGINT)
simple("RIGHT(s, n)", "right({0}, greatest({1}, 0))", S, S, BIGINT)
simple("POSITION(x, s)", "CAST(instr({1}, {0}) AS INTEGER)", I, S, S)
simple("INSTR(s, x)", "CAST(instr({0}, {1}) AS INTEGER)", I, S, S)
simple("STARTSWITH(s, x)", "starts_with({0}, {1})", BOOLEAN, S, S)
simple("ENDSWITH(s, x)", "ends_with({0}, {1})", BOOLEAN, S, S)
simple("MD5(s)", "md5({0})", S, S)
simple("SHA1(s)", "sha1({0})", S, S)
simple("SHA256(s)", "sha256({0})", S, S)
simple("TO_BASE64(s)", "to_base64(encode({0}))", S, S)
simple("FROM_BASE64(s)", "decode(from_base64({0}))", S, S)
simple("REGEXP(s, pattern)", "regexp_matches({0}, {1})", BOOLEAN, S, S)
simple("REGEXP_REPLACE(s, pattern, to)", "regexp_replace({0}, {1}, {2}, 'g')", S, S, S, S)
simple("CHR(i)", "chr(CAST({0} % 256 AS INTEGER))", S, BIGINT)
simple("URL_ENCODE(s)", "replace(url_encode({0}), '%20', '+')", S, S)
simple("URL_DECODE(s)", "url_decode(replace({0}, '+', '%20'))", S, S)
simple("UNHEX(s)", "(CASE WHEN regexp_full_match({0}, '[0-9A-Fa-f]*') THEN unhex({0}) END)", BYTES, S)
simple("REGEXP_COUNT(s, pattern)", "CAST(len(regexp_extract_all({0}, {1})) AS INTEGER)", I, S, S)
simple(
    "REGEXP_SUBSTR(s, pattern)",
    "(CASE WHEN regexp_matches({0}, {1}) THEN regexp_extract({0}, {1}) END)",
    S,
    S,
    S,
)
simple(
    "REGEXP_INSTR(s, pattern)",
    "CAST((CASE WHEN regexp_matches({0}, {1}) THEN instr({0}, regexp_extract({0}, {1})) WHEN {0} IS NOT NULL THEN 0 END) AS INTEGER)",
    I, S, S,
)  # fmt: skip
simple("IS_ALPHA(s)", "coalesce(regexp_full_match({0}, '[A-Za-z]+'), FALSE)", BOOLEAN, S)
simple("IS_DIGIT(s)", "coalesce(regexp_full_match({0}, '[0-9]+'), FALSE)", BOOLEAN, S)
simple(
    "IS_DECIMAL(s)",
    "coalesce(regexp_full_match({0}, '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)'), FALSE)",
    BOOLEAN,
    S,
)
simple("SPLIT(s, delimiter)", "string_split({0}, {1})", array(S), S, S)


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
    if start.isdigit() and start != "0":
        return Value(f"substring({text}, {start}{length})", STRING)
    begin = f"(CASE WHEN {start} = 0 THEN 1 ELSE {start} END)"
    before = f"{start} < -length({text})"
    return Value(f"(CASE WHEN {before} THEN '' ELSE substring({text}, {begin}{length}) END)", STRING)


FUNCTIONS["SUBSTR"] = Function("SUBSTR(s, from, [length])", (2, 3), _substring)


@function("OVERLAY(s, other, from, [length])")
def _overlay(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text, other, start = (value.sql for value in values[:3])
    length = values[3].sql if len(values) > 3 else f"length({other})"
    made = f"left({text}, {start} - 1) || {other} || substring({text}, {start} + {length})"
    return Value(f"(CASE WHEN {start} < 1 OR {start} > length({text}) THEN {text} ELSE {made} END)", STRING)


@function("LOCATE(x, s, [from])")
def _locate(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    found, text = values[0].sql, values[1].sql
    if len(values) == 2:
        return Value(f"CAST(instr({text}, {found}) AS INTEGER)", INT)
    start = values[2].sql
    at = f"instr(substring({text}, {start}), {found})"
    return Value(f"CAST((CASE WHEN {at} = 0 THEN 0 ELSE {at} + {start} - 1 END) AS INTEGER)", INT)


@function("ELT(index, s, ...)")
def _elt(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    items = ", ".join(cast(value, STRING, compiler.zone) for value in values[1:])
    return Value(f"(CASE WHEN {values[0].sql} > 0 THEN [{items}][{values[0].sql}] END)", STRING)


@function("SHA2(s, bits)")
def _sha2(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    if values[1].sql != "256":
        raise refuse("SHA2 of other than 256 bits", node, "write SHA2(s, 256)")
    return Value(f"sha256({values[0].sql})", STRING)


@function("REGEXP_EXTRACT_ALL(s, pattern, [group])")
def _regexp_extract_all(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    group = values[2].sql if len(values) > 2 else "1"
    return Value(f"regexp_extract_all({values[0].sql}, {values[1].sql}, {group})", array(STRING))


@function("PRINTF(format, ...)")
def _printf(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    if not values[0].constant:
        raise refuse("PRINTF with a computed format", node, "write the format as a string")
    rest = list(values[1:])
    parts: list[str] = []
    for plain, kind in re.findall(r"((?:[^%]|%%)*)(%[-+0-9.,]*[a-zA-Z])?", values[0].sql[1:-1]):
        if plain:
            parts.append(f"'{plain.replace('%%', '%')}'")
        if kind and (kind[-1] not in "sdfx" or not rest):
            raise refuse(f"PRINTF of {kind}", node, "use %s, %d, %f or %x, one for each value")
        if kind:
            value = rest.pop(0)
            text = (
                cast(value, STRING, compiler.zone)
                if kind in ("%s", "%d")
                else f"printf('{kind}', {value.sql})"
            )
            parts.append(f"coalesce({text}, 'null')")
    return Value(f"({' || '.join(parts) or repr('')})", STRING)


_URL = {
    "PROTOCOL": r"^([^:/?#]+)://",
    "AUTHORITY": r"^[^:/?#]+://([^/?#]+)",
    "USERINFO": r"^[^:/?#]+://([^/?#@]+)@",
    "HOST": r"^[^:/?#]+://(?:[^/?#@]*@)?([^/?#:]+)",
    "PATH": r"^[^:/?#]+://[^/?#]*([^?#]*)",
    "FILE": r"^[^:/?#]+://[^/?#]*([^#]*)",
    "QUERY": r"[?]([^#]*)",
    "REF": r"#(.*)$",
}


@function("PARSE_URL(url, part, [key])")
def _parse_url(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    pattern = _URL.get(values[1].sql[1:-1])
    if pattern is None:
        raise refuse("PARSE_URL of that part", node, f"write one of {', '.join(_URL)} as a string")
    text = values[0].sql
    found = f"(CASE WHEN regexp_matches({text}, {literal(pattern)}) THEN regexp_extract({text}, {literal(pattern)}, 1) END)"
    if len(values) > 2:
        key = f"'(?:^|&)' || {values[2].sql} || '=([^&]*)'"
        found = f"(CASE WHEN regexp_matches({found}, {key}) THEN regexp_extract({found}, {key}, 1) END)"
    return Value(found, STRING)


@function("TRIM(side, chars, s)")
def _trim(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    name = {"'BOTH'": "trim", "'LEADING'": "ltrim", "'TRAILING'": "rtrim"}[values[0].sql]
    return Value(f"{name}({values[2].sql}, {values[1].sql})", STRING)


def _side(name: str, duckdb: str) -> None:
    @function(f"{name}(s, [chars])")
    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        chars = values[1].sql if len(values) > 1 else "' '"
        return Value(f"{duckdb}({values[0].sql}, {chars})", STRING)


_side("LTRIM", "ltrim")
_side("RTRIM", "rtrim")
_side("BTRIM", "trim")


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


@function("ENCODE(s, charset)")
def _encode(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"encode({values[0].sql})", BYTES)


@function("DECODE(bytes, charset)")
def _decode(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"decode({values[0].sql})", STRING)
