"""Avro schemas as a tree of types, parsed strictly and in bounded depth and size.

Follows the Apache Avro 1.12 specification, "Schema Declaration".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from hanse.errors import SchemaError

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
MAX_TEXT = 4_000_000
MAX_DEPTH = 64
MAX_TYPES = 50_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LOGICAL = {
    "decimal": {"bytes", "fixed"},
    "uuid": {"string", "fixed"},
    "date": {"int"},
    "time-millis": {"int"},
    "time-micros": {"long"},
    "timestamp-millis": {"long"},
    "timestamp-micros": {"long"},
    "timestamp-nanos": {"long"},
    "local-timestamp-millis": {"long"},
    "local-timestamp-micros": {"long"},
    "local-timestamp-nanos": {"long"},
    "duration": {"fixed"},
}
MISSING: Any = object()


@dataclass(slots=True)
class Field:
    """A field of a record. `default` is MISSING when there is none; `props` are its other attributes."""

    name: str
    type: AvroType
    default: Any = MISSING
    aliases: tuple[str, ...] = ()
    props: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True, eq=False)
class AvroType:
    """One type. Named types are shared, so a recursive schema is a cyclic graph."""

    kind: str
    name: str = ""
    fields: list[Field] = field(default_factory=list[Field])
    symbols: tuple[str, ...] = ()
    default_symbol: str | None = None
    items: AvroType | None = None
    branches: tuple[AvroType, ...] = ()
    size: int = 0
    logical: str | None = None
    precision: int = 0
    scale: int = 0
    aliases: tuple[str, ...] = ()
    props: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def short_name(self) -> str:
        """The name without its namespace, or the kind of an unnamed type."""
        return self.name.rpartition(".")[2] or self.kind

    @property
    def element(self) -> AvroType:
        """The items of an array, the values of a map."""
        assert self.items is not None, "only arrays and maps have elements"
        return self.items


def parse(schema: str | bytes | dict[str, Any] | list[Any], known: Iterable[str] = ()) -> AvroType:
    """The schema as types; `known` are the schemas that it refers to, those that others need first.

    Raises SchemaError, naming the place as a path such as `$.fields[2].type`.
    """
    parser = _Parser()
    for text in known:
        parser.type(_load(text), "$", "", 0)
    return parser.type(_load(schema), "$", "", 0)


def _load(schema: str | bytes | dict[str, Any] | list[Any]) -> Any:
    if not isinstance(schema, (str, bytes)):
        return schema
    if len(schema) > MAX_TEXT:
        raise SchemaError(
            "the Avro schema is too large", expected=f"at most {MAX_TEXT} bytes", got=str(len(schema))
        )
    if isinstance(schema, str) and schema.strip() in PRIMITIVES:
        return schema.strip()
    try:
        return orjson.loads(schema)
    except orjson.JSONDecodeError as error:
        raise SchemaError("the Avro schema is not JSON", got=str(error)) from error


class _Parser:
    def __init__(self) -> None:
        self.named: dict[str, AvroType] = {}
        self.count = 0

    def type(self, node: Any, path: str, space: str, depth: int) -> AvroType:
        self.count += 1
        if depth > MAX_DEPTH:
            raise _bad("the Avro schema is nested too deeply", path[:200], f"at most {MAX_DEPTH} levels")
        if self.count > MAX_TYPES:
            raise _bad("the Avro schema has too many types", path[:200], f"at most {MAX_TYPES}")
        if isinstance(node, str):
            return self._by_name(node, path, space)
        if isinstance(node, list):
            return self._union(node, path, space, depth)
        if not isinstance(node, dict):
            raise _bad("not an Avro type", path, "a name, an object or an array", repr(node)[:80])
        kind = node.get("type")
        if isinstance(kind, (dict, list)):
            return self.type(kind, f"{path}.type", space, depth + 1)
        if not isinstance(kind, str):
            raise _bad("an Avro type without a type", path, '"type"')
        if kind in ("record", "error", "enum", "fixed"):
            return self._named(node, "record" if kind == "error" else kind, path, space, depth)
        if kind in ("array", "map"):
            child = "items" if kind == "array" else "values"
            if child not in node:
                raise _bad(f"an {kind} without {child}", path, f'"{child}"')
            items = self.type(node[child], f"{path}.{child}", space, depth + 1)
            return AvroType(kind, items=items, props=_props(node))
        found = self._by_name(kind, path, space)
        return _with_logical(found, node, path) if found.kind in PRIMITIVES else found

    def _by_name(self, name: str, path: str, space: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name)
        full = name if "." in name or not space else f"{space}.{name}"
        found = self.named.get(full) or self.named.get(name)
        if found is None:
            raise _bad(f"unknown Avro type {name[:80]!r}", path, "a primitive or a type defined before")
        return found

    def _union(self, node: list[Any], path: str, space: str, depth: int) -> AvroType:
        branches = tuple(self.type(b, f"{path}[{i}]", space, depth + 1) for i, b in enumerate(node))
        seen: set[str] = set()
        for i, branch in enumerate(branches):
            key = branch.name or branch.kind
            if branch.kind == "union":
                raise _bad("a union directly inside a union", f"{path}[{i}]", "another type")
            if key in seen:
                raise _bad(f"a union with two branches {key!r}", f"{path}[{i}]", "each type once")
            seen.add(key)
        return AvroType("union", branches=branches)

    def _named(self, node: dict[str, Any], kind: str, path: str, space: str, depth: int) -> AvroType:
        name = _full_name(node, path, space)
        if name in self.named:
            raise _bad(f"the Avro type {name!r} is defined twice", path, "one definition")
        space = name.rpartition(".")[0]
        aliases = tuple(
            a if "." in a or not space else f"{space}.{a}" for a in _strings(node, "aliases", path)
        )
        made = AvroType(kind, name, aliases=aliases, props=_props(node))
        self.named[name] = made
        if kind == "record":
            self._fields(made, node, path, space, depth)
        elif kind == "enum":
            made.symbols = _strings(node, "symbols", path)
            made.default_symbol = node.get("default")
            if len(set(made.symbols)) != len(made.symbols) or not made.symbols:
                raise _bad(f"the enum {name!r} has no symbols or one twice", path, "distinct symbols")
        else:
            size: object = node.get("size")
            if not isinstance(size, int) or not 0 <= size <= 1 << 20:
                raise _bad(f"the fixed {name!r} has no usable size", path, "0 to 1048576", str(size)[:40])
            made.size = size
            _with_logical(made, node, path)
        return made

    def _fields(self, made: AvroType, node: dict[str, Any], path: str, space: str, depth: int) -> None:
        fields = node.get("fields")
        if not isinstance(fields, list):
            raise _bad(f"the record {made.name!r} has no fields", path, '"fields": [...]')
        seen: set[str] = set()
        for i, item in enumerate(fields):
            where = f"{path}.fields[{i}]"
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise _bad("a field without a name", where, '{"name": …, "type": …}')
            name = item["name"]
            if not _NAME.match(name):
                raise _bad(f"the field name {name[:80]!r} is no identifier", where, "letters, digits and _")
            if name in seen:
                raise _bad(f"the field {name!r} appears twice", where, "distinct names")
            if "type" not in item:
                raise _bad(f"the field {name!r} has no type", where, '"type"')
            seen.add(name)
            kind = self.type(item["type"], f"{where}.type", space, depth + 1)
            aliases = _strings(item, "aliases", where)
            made.fields.append(Field(name, kind, item.get("default", MISSING), aliases, _props(item)))


def _full_name(node: dict[str, Any], path: str, space: str) -> str:
    name = node.get("name")
    if not isinstance(name, str) or not name:
        raise _bad("a named Avro type without a name", path, '"name"')
    own = node.get("namespace", space)
    full = name if "." in name or not own else f"{own}.{name}"
    if not all(_NAME.match(part) for part in full.split(".")):
        raise _bad(f"the name {full[:80]!r} is no identifier", path, "letters, digits and _, with dots")
    return full


def _strings(node: dict[str, Any], key: str, path: str) -> tuple[str, ...]:
    value = node.get(key) or []
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise _bad(f"{key} is not a list of names", path, "[…]")
    return tuple(value)


def _with_logical(made: AvroType, node: dict[str, Any], path: str) -> AvroType:
    """Set the logical type where it fits; an unknown or invalid one is ignored, as the specification says."""
    made.props = _props(node)
    logical = node.get("logicalType")
    if not isinstance(logical, str) or made.kind not in _LOGICAL.get(logical, ()):
        return made
    if logical == "decimal":
        precision, scale = _any(node.get("precision")), _any(node.get("scale", 0))
        if not _usable(precision, scale):
            raise _bad("a decimal without usable digits", path, "1 ≤ precision ≤ 76, scale ≤ precision")
        made.precision, made.scale = precision, scale
    if (logical == "uuid" and made.kind == "fixed" and made.size != 16) or (
        logical == "duration" and made.size != 12
    ):
        return made
    made.logical = logical
    return made


_OWN = frozenset(
    ("type", "name", "namespace", "fields", "symbols", "items", "values", "size", "doc", "aliases", "default")
)


def _any(value: object) -> Any:
    """A value of a JSON document, of a type still to be looked at."""
    return value


def _usable(precision: Any, scale: Any) -> bool:
    whole = isinstance(precision, int) and isinstance(scale, int)
    return whole and 1 <= precision <= 76 and 0 <= scale <= precision


def _props(node: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in node.items() if k not in _OWN}


def _bad(what: str, path: str, expected: str, got: str | None = None) -> SchemaError:
    return SchemaError(what, where=path, expected=expected, got=got)
