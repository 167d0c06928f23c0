"""Drafts 2019-09 and 2020-12: every keyword is a schema of its own; those of one kind melt together."""

from __future__ import annotations

from typing import Any

from hanse.errors import SchemaError
from hanse.schemas.finding import short
from hanse.schemas.json_model import Builder, Kind, Node, apply_common, names, number, typed, whole
from hanse.schemas.json_refs import Place

_TYPES: dict[str, Kind] = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "array": "array",
    "object": "object",
}
_MELTING = {"array", "number", "object", "string"}
_LIMITS = {"minLength": "string", "maxLength": "string", "minItems": "array", "maxItems": "array"}
_COUNTS = {"minProperties": "object", "maxProperties": "object"}
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_KNOWN_TEXT = """$id $anchor $dynamicRef $dynamicAnchor $ref $defs $schema $vocabulary minLength maxLength
allOf anyOf oneOf additionalProperties properties patternProperties title description readOnly writeOnly
deprecated default enum const type not required maximum minimum exclusiveMaximum exclusiveMinimum multipleOf
uniqueItems items prefixItems contains minContains maxContains if then else dependentSchemas dependentRequired
unevaluatedItems unevaluatedProperties minItems maxItems minProperties maxProperties propertyNames pattern
format"""
_KNOWN = frozenset(_KNOWN_TEXT.split())
_LATE = ("properties", "patternProperties", "unevaluatedItems", "unevaluatedProperties")


def read_modern(builder: Builder, place: Place) -> Node:
    """The node of a schema object under draft 2019-09 or later. Raises SchemaError."""
    raw = place.raw
    made: Node | None = None
    for key in (*(k for k in raw if k not in _LATE), *(k for k in _LATE if k in raw)):
        part = _part(builder, place, key)
        if part is not None:
            made = part if made is None else _join(made, part, raw)
    if isinstance(raw.get("$defs"), dict):
        for name in raw["$defs"]:
            builder.node(place.child("$defs", name))
    if made is None or (_generated(made, "allOf") and not made.members):
        made = Node("any", raw)
    elif _generated(made, "allOf") and len(made.members) == 1:
        made = made.members[0]
    made = apply_common(made, place, null_is_default=False)
    # what Confluent's translation keeps beside unknown keywords and definitions is those alone
    if raw.get("$defs") or any(key not in _KNOWN for key in raw):
        made.unevaluated = None
        made.bounds.pop("minContains", None)
        made.bounds.pop("maxContains", None)
    return made


def _part(builder: Builder, place: Place, key: str) -> Node | None:
    raw = place.raw
    if key in _LIMITS:
        return Node(_LIMITS[key], raw, bounds={key: whole(place, key)})  # pyright: ignore[reportArgumentType]
    if key in _COUNTS:
        return Node("object", raw, bounds={key: whole(place, key)})
    if key in _NUMBERS:
        return Node("number", raw, bounds={key: number(place, key)})
    match key:
        case "$ref" | "$dynamicRef" | "$recursiveRef":
            return builder.reference(place, raw[key])
        case "type":
            return _type(place)
        case "pattern":
            return Node("string", raw, pattern=typed(place, key, str, "a regular expression"))
        case "enum":
            return Node("enum", raw, values=typed(place, key, list, "a list of values"))
        case "const":
            return Node("const", raw, values=[raw[key]])
        case "not":
            return Node("not", raw, inner=builder.node(place.child(key)))
        case "allOf" | "anyOf" | "oneOf":
            return _combined(builder, place, key)
        case "if":
            return _conditional(builder, place)
        case "uniqueItems" | "items" | "prefixItems" | "contains" | "unevaluatedItems":
            return _array(builder, place, key)
        case _:
            return _object(builder, place, key)


def _type(place: Place) -> Node:
    said = place.raw["type"]
    if not isinstance(said, list):
        return _of_type(place, said)
    members = [_of_type(place, kind) for kind in said]
    return Node("combined", place.raw, criterion="anyOf", members=members, generated=True)


def _of_type(place: Place, kind: Any) -> Node:
    if kind == "integer":
        return Node("number", place.raw, integer=True)
    if isinstance(kind, str) and kind in _TYPES:
        return Node(_TYPES[kind], place.raw)
    raise SchemaError("unknown type", where=place.pointer, got=short(kind))


def _combined(builder: Builder, place: Place, key: Any) -> Node:
    members: list[Node] = []
    for i in range(len(typed(place, key, list, "a list of schemas"))):
        member = builder.node(place.child(key, i))
        members += member.members if _generated(member, "allOf") else [member]
    return Node("combined", place.raw, criterion=key, members=members)


