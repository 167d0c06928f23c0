"""JSON Schema documents, brought into one model for comparison.

A schema becomes a `Node` of one kind. Keywords of several kinds side by side (an enum beside a type, two
combinators, …) become a product ("allOf") of nodes, one per kind. Drafts 4, 6 and 7 are read by
`json_classic`, 2019-09 and 2020-12 by `json_modern`: the drafts differ in what stands beside `$ref`, in
tuples, in dependencies, and in how far keywords of one kind melt together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hanse.errors import SchemaError
from hanse.schemas.finding import short
from hanse.schemas.json_refs import Documents, Place
from hanse.schemas.text import load_json, sorted_json

Kind = Literal[
    "any",
    "none",
    "string",
    "number",
    "boolean",
    "null",
    "array",
    "object",
    "enum",
    "const",
    "not",
    "combined",
    "conditional",
    "reference",
]
Criterion = Literal["allOf", "anyOf", "oneOf"]
MAX_NODES = 200_000


@dataclass(slots=True, eq=False)
class Node:
    """One schema of one kind; compare by identity. `raw` is the JSON it was read from."""

    kind: Kind
    raw: Any = None
    bounds: dict[str, int | float] = field(default_factory=dict[str, Any])
    has_default: bool = False
    connect_type: Any = None
    # string, number, array
    pattern: str | None = None
    integer: bool = False
    unique: bool = False
    # object
    properties: dict[str, Node] = field(default_factory=dict[str, "Node"])
    required: dict[str, None] = field(default_factory=dict[str, None])
    patterns: dict[str, Node] = field(default_factory=dict[str, "Node"])
    needs: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    needs_schema: dict[str, Node] = field(default_factory=dict[str, "Node"])
    # what lies outside the named properties, or the listed items
    closed: bool = False
    others: Node | None = None
    unevaluated: Node | None = None
    # array
    items: Node | None = None
    tuple: list[Node] | None = None
    # enum, const, not, reference, combined
    values: list[Any] = field(default_factory=list[Any])
    inner: Node | None = None
    ref: str = ""
    criterion: Criterion = "allOf"
    members: list[Node] = field(default_factory=list["Node"])
    generated: bool = False
    _identity: str = ""

    @property
    def label(self) -> str:
        """How a message calls the schema."""
        match self.kind:
            case "combined":
                return f"{self.criterion} of {len(self.members)}"
            case "number" if self.integer:
                return "integer"
            case "enum":
                return f"enum {sorted_json(self.values[:10])}"
            case "const":
                return f"const {sorted_json(self.values)}"
            case "reference":
                return f"$ref {self.ref}"
            case _:
                return self.kind

    def identity(self) -> str:
        """Equal for members of a combination that say the same."""
        if not self._identity:
            self._identity = f"{self.kind}/{self.criterion}/{self.integer} {sorted_json(self.raw)}"
        return self._identity


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A parsed document and its root node."""

    document: Any
    root: Node


def parse_json_schema(text: str, references: Mapping[str, str] | None = None) -> JsonSchema:
    """The model of a JSON Schema document; `references` are texts by the name that `$ref` uses.

    Raises SchemaError with the place of what is not a schema, or of a `$ref` that leads nowhere.
    """
    document = load_json(text)
    if not isinstance(document, dict | bool):
        raise SchemaError("a JSON Schema is an object or a boolean", where="#", got=short(text, 60))
    others = {
        name: load_json(body, f"referenced schema {name!r}") for name, body in (references or {}).items()
    }
    documents = Documents(document, others)
    try:
        return JsonSchema(document, Builder(documents).build(documents.root()))
    except RecursionError as error:
        raise SchemaError("the schema is nested too deeply") from error


class Builder:
    """Builds nodes once per place; references are followed from a list, so that they may be recursive."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._nodes: dict[int, Node] = {}
        self._waiting: list[tuple[Node, Place]] = []

    def build(self, place: Place) -> Node:
        """The node of a place, with everything that it refers to."""
        root = self.node(place)
        while self._waiting:
            reference, target = self._waiting.pop()
            reference.inner = self._nodes.get(id(target.raw)) or self.node(target)
        return root

    def node(self, place: Place) -> Node:
        """The node of a place. Raises SchemaError when it is no schema."""
        raw = place.raw
        if isinstance(raw, bool):
            return Node("any" if raw else "none", raw)
        if not isinstance(raw, dict):
            raise SchemaError("a schema is an object or a boolean", where=place.pointer, got=short(raw))
        if len(self._nodes) >= MAX_NODES:
            raise SchemaError("the schema is too large", expected=f"at most {MAX_NODES} subschemas")
        made = _dialect(place)(self, place.scoped())
        self._nodes[id(raw)] = made
        return made

    def reference(self, place: Place, ref: Any) -> Node:
        """A node that stands for another place, filled in later. Raises SchemaError when it leads nowhere."""
        if not isinstance(ref, str):
            raise SchemaError("a $ref is a text", where=place.pointer, got=short(ref))
        made = Node("reference", place.raw, ref=ref)
        self._waiting.append((made, self.documents.find(ref, place)))
        return made


def _dialect(place: Place) -> Callable[[Builder, Place], Node]:
    if place.modern:
        from hanse.schemas.json_modern import read_modern

        return read_modern
    from hanse.schemas.json_classic import read_classic

    return read_classic


def number(place: Place, key: str) -> int | float:
    """A keyword's number. Raises SchemaError."""
    value = place.raw[key]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise SchemaError(f"{key} is a number", where=place.pointer, got=short(value))
    return value


def whole(place: Place, key: str) -> int:
    """A keyword's whole number. Raises SchemaError."""
    value = number(place, key)
    if value != int(value) or value < 0:
        raise SchemaError(f"{key} is a whole number", where=place.pointer, got=short(value))
    return int(value)


def typed(place: Place, key: str, kind: type | tuple[type, ...], what: str) -> Any:
    """A keyword's value of a type. Raises SchemaError."""
    value = place.raw[key]
    if not isinstance(value, kind):
        raise SchemaError(f"{key} is {what}", where=place.pointer, got=short(value))
    return value


def names(place: Place, key: str) -> list[str]:
    """A keyword's list of texts. Raises SchemaError."""
    value = typed(place, key, list, "a list of names")
    if not all(isinstance(item, str) for item in value):
        raise SchemaError(f"{key} is a list of names", where=place.pointer, got=short(value))
    return value


def apply_common(made: Node, place: Place, *, null_is_default: bool) -> Node:
    """Set what every kind may carry: a default, Connect's type."""
    raw = place.raw
    made.has_default = "default" in raw and (null_is_default or raw["default"] is not None)
    made.connect_type = raw.get("connect.type")
    return made
