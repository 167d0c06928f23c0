"""Functions that choose among values, and TYPEOF."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.sql.functions.registry import function, same
from hanse.sql.relation import Value
from hanse.sql.types import STRING, literal

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler

same("NULLIF(a, b)", "nullif({0}, {1})")


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


@function("TYPEOF(x)")
def _typeof(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(literal(str(values[0].type)), STRING)
