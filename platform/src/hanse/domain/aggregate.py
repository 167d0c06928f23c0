"""Aggregates: they decide what happens, and change only by what has happened."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, ClassVar, Self, TypeVar

from hanse.domain.messages import Command, Event
from hanse.errors import CommandRejected, ConfigError

F = TypeVar("F", bound=Callable[..., Any])

_NAMESPACE = uuid.UUID("5f2c1d1e-7a55-4d8c-9f0b-6d1f0e8a4b3c")


def decides(*command_classes: type[Command]) -> Callable[[F], F]:
    """Mark the method that answers commands of these classes: it returns events or raises CommandRejected."""

    def mark(method: F) -> F:
        method.__decides__ = command_classes  # pyright: ignore[reportFunctionMemberAccess]
        return method

    return mark


def applies(*event_classes: type[Event]) -> Callable[[F], F]:
    """Mark the method that changes the state by events of these classes. It cannot refuse."""

    def mark(method: F) -> F:
        method.__applies__ = event_classes  # pyright: ignore[reportFunctionMemberAccess]
        return method

    return mark


class Aggregate:
    """One consistent whole, addressed by the field `identity` of its commands and events.

    A subclass gives `name` and `identity` as class arguments, sets its first state in `__init__`, and marks
    methods with `decides` and `applies`. `version` counts the events; 0 means that it does not exist yet.
    With `snapshot_every` its state is kept after so many events, for aggregates that grow long.
    """

    aggregate_name: ClassVar[str]
    identity: ClassVar[str]
    snapshot_every: ClassVar[int | None]
    deciders: ClassVar[dict[type, str]]
    appliers: ClassVar[dict[type, str]]
    version: int

    def __init_subclass__(
        cls, *, name: str, identity: str, snapshot_every: int | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.aggregate_name, cls.identity, cls.snapshot_every = name, identity, snapshot_every
        cls.deciders, cls.appliers = {}, {}
        for attribute, method in vars(cls).items():
            for message in getattr(method, "__decides__", ()):
                cls.deciders[message] = attribute
            for message in getattr(method, "__applies__", ()):
                cls.appliers[message] = attribute
        _check_identity(cls)

    def __init__(self) -> None:
        self.version = 0

    @classmethod
    def replay(cls, events: Iterable[Event]) -> Self:
        """The aggregate after these events."""
        aggregate = cls()
        for happened in events:
            aggregate.apply(happened)
        return aggregate

    def decide(self, command: Command) -> list[Event]:
        """The events that the command leads to; the state stays as it is. Raises CommandRejected."""
        method = self.deciders.get(type(command))
        if method is None:
            raise CommandRejected(
                "command-unknown", f"{self.aggregate_name} does not know {type(command).__name__}"
            )
        return list(getattr(self, method)(command) or ())

    def apply(self, event: Event) -> None:
        """Change the state by what has happened."""
        method = self.appliers.get(type(event))
        if method is None:
            raise ConfigError(f"{self.aggregate_name} has no method that applies {type(event).__name__}")
        getattr(self, method)(event)
        self.version += 1

    @classmethod
    def stream_id(cls, identity: str) -> uuid.UUID:
        """The stream of the aggregate with that identity: always the same."""
        return _stream_id(cls.aggregate_name, identity)


@lru_cache(maxsize=65_536)
def _stream_id(aggregate_name: str, identity: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{aggregate_name}/{identity}")


def _check_identity(cls: type[Aggregate]) -> None:
    for message in (*cls.deciders, *cls.appliers):
        if cls.identity not in getattr(message, "__dataclass_fields__", {}):
            raise ConfigError(
                f"{message.__name__} does not say which {cls.aggregate_name} it is for",
                expected=f"a field {cls.identity!r}",
            )
