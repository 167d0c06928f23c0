"""Functions of numbers."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hanse.sql.casts import cast
from hanse.sql.functions.registry import function, same, simple
from hanse.sql.relation import Value
from hanse.sql.types import DOUBLE, STRING, decimal

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler

D = DOUBLE

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
simple("BIN(i)", "bin({0})", STRING)
simple("HEX(x)", "hex({0})", STRING)
same("ABS(x)", "abs({0})")


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
    back = re.fullmatch(r"\(?-(\d{1,2})\)?", digits)
    if name == "trunc" and back:
        unit = 10 ** int(back.group(1))
        return Value(f"CAST(trunc({value.sql} / CAST({unit} AS DOUBLE)) * {unit} AS {kind.duckdb})", kind)
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