def _conditional(builder: Builder, place: Place) -> Node:
    for key in ("if", "then", "else"):
        if key in place.raw:
            builder.node(place.child(key))
    return Node("conditional", place.raw)


def _array(builder: Builder, place: Place, key: str) -> Node:
    raw = place.raw
    made = Node("array", raw)
    if key == "uniqueItems":
        made.unique = typed(place, key, bool, "true or false")
    elif key == "prefixItems":
        count = len(typed(place, key, list, "a list of schemas"))
        made.tuple = [builder.node(place.child(key, i)) for i in range(count)]
    elif key == "contains":
        builder.node(place.child(key))
        made.bounds["minContains"] = number(place, "minContains") if "minContains" in raw else 1
        if "maxContains" in raw:
            made.bounds["maxContains"] = number(place, "maxContains")
    elif key == "unevaluatedItems":
        made.unevaluated = builder.node(place.child(key))
    elif isinstance(raw[key], list):
        # the array form of `items` belongs to 2019-09 and older
        made.tuple = [builder.node(place.child(key, i)) for i in range(len(raw[key]))]
    elif raw[key] is False:
        made.closed = True
    elif raw[key] is not True:
        inner = builder.node(place.child(key))
        if raw.get("prefixItems"):
            made.others = inner
        else:
            made.items = inner
    return made


def _object(builder: Builder, place: Place, key: str) -> Node | None:
    raw = place.raw
    made = Node("object", raw)
    match key:
        case "properties" | "patternProperties":
            into = made.properties if key == "properties" else made.patterns
            for name in typed(place, key, dict, "an object of schemas"):
                into[name] = builder.node(place.child(key, name))
        case "required":
            made.required = dict.fromkeys(names(place, key))
        case "additionalProperties":
            made.closed = raw[key] is False
            if not isinstance(raw[key], bool):
                made.others = builder.node(place.child(key))
        case "unevaluatedProperties":
            made.unevaluated = builder.node(place.child(key))
        case "dependentRequired":
            inner = place.child(key)
            for name in typed(place, key, dict, "an object"):
                if raw[key][name]:
                    made.needs[name] = frozenset(names(inner, name))
        case "dependentSchemas":
            for name in typed(place, key, dict, "an object of schemas"):
                made.needs_schema[name] = builder.node(place.child(key, name))
        case "propertyNames":
            builder.node(place.child(key))
        case _:
            return None
    return made


def _join(before: Node, part: Node, raw: Any) -> Node:
    if before.kind == part.kind and before.kind in _MELTING:
        return _melt(before, part)
    if _generated(before, "anyOf") and any(_same(m, part) for m in before.members):
        return Node("combined", raw, criterion="anyOf", members=_gather(before.members, part), generated=True)
    if _generated(part, "anyOf") and any(_same(m, before) for m in part.members):
        return Node("combined", raw, criterion="anyOf", members=_gather(part.members, before), generated=True)
    members: list[Node] = []
    for member in (*_flat(before), *_flat(part)):
        members = _gather(members, member)
    return Node("combined", raw, members=members, generated=True)


def _gather(members: list[Node], part: Node) -> list[Node]:
    for i, member in enumerate(members):
        if member.kind == part.kind and part.kind in _MELTING:
            return [*members[:i], _melt(member, part), *members[i + 1 :]]
    return [*members, part]


def _same(one: Node, other: Node) -> bool:
    return one.kind == other.kind


def _flat(made: Node) -> list[Node]:
    return made.members if _generated(made, "allOf") else [made]


def _generated(made: Node, criterion: str) -> bool:
    return made.kind == "combined" and made.generated and made.criterion == criterion


def _melt(one: Node, other: Node) -> Node:
    """Both parts in one node; where both speak, the later one wins."""
    return Node(
        one.kind,
        one.raw,
        bounds={**one.bounds, **other.bounds},
        pattern=other.pattern if other.pattern is not None else one.pattern,
        integer=one.integer or other.integer,
        unique=one.unique or other.unique,
        properties={**one.properties, **other.properties},
        required={**one.required, **other.required},
        patterns={**one.patterns, **other.patterns},
        needs={**one.needs, **other.needs},
        needs_schema={**one.needs_schema, **other.needs_schema},
        closed=one.closed or other.closed,
        others=other.others or one.others,
        unevaluated=other.unevaluated or one.unevaluated,
        items=other.items or one.items,
        tuple=(one.tuple or []) + (other.tuple or []) if one.tuple or other.tuple else None,
    )
