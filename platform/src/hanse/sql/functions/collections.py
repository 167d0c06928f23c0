"""Functions of arrays, maps, multisets and rows."""

# ruff: noqa: ARG001 - lowerings share one signature, and most need only their arguments
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.sql.functions.registry import function, same, simple
from hanse.sql.relation import Value, refuse
from hanse.sql.types import BOOLEAN, INT, STRING, Type, array

if TYPE_CHECKING:
    from hanse.sql.expressions import ExpressionCompiler

simple("ARRAY_CONTAINS(array, x)", "list_contains({0}, {1})", BOOLEAN)
same("ARRAY_REVERSE(array)", "list_reverse({0})")
same("ARRAY_REMOVE(array, x)", "list_filter({0}, lambda e: e IS DISTINCT FROM {1})")
same("ARRAY_APPEND(array, x)", "(CASE WHEN {0} IS NOT NULL THEN list_append({0}, {1}) END)")
same("ARRAY_PREPEND(array, x)", "(CASE WHEN {0} IS NOT NULL THEN list_prepend({1}, {0}) END)")
same(
    "ARRAY_CONCAT(array, other)",
    "(CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN list_concat({0}, {1}) END)",
)
same("MAP_UNION(map, other)", "map_concat({0}, {1})")


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
    one, other = values[0].sql, values[1].sql
    both = f"(CASE WHEN {one} IS NOT NULL AND {other} IS NOT NULL THEN list_concat({one}, {other}) END)"
    return _array_distinct(compiler, [Value(both, values[0].type)], node)


@function("ARRAY_SORT(array, [ascending], [nulls_first])")
def _array_sort(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    flags = [value.sql for value in values[1:]]
    if any(flag not in ("TRUE", "FALSE") for flag in flags):
        raise refuse("ARRAY_SORT with a computed order", node, "write TRUE or FALSE")
    rising = not flags or flags[0] == "TRUE"
    first = flags[1] == "TRUE" if len(flags) > 1 else rising
    order = f"'{'ASC' if rising else 'DESC'}', 'NULLS {'FIRST' if first else 'LAST'}'"
    return Value(f"list_sort({values[0].sql}, {order})", values[0].type)


@function("CARDINALITY(x)")
def _cardinality(compiler: ExpressionCompiler, values: list[Value], node: Any) -> Value:
    size = "len" if values[0].type.kind == "ARRAY" else "cardinality"
    return Value(f"CAST({size}({values[0].sql}) AS INTEGER)", INT)


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
