"""JSON Schema (2020-12, as OpenAPI 3.1 has it) of the commands of a domain, from their classes."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from hanse.domain.building import strip
from hanse.domain.codec import is_optional, is_personal

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Decimal: {"type": "string", "format": "decimal", "examples": ["12.50"]},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    UUID: {"type": "string", "format": "uuid"},
}


@cache
def schema_of(cls: type) -> dict[str, Any]:
    """The schema of a command's or value object's fields."""
    hints = get_type_hints(cls, include_extras=True)
    declared = fields(cls)
    document: dict[str, Any] = {
        "type": "object",
        "title": cls.__name__,
        "properties": {f.name: _field(hints[f.name]) for f in declared},
        "required": [f.name for f in declared if f.default is MISSING],
        "additionalProperties": False,
    }
    if cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("):
        document["description"] = " ".join(cls.__doc__.split())
    return document


def _field(hint: Any) -> dict[str, Any]:
    kind = strip(hint)
    if get_origin(kind) is tuple:
        found: dict[str, Any] = {"type": "array", "items": _field(get_args(kind)[0])}
    elif isinstance(kind, type) and issubclass(kind, Enum):
        found = {"enum": [member.value for member in kind]}
    elif is_dataclass(kind):
        found = schema_of(kind)  # pyright: ignore[reportArgumentType]
    else:
        found = dict(_PLAIN[kind])
    if is_personal(hint):
        found["description"] = "Personal: stored encrypted for the person it tells of."
    return {"anyOf": [found, {"type": "null"}]} if is_optional(hint) or is_personal(hint) else found
