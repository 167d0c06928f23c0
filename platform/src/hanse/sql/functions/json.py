"""JSON functions, by SQL/JSON paths."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.sql.casts import cast
from hanse.sql.functions.registry import function
from hanse.sql.relation import Value, refuse
from hanse.sql.types import BOOLEAN, STRING, parse_type

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler


def json_call(compiler: ExpressionCompiler, node: Any) -> Value:
    """JSON_VALUE, JSON_QUERY, JSON_EXISTS, JSON_OBJECT and JSON_ARRAY."""
    name = node.name
    args = [compiler.value(arg) for arg in node.expressions]
    if name == "JSON_OBJECT":
        pairs = sorted(zip(args[::2], args[1::2], strict=True), key=lambda pair: pair[0].sql)
        parts = ", ".join(part for key, value in pairs for part in (key.sql, _json_item(value)))
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
    return _json_value(compiler, node, guarded, path, lax=args[1].sql.startswith("'lax "))


def _json_item(value: Value) -> str:
    if value.type.is_time:
        return f"CAST({value.sql} AS VARCHAR)"
    return value.sql


def _json_value(compiler: ExpressionCompiler, node: Any, text: str, path: str, *, lax: bool) -> Value:
    kind = parse_type(node.args["kind"].name) if node.args.get("kind") else STRING
    found = f"json_extract({text}, {path})"
    scalar = f"(CASE WHEN json_type({found}) NOT IN ('ARRAY', 'OBJECT', 'NULL') THEN {found} ->> '$' END)"
    result = f"TRY_CAST({scalar} AS {kind.duckdb})"
    for place in ("empty", "error"):
        default = node.args.get(place)
        if default is not None and not isinstance(default, str):
            if lax == (place == "error"):
                continue  # what a lax path does not find is empty, what a strict one does not is an error
            value = compiler.value(default)
            result = f"(CASE WHEN {found} IS NULL THEN {cast(value, kind, compiler.zone)} ELSE {result} END)"
    return Value(result, kind)


@function("JSON_STRING(x)")
def _json_string(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"CAST(to_json({values[0].sql}) AS VARCHAR)", STRING)


@function("JSON_UNQUOTE(s)")
def _json_unquote(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    text = values[0].sql
    inner = (
        f"CASE WHEN json_valid({text}) AND json_type({text}) = 'VARCHAR' THEN {text} ->> '$' ELSE {text} END"
    )
    return Value(f"({inner})", STRING)


@function("JSON_QUOTE(s)")
def _json_quote(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    return Value(f"CAST(to_json({values[0].sql}) AS VARCHAR)", STRING)
