"""Drafts 4, 6 and 7: `$ref` hides what stands beside it; a type takes the keywords of its kind."""

from __future__ import annotations

from typing import Any

from hanse.errors import SchemaError
from hanse.schemas.finding import short
from hanse.schemas.json_model import Builder, Node, apply_common, names, number, typed, whole
from hanse.schemas.json_refs import Place

STRING = ("minLength", "maxLength", "pattern", "format")
NUMBER = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
ARRAY = ("items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains")
OBJECT = (
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
)
_KEYWORDS = {"string": STRING, "number": NUMBER, "integer": NUMBER, "array": ARRAY, "object": OBJECT}
_LATER_THAN_4 = {"contains", "propertyNames"}


def read_classic(builder: Builder, place: Place) -> Node:
    """The node of a schema object under draft 4, 6 or 7. Raises SchemaError."""
    if "$ref" in place.raw:
        made = builder.reference(place, place.raw["$ref"])
        return apply_common(made, place, null_is_default=True)
    parts = _parts(builder, place)
    if not parts:
        made = Node("any", place.raw)
    elif len(parts) == 1:
        made = parts[0]
        if made.kind == "array":
            _later_counts(made, place)
    else:
        made = Node("combined", place.raw, members=parts, generated=True)
    return apply_common(made, place, null_is_default=True)


def _later_counts(made: Node, place: Place) -> None:
    """minContains and maxContains came with 2019-09; who writes them without `$schema` means them."""
    for key in ("minContains", "maxContains"):
        if isinstance(place.raw.get(key), int | float):
            made.bounds[key] = number(place, key)


def _parts(builder: Builder, place: Place) -> list[Node]:
    raw = place.raw
    parts: list[Node] = []
    if "enum" in raw:
        parts.append(Node("enum", raw, values=typed(place, "enum", list, "a list of values")))
    for criterion in ("allOf", "anyOf", "oneOf"):
        if criterion in raw:
            typed(place, criterion, list, "a list of schemas")
            members = [builder.node(place.child(criterion, i)) for i in range(len(raw[criterion]))]
            parts.append(Node("combined", raw, criterion=criterion, members=members))
    if "not" in raw:
        parts.append(Node("not", raw, inner=builder.node(place.child("not"))))
    if "const" in raw and place.draft != 4:
        parts.append(Node("const", raw, values=[raw["const"]]))
    taken: set[str] = set()
    if "type" in raw:
        parts.append(_typed(builder, place, taken))
    parts += _untyped(builder, place, taken)
    if place.draft >= 7 and any(key in raw for key in ("if", "then", "else")):
        for key in ("if", "then", "else"):
            if key in raw:
                builder.node(place.child(key))
        parts.append(Node("conditional", raw))
    return parts


def _typed(builder: Builder, place: Place, taken: set[str]) -> Node:
    said = place.raw["type"]
    kinds = said if isinstance(said, list) else [said]
    members = [_of_type(builder, place, kind) for kind in kinds]
    for kind in kinds:
        taken.update(_KEYWORDS.get(kind, ()))
    return (
        Node("combined", place.raw, criterion="anyOf", members=members)
        if isinstance(said, list)
        else members[0]
    )


def _of_type(builder: Builder, place: Place, kind: Any) -> Node:
    match kind:
        case "string":
            return read_string(place)
        case "number" | "integer":
            return read_number(place, integer=kind == "integer")
        case "boolean" | "null":
            return Node(kind, place.raw)
        case "array":
            return read_array(builder, place)
        case "object":
            return read_object(builder, place)
        case _:
            raise SchemaError("unknown type", where=place.pointer, got=short(kind))


def _untyped(builder: Builder, place: Place, taken: set[str]) -> list[Node]:
    """Keywords of a kind that `type` does not name constrain values of that kind only."""

    def present(keys: tuple[str, ...]) -> bool:
        return any(
            k in place.raw and k not in taken and not (place.draft == 4 and k in _LATER_THAN_4) for k in keys
        )

    parts: list[Node] = []
    if present(ARRAY):
        parts.append(read_array(builder, place))
    if present(OBJECT):
        parts.append(read_object(builder, place))
    if present(NUMBER):
        parts.append(read_number(place))
    if present(STRING):
        parts.append(read_string(place))
    return parts


def read_string(place: Place) -> Node:
    """Lengths are in characters; formats are annotations and not compared."""
    made = Node("string", place.raw)
    for key in ("minLength", "maxLength"):
        if key in place.raw:
            made.bounds[key] = whole(place, key)
    if "pattern" in place.raw:
        made.pattern = typed(place, "pattern", str, "a regular expression")
    return made


def read_number(place: Place, *, integer: bool = False) -> Node:
    """Draft 4 has flags for exclusive limits, the later drafts have limits of their own."""
    made = Node("number", place.raw, integer=integer)
    for key in NUMBER:
        if key not in place.raw:
            continue
        if place.draft == 4 and key.startswith("exclusive"):
            typed(place, key, bool, "true or false in draft 4")
        else:
            made.bounds[key] = number(place, key)
    return made


def read_array(builder: Builder, place: Place) -> Node:
    """A list with one schema for all items, or a tuple with one for each."""
    raw = place.raw
    made = Node("array", raw)
    for key in ("minItems", "maxItems"):
        if key in raw:
            made.bounds[key] = whole(place, key)
    made.unique = bool(raw.get("uniqueItems", False))
    items = raw.get("items")
    if isinstance(items, list):
        made.tuple = [builder.node(place.child("items", i)) for i in range(len(items))]
    elif "items" in raw:
        made.items = builder.node(place.child("items"))
    if "additionalItems" in raw:
        others = typed(place, "additionalItems", (bool, dict), "a schema or a boolean")
        if isinstance(others, dict):
            made.others = builder.node(place.child("additionalItems"))
        else:
            made.closed = not others and made.items is None
    if "contains" in raw and place.draft != 4:
        builder.node(place.child("contains"))
    return made


def read_object(builder: Builder, place: Place) -> Node:
    """Properties, what else may be there, and dependencies between them."""
    raw = place.raw
    made = Node("object", raw)
    for key in ("minProperties", "maxProperties"):
        if key in raw:
            made.bounds[key] = whole(place, key)
    for key, into in (("properties", made.properties), ("patternProperties", made.patterns)):
        if key in raw:
            typed(place, key, dict, "an object of schemas")
            for name in raw[key]:
                into[name] = builder.node(place.child(key, name))
    if "required" in raw:
        made.required = dict.fromkeys(names(place, "required"))
    if "additionalProperties" in raw:
        others = typed(place, "additionalProperties", (bool, dict), "a schema or a boolean")
        if isinstance(others, dict):
            made.others = builder.node(place.child("additionalProperties"))
        made.closed = others is False
    if "dependencies" in raw:
        typed(place, "dependencies", dict, "an object")
        for name in raw["dependencies"]:
            _dependency(builder, place.child("dependencies"), name, made)
    if "propertyNames" in raw and place.draft != 4:
        builder.node(place.child("propertyNames"))
    return made


def _dependency(builder: Builder, place: Place, name: str, made: Node) -> None:
    if isinstance(place.raw[name], list):
        if place.raw[name]:
            made.needs[name] = frozenset(names(place, name))
    else:
        made.needs_schema[name] = builder.node(place.child(name))
