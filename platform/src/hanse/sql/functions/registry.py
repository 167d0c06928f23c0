"""The registry of scalar functions: what each is called, takes, gives, and is in DuckDB."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanse.sql.casts import cast
from hanse.sql.relation import Value
from hanse.sql.types import Type

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


def same(signature: str, template: str) -> None:
    """A function whose result has its first argument's type."""

    def build(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
        return Value(template.format(*(value.sql for value in values)), values[0].type)

    function(signature)(build)
