"""Avro schemas, parsed with names resolved (Apache Avro 1.12 specification, "Schema Declaration")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hanse.errors import SchemaError
from hanse.schemas.finding import short
from hanse.schemas.text import load_json

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LETTERS = re.compile(r"[^\W\d]\w*\Z")
_UNSET: Any = object()


@dataclass(slots=True, eq=False)
class AvroField:
    """A record's field. `has_default` because null is a default too."""

    name: str
    type: AvroType
    aliases: tuple[str, ...] = ()
    has_default: bool = False
    default: Any = None


@dataclass(slots=True, eq=False)
class AvroType:
    """One type. Recursive schemas point back at the same object, so compare by identity."""

    kind: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    fields: list[AvroField] = field(default_factory=list[AvroField])
    branches: list[AvroType] = field(default_factory=list["AvroType"])
    items: AvroType | None = None
    symbols: tuple[str, ...] = ()
    default: str | None = None
    size: int = 0

    @property
    def short_name(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition(".")[2]

    @property
    def label(self) -> str:
        """How a message calls the type."""
        if self.kind == "union":
            return "[" + ", ".join(branch.label for branch in self.branches[:8]) + "]"
        if self.kind in {"array", "map"} and self.items is not None:
            return self.kind
        return f"{self.kind} {self.name}" if self.name else self.kind


def parse_avro(text: str, references: Iterable[str] = (), *, strict: bool = False) -> AvroType:
    """The type that a schema text declares.

    `references` are texts of schemas whose names it may use, dependencies first. `strict` checks the
    defaults of fields as well, as at registration. Raises SchemaError naming the place.
    """
    parser = _Parser(strict)
    try:
        for reference in references:
            parser.parse(load_json(reference, "referenced schema"), "", "$")
        stripped = text.strip()
        document = stripped if stripped in PRIMITIVES else load_json(text)
        return parser.parse(document, "", "$")
    except RecursionError as error:
        raise SchemaError("the schema is nested too deeply") from error


class _Parser:
    def __init__(self, strict: bool) -> None:
        self.names: dict[str, AvroType] = {}
        self.strict = strict

    def parse(self, node: Any, namespace: str, path: str) -> AvroType:
        if isinstance(node, str):
            return self._named(node, namespace, path)
        if isinstance(node, list):
            return self._union(node, namespace, path)
        if not isinstance(node, dict):
            raise _wrong("a type is a name, an object or a list", path, node)
        kind = node.get("type", _UNSET)
        if kind is _UNSET:
            raise _wrong("the type is missing", path, sorted(map(str, node))[:6])
        if not isinstance(kind, str):
            return self.parse(kind, namespace, path)
        if kind in NAMED:
            return self._declare(kind, node, namespace, path)
        if kind == "array":
            return AvroType("array", items=self._inner(node, "items", namespace, f"{path}[]"))
        if kind == "map":
            return AvroType("map", items=self._inner(node, "values", namespace, f"{path}{{}}"))
        return self._named(kind, namespace, path)

    def _named(self, name: str, namespace: str, path: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = self.names.get(full) or self.names.get(name)
        if found is None:
            raise SchemaError(
                f"unknown type {short(name, 60)!r}", where=path, fix="define it, or add a reference"
            )
        return found

    def _inner(self, node: Mapping[str, Any], key: str, namespace: str, path: str) -> AvroType:
        if key not in node:
            raise _wrong(f"the {key!r} of the type are missing", path, sorted(map(str, node))[:6])
        return self.parse(node[key], namespace, path)

    def _union(self, node: list[Any], namespace: str, path: str) -> AvroType:
        branches: list[AvroType] = []
        seen: set[str] = set()
        for branch in node:
            parsed = self.parse(branch, namespace, path)
            key = parsed.name or parsed.kind
            if parsed.kind == "union":
                raise _wrong("a union may not hold a union", path, parsed.label)
            if key in seen:
                raise _wrong("a union may hold a type once only", path, key)
            seen.add(key)
            branches.append(parsed)
        return AvroType("union", branches=branches)

    def _declare(self, kind: str, node: Mapping[str, Any], namespace: str, path: str) -> AvroType:
        name, inner = self._full_name(node, namespace, path)
        before = self.names.get(name)
        if before is not None and (self.strict or before.kind != kind or kind not in {"enum", "fixed"}):
            raise _wrong("the name is defined twice", path, name)
        aliases = tuple(
            a if "." in a or not inner else f"{inner}.{a}"
            for a in _texts(node.get("aliases"), path, "aliases")
        )
        declared = AvroType("record" if kind == "error" else kind, name=name, aliases=aliases)
        self.names[name] = declared
        if kind == "fixed":
            declared.size = _size(node.get("size"), path)
        elif kind == "enum":
            self._enum(declared, node, path)
        else:
            self._record(declared, node, inner, path)
        if before is not None and (before.size, before.symbols) != (declared.size, declared.symbols):
            raise _wrong("the name is defined twice, and differently", path, name)
        return declared

    def _full_name(self, node: Mapping[str, Any], namespace: str, path: str) -> tuple[str, str]:
        name, space = node.get("name"), node.get("namespace", namespace)
        if not isinstance(name, str) or not isinstance(space, str | None):
            raise _wrong("a record, enum or fixed needs a name", path, name)
        if "." in name:
            space, _, name = name.rpartition(".")
        space = space or ""
        parts = (*space.split("."), name) if space and self.strict else (name,)
        for part in parts:
            self._check_name(part, "name", path)
        return (f"{space}.{name}" if space else name), space

    def _check_name(self, name: str, what: str, path: str) -> None:
        """Schemas with letters of other alphabets exist: they are compared, but not registered."""
        if not (_NAME if self.strict else _LETTERS).match(name):
            raise _wrong(f"the {what} is not an Avro name", path, name)

    def _enum(self, declared: AvroType, node: Mapping[str, Any], path: str) -> None:
        if "symbols" not in node:
            raise _wrong("an enum needs symbols", path, declared.name)
        symbols = _texts(node["symbols"], path, "symbols")
        for symbol in symbols:
            self._check_name(symbol, "symbol", path)
        if len(set(symbols)) != len(symbols):
            raise _wrong(
                "a symbol is listed twice", path, sorted({s for s in symbols if symbols.count(s) > 1})
            )
        declared.symbols = tuple(symbols)
        default = node.get("default")
        if default is not None and (self.strict or isinstance(default, str)):
            if default not in symbols:
                raise _wrong("the enum's default is not one of its symbols", path, default)
            declared.default = default

    def _record(self, declared: AvroType, node: Mapping[str, Any], namespace: str, path: str) -> None:
        fields = node.get("fields")
        if not isinstance(fields, list):
            raise _wrong("a record needs a list of fields", path, fields)
        seen: set[str] = set()
        for item in fields:
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise _wrong("a field needs a name", path, item)
            name = item["name"]
            here = f"{path}.{short(name, 60)}"
            self._check_name(name, "field's name", path)
            if name in seen:
                raise _wrong("the field is defined twice", here, name)
            seen.add(name)
            if "type" not in item:
                raise _wrong("the field's type is missing", here, sorted(map(str, item))[:6])
            made = AvroField(
                name,
                self.parse(item["type"], namespace, here),
                tuple(_texts(item.get("aliases"), here, "aliases")),
                "default" in item,
                item.get("default"),
            )
            declared.fields.append(made)
            if self.strict and made.has_default and not _fits(made.type, made.default):
                raise SchemaError(
                    "the default does not fit the field's type",
                    where=here,
                    expected=made.type.label,
                    got=short(made.default),
                )


def _wrong(what: str, path: str, got: object) -> SchemaError:
    return SchemaError(what, where=path, got=short(repr(got)))


def _texts(value: Any, path: str, what: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(f"the {what} are a list of texts", path, value)
    return value


def _size(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong("a fixed needs a size in bytes", path, value)
    return value


def _fits(type_: AvroType, value: Any) -> bool:
    """Whether a field's default fits; for a union any branch may take it (Avro 1.12)."""
    match type_.kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            limit = 2**31 if type_.kind == "int" else 2**63
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and -limit <= value < limit
        case "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bytes" | "string" | "fixed":
            return isinstance(value, str)
        case "enum":
            return isinstance(value, str) and value in type_.symbols
        case "array":
            return isinstance(value, list) and all(_fits(_items(type_), item) for item in value)
        case "map":
            return isinstance(value, dict) and all(_fits(_items(type_), item) for item in value.values())
        case "union":
            return any(_fits(branch, value) for branch in type_.branches)
        case _:
            return isinstance(value, dict) and all(
                _fits(f.type, value[f.name]) if f.name in value else f.has_default for f in type_.fields
            )


def _items(type_: AvroType) -> AvroType:
    if type_.items is None:
        raise SchemaError(f"the {type_.kind} has no item type")
    return type_.items
