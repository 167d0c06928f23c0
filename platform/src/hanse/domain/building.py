"""Commands made of JSON values, as they come over HTTP, the log or from a file."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hanse.domain.codec import Cipher, as_stored, is_personal
from hanse.domain.messages import Command
from hanse.errors import CommandRejected, ConfigError

_TEXTUAL: dict[type, Callable[[str], Any]] = {
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
}


class BadField(ConfigError):
    """A field is missing, unknown, or has a value of another type; `path` names it."""

    def __init__(self, what: str, where: str, field: str, *, expected: str, got: str | None = None) -> None:
        super().__init__(what, where=where, expected=expected, got=got)
        self.path = ".".join([*where.split()[1:], *([field] if field else [])])


def build(cls: type[Command], body: dict[str, Any], where: str, reveal: Cipher = as_stored) -> Any:
    """A command of JSON values. Raises BadField, or CommandRejected by its own checks.

    `reveal` makes of each personal text what the command is to hold.
    """
    hints, wanted, needed = _plan(cls)
    unknown = body.keys() - wanted
    missing = [name for name in needed if name not in body]
    if unknown or missing:
        what = f"{cls.__name__} has no field {min(unknown)!r}" if unknown else f"{missing[0]!r} is missing"
        raise BadField(what, where, min(unknown) if unknown else missing[0], expected=", ".join(wanted))
    values = {name: _value(hints[name], given, f"{where} {name}", reveal) for name, given in body.items()}
    try:
        return cls(**values)
    except (TypeError, AttributeError) as error:  # its own checks expect the types of its fields
        raise CommandRejected("command-malformed", f"{cls.__name__}: {error}") from error


@cache
def _plan(cls: type) -> tuple[dict[str, Any], dict[str, None], tuple[str, ...]]:
    """The class's hints, its fields in order, and those without a default."""
    declared = fields(cls)
    return (
        get_type_hints(cls, include_extras=True),
        dict.fromkeys(f.name for f in declared),
        tuple(f.name for f in declared if f.default is MISSING),
    )


def _value(hint: Any, given: Any, where: str, reveal: Cipher) -> Any:
    kind: Any = strip(hint)
    if given is None:
        return None
    if is_personal(hint) and isinstance(given, str):
        return reveal(given)
    if isinstance(given, dict) and is_dataclass(kind):
        return build(strip(hint), given, where, reveal)
    if get_origin(kind) is tuple and isinstance(given, list):
        return tuple(_value(get_args(kind)[0], item, where, reveal) for item in given)
    convert = kind if isinstance(kind, type) and issubclass(kind, Enum) else _TEXTUAL.get(kind)
    if convert is None or not isinstance(given, str):
        return given
    try:
        return convert(given)
    except (ValueError, InvalidOperation) as error:
        raise BadField(
            "the value cannot be read",
            where,
            "",
            expected=getattr(kind, "__name__", str(kind)),
            got=given[:100],
        ) from error


def strip(hint: Any) -> Any:
    """The type behind `Annotated` and `| None`."""
    if get_origin(hint) is Annotated:
        return strip(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        inner = [a for a in get_args(hint) if a is not type(None)]
        return strip(inner[0]) if len(inner) == 1 else hint
    return hint
