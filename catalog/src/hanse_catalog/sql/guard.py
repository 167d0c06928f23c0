"""An allow-list over DuckDB's own syntax tree. What it does not know, it refuses.

The tree comes from `json_serialize_sql`, so that the text is judged as the engine itself reads it.
Every object in the tree must be of a listed kind, every function on the list, every table either a
common table expression in scope or named to the caller, who decides whether the reader may see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hanse.errors import QueryRefused

from . import functions as fn

MAX_NODES = 60_000
MAX_TREE_DEPTH = 900
MAX_COUNT = 10_000
MAX_SERIES = 1_000_000

_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLES = frozenset(
    {"BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EMPTY", "EMPTY_FROM", "EXPRESSION_LIST", "PIVOT"}
    | {"SHOW_REF"}
)
_MODIFIERS = frozenset(
    {"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"}
    | {"ORDER_DEFAULT", "ASCENDING", "DESCENDING"}
)
_CLASSES = frozenset(
    [
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "DEFAULT",
        "FUNCTION",
        "LAMBDA",
        "LAMBDA_REF",
        "OPERATOR",
        "PARAMETER",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    ]
)
_EXPRESSION_TYPES = re.compile(
    r"(COMPARE|ARRAY|STRUCT|CONJUNCTION|OPERATOR|WINDOW|VALUE|SUBQUERY|CASE|COLLATE|COLUMN_REF|FUNCTION|LAMBDA|"
    r"GROUPING_FUNCTION|POSITIONAL_REFERENCE|STAR|TYPE|CAST|PARAMETER)[A-Z_]*"
)
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ ]{0,62}")
_VALUE_TYPES = frozenset(["BOOLEAN", "INTEGER", "BIGINT", "UBIGINT", "DOUBLE", "VARCHAR"])
_BUILT_IN = re.compile(r"(duckdb|pg|sqlite|pragma|information_schema)(_|$)", re.IGNORECASE)
_SEES_ITSELF = {"RECURSIVE_CTE_NODE": ("right",), "CTE_NODE": ("child",)}
"""Parts of a common table expression in which its own name means itself."""
_SERVER_NAMES = frozenset(
    ["current_user", "session_user", "current_role", "current_catalog", "current_schema"]
)
_WIDE_FORMAT = re.compile(r"%\S*\*|\{[^}]*\{|\d{4,}")


@dataclass(slots=True)
class Checked:
    """What an accepted query needs: tables as (schema or "", name), and its named parameters."""

    tables: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    parameters: list[str] = field(default_factory=list[str])


def check_tree(tree: dict[str, Any]) -> Checked:
    """Judge the answer of `json_serialize_sql`. Raises QueryRefused naming what is not allowed."""
    if tree.get("error"):
        raise _parser_error(tree)
    statements = tree.get("statements")
    if not isinstance(statements, list) or len(statements) != 1:
        raise QueryRefused(
            "a query is one statement",
            expected="one SELECT",
            got=f"{len(statements) if isinstance(statements, list) else 0} statements",
        )
    walker = _Walker()
    walker.visit(statements[0], frozenset(), 0)
    return walker.found


def _parser_error(tree: dict[str, Any]) -> QueryRefused:
    message = str(tree.get("error_message", ""))
    if "Only SELECT" in message:
        return QueryRefused(
            "only SELECT is allowed", fix="products are read here; they change through their projection"
        )
    position = str(tree.get("position"))
    where = f"character {int(position) + 1}" if position.isdigit() else None
    return QueryRefused(f"the query cannot be read: {message}", where=where)


class _Walker:
    """Walks the whole tree once, with the common table expressions in scope."""

    def __init__(self) -> None:
        self.found = Checked()
        self.nodes = 0
        self.growth = 1

    def visit(self, value: object, scope: frozenset[str], depth: int) -> None:
        if isinstance(value, list):
            for item in value:
                self.visit(item, scope, depth + 1)
        elif isinstance(value, dict):
            self._object(value, scope, depth)

    def _object(self, node: dict[str, Any], scope: frozenset[str], depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_TREE_DEPTH:
            raise QueryRefused("the query is too large or too deeply nested")
        if "cte_map" in node:
            scope = self._expressions_in_scope(node["cte_map"] or {}, scope, depth)
        if "info" in node or "info_type" in node:
            raise _not_allowed("a statement that changes something")
        if "class" in node:
            self._expression(node)
        elif "type" in node:
            self._structure(node, scope)
        skip = "function" if node.get("type") == "TABLE_FUNCTION" else None
        for key, child in node.items():
            if key == "cte_map":
                continue
            if key in _SEES_ITSELF.get(str(node.get("type")), ()):
                self.visit(child, scope | {str(node.get("cte_name")).lower()}, depth + 1)
            elif key == skip and isinstance(child, dict):
                self._table_function(child, scope, depth)
            elif isinstance(child, (dict, list)):
                self.visit(child, scope, depth + 1)

    def _expressions_in_scope(
        self, ctes: dict[str, Any], scope: frozenset[str], depth: int
    ) -> frozenset[str]:
        """Visit common table expressions as they stand: each sees those before it, and not itself."""
        for entry in ctes.get("map", []):
            self.visit(entry.get("value"), scope, depth + 2)
            scope = scope | {str(entry.get("key", "")).lower()}
        return scope

    def _structure(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        kind = node["type"]
        if isinstance(kind, dict) and kind.get("id") in _VALUE_TYPES and not kind.get("type_info"):
            return  # a constant value, as in SAMPLE 10%
        if not isinstance(kind, str) or kind not in _NODES | _TABLES | _MODIFIERS:
            raise _not_allowed(f"{_readable(kind)}")
        if kind == "BASE_TABLE":
            self._table(node, scope)
        elif kind == "SHOW_REF" and (
            node.get("show_type") not in ("DESCRIBE", "SUMMARY") or node.get("table_name") not in ("", None)
        ):
            raise _not_allowed("SHOW", "search the catalog's products instead")
        elif kind == "JOIN" and node.get("ref_type") not in (
            None,
            "REGULAR",
            "NATURAL",
            "CROSS",
            "POSITIONAL",
            "ASOF",
        ):
            raise _not_allowed(f"a join of the kind {node.get('ref_type')}")

    def _table(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        if node.get("at_clause"):
            raise _not_allowed("AT (…)", "ask for another moment with `as_of`")
        path = (node.get("qualified_name") or {}).get("path") or []
        schema, name = node.get("schema_name") or "", node.get("table_name") or ""
        if node.get("catalog_name") or len(path) > 2:
            raise _not_allowed(f"the table {'.'.join(map(str, path))}", "name it <domain>.<product>")
        if not schema and _BUILT_IN.match(name):
            raise _not_allowed(f"the table {name}", "the engine has views of that name; choose another")
        if not schema and name.lower() in scope:
            return
        self.found.tables.add((schema, name))

    def _expression(self, node: dict[str, Any]) -> None:
        kind, detail = node["class"], node.get("type")
        if kind not in _CLASSES or not isinstance(detail, str) or not _EXPRESSION_TYPES.fullmatch(detail):
            raise _not_allowed(_readable(detail or kind))
        if kind in ("FUNCTION", "WINDOW"):
            self._function(node, fn.ALLOWED)
        elif kind == "PARAMETER":
            name = str(node.get("identifier"))
            if name.isdigit():
                raise _not_allowed("a parameter without a name", "write :name")
            if name not in self.found.parameters:
                self.found.parameters.append(name)
        elif kind == "TYPE":
            self._type(node)
        elif kind == "COLUMN_REF":
            names = node.get("column_names") or []
            if len(names) == 1 and str(names[0]).lower() in _SERVER_NAMES:
                raise _not_allowed(str(names[0]))

    def _type(self, node: dict[str, Any]) -> None:
        if node.get("schema") or node.get("catalog") or not _TYPE_NAME.fullmatch(str(node.get("type_name"))):
            raise _not_allowed(f"the type {node.get('type_name')}")

    def _table_function(self, call: dict[str, Any], scope: frozenset[str], depth: int) -> None:
        if call.get("class") != "FUNCTION":
            raise _not_allowed("a table function of that form")
        self._function(call, fn.TABLES)
        for child in call.values():
            if isinstance(child, (dict, list)):
                self.visit(child, scope, depth + 1)

    def _function(self, node: dict[str, Any], allowed: frozenset[str]) -> None:
        name = str(node.get("function_name") or "").lower()
        path = (node.get("qualified_name") or {}).get("path") or [name]
        if node.get("schema") or node.get("catalog") or len(path) > 1:
            raise _not_allowed(
                f"the qualified function {'.'.join(map(str, path))}", "call it by its bare name"
            )
        if name not in allowed:
            raise _not_allowed(f"the function {name}", _why(name, allowed))
        if node.get("export_state"):
            raise _not_allowed("EXPORT_STATE")
        arguments = [_argument(a) for a in node.get("arguments") or node.get("children") or []]
        if name in fn.COUNTED:
            self._counted(name, arguments)
        elif name in fn.SERIES:
            _bound_series(name, arguments)
        elif name in fn.BY_NAME and len(arguments) > 1:
            _aggregate_by_name(name, arguments[1])
        elif name in fn.FORMATS and arguments:
            _bound_format(name, arguments[0])

    def _counted(self, name: str, arguments: list[Any]) -> None:
        where = fn.COUNTED[name]
        count = _integer(arguments[where]) if len(arguments) > where else 0
        if count is None or count > MAX_COUNT:
            raise QueryRefused(
                f"{name} needs a written count",
                expected=f"a whole number up to {MAX_COUNT:,}",
                got="an expression" if count is None else f"{count:,}",
            )
        self.growth *= max(count, 1) if name == "repeat" or count > 100 else 1
        if self.growth > MAX_SERIES:
            raise QueryRefused(f"{name} would make values that are too long", expected="smaller counts")


def _argument(argument: object) -> Any:
    if isinstance(argument, dict) and "expression" in argument:
        return argument["expression"]
    return argument


def _literal(node: object) -> tuple[str, str] | None:
    """(kind, text) of a constant, looking through casts and a sign."""
    for _ in range(4):
        if not isinstance(node, dict):
            return None
        if node.get("class") == "CONSTANT":
            literal = node.get("literal") or {}
            return str(literal.get("kind")), str(literal.get("text"))
        if node.get("class") == "CAST":
            node = node.get("child")
            continue
        if node.get("class") == "FUNCTION" and node.get("function_name") == "-":
            inner = _literal(_argument((node.get("arguments") or [None])[0]))
            return inner and (inner[0], f"-{inner[1]}")
        return None
    return None


def _integer(node: object) -> int | None:
    literal = _literal(node)
    try:
        return int(float(literal[1].replace("_", ""))) if literal else None
    except (ValueError, OverflowError):
        return None


def _bound_series(name: str, arguments: list[Any]) -> None:
    numbers = [_integer(argument) for argument in arguments]
    known = [number for number in numbers if number is not None]
    if len(known) != len(arguments) or not known:
        return  # dates or columns: memory and time are bounded by the worker
    low, high = (0, known[0]) if len(known) == 1 else (known[0], known[1])
    step = abs(known[2]) if len(known) > 2 else 1
    if step and abs(high - low) // step > 100 * MAX_SERIES:
        raise QueryRefused(f"{name} would make too many values", expected=f"at most {100 * MAX_SERIES:,}")


def _aggregate_by_name(name: str, argument: object) -> None:
    literal = _literal(argument)
    if literal is None or literal[1].lower() not in fn.AGGREGATES:
        raise _not_allowed(f"{name} of that aggregate", "write the aggregate's name as text")


def _bound_format(name: str, argument: object) -> None:
    literal = _literal(argument)
    if literal is None or _WIDE_FORMAT.search(literal[1]):
        raise _not_allowed(f"{name} with that pattern", "write a pattern with widths under 1,000")


def _why(name: str, allowed: frozenset[str]) -> str:
    if name in fn.REASONS:
        return fn.REASONS[name]
    if allowed is fn.TABLES:
        return "in FROM stand products and " + ", ".join(sorted(fn.TABLES))
    return "see the list of functions in the documentation"


def _readable(kind: object) -> str:
    return str(kind).replace("_QUERY_NODE", "").replace("_", " ")


def _not_allowed(what: str, fix: str | None = None) -> QueryRefused:
    return QueryRefused(f"{what} is not allowed in a query", fix=fix)


def walk(tree: object) -> Iterator[dict[str, Any]]:
    """Every object of a syntax tree, outermost first."""
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from walk(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from walk(child)
