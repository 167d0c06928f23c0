"""Aggregates refer to others by id only: no message may hold one."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from hanse.domain.aggregate import Aggregate
from hanse.domain.messages import Entity
from hanse.errors import ConfigError


def check_references(message: type, where: str) -> None:
    """Raise ConfigError when a field of the message, at any depth, is an aggregate or an entity."""
    _check(message, message.__name__, where, set())


def by_id(what: str, held: type, where: str) -> ConfigError:
    """The error that says what holds another aggregate, or an entity of one."""
    return ConfigError(
        f"{what} holds a {held.__name__}",
        where=where,
        expected="its id: an aggregate refers to others by id only",
    )


def _check(cls: type, path: str, where: str, seen: set[type]) -> None:
    seen.add(cls)
    for name, hint in get_type_hints(cls, include_extras=True).items():
        for kind in _types(hint):
            if issubclass(kind, Aggregate | Entity):
                raise by_id(f"the field {path}.{name}", kind, where)
            if is_dataclass(kind) and kind not in seen:
                _check(kind, f"{path}.{name}", where, seen)


def _types(hint: Any) -> list[type]:
    """The classes of which an annotation is made."""
    if isinstance(hint, type) and not get_args(hint):
        return [hint]
    return [kind for part in get_args(hint) for kind in _types(part)]
