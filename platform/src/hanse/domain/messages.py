"""Events, commands and value objects: frozen typed classes, made by three decorators.

@value
class Address(ValueObject):
    street: PersonalText
    city: str

@command
class MoveCustomer(Command):
    customer_id: str
    address: Address

@event("CustomerMoved", subject="customer_id")
class CustomerMoved(Event):
    customer_id: str
    address: Address
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

from hanse.errors import CommandRejected, ConfigError

T = TypeVar("T")

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class PersonalMark:
    """Marks a text field that tells something about a person: encrypted wherever it is stored or sent."""

    def __repr__(self) -> str:
        return "PERSONAL"


PERSONAL = PersonalMark()
PersonalText = Annotated[str | None, PERSONAL]
"""A personal text; None when it is not known, or when the person was forgotten."""


class ValueObject:
    """A value without identity: equal when its fields are, checked when it is made."""

    __slots__ = ()


class Entity:
    """A part of one aggregate with an id of its own: the same as long as its id is, whatever else changes.

    A subclass names the attribute that holds the id: `class Line(Entity, identity="number")`.
    """

    identity: ClassVar[str]

    def __init_subclass__(cls, *, identity: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.identity = identity

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and getattr(other, self.identity) == getattr(self, self.identity)

    def __hash__(self) -> int:
        return hash((type(self), getattr(self, self.identity)))


class Command:
    """A wish that may be rejected, named in the imperative."""

    __slots__ = ()


class Event:
    """What has happened, named in the past tense. `event_name` and `event_version` never change meaning."""

    __slots__ = ()
    event_name: ClassVar[str]
    event_version: ClassVar[int]
    former_names: ClassVar[tuple[str, ...]]
    subject_field: ClassVar[str | None]
    forgets_subject: ClassVar[bool]
    upcasters: ClassVar[dict[int, Upcaster]]


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a frozen value object of the class. Checks go into `__post_init__`, by `require`."""
    return dataclass(frozen=True, slots=True)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def command(cls: type[T]) -> type[T]:
    """Make a frozen command of the class; fields are given by name."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(
    name: str,
    *,
    version: int = 1,
    formerly: tuple[str, ...] = (),
    subject: str | None = None,
    forgets: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Make a frozen event of the class, stored under `name` and `version` wherever the class moves to.

    `formerly` are names under which older events are stored. `subject` is the field that holds the data
    subject for whom personal fields are encrypted; an event that `forgets` has the subject's key destroyed.
    """

    def decorate(cls: type[T]) -> type[T]:
        made: Any = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        made.event_name, made.event_version, made.former_names = name, version, formerly
        made.subject_field, made.forgets_subject, made.upcasters = subject, forgets, {}
        return made

    return decorate


def upcaster(event_class: type[Event], from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the function that turns a stored body of `from_version` into one of the next version.

    Upcasters chain up to the class's version. Raises ConfigError for a version that has a successor already
    or lies outside the event's versions.
    """

    def register(function: Upcaster) -> Upcaster:
        if not 1 <= from_version < event_class.event_version or from_version in event_class.upcasters:
            raise ConfigError(
                f"no upcaster is wanted from version {from_version} of {event_class.event_name}",
                expected=f"one for each version below {event_class.event_version}",
            )
        event_class.upcasters[from_version] = function
        return function

    return register


def require(condition: bool, rule: str, message: str) -> None:
    """Raise CommandRejected by the rule unless the condition holds."""
    if not condition:
        raise CommandRejected(rule, message)
