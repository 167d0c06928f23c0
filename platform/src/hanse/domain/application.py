"""What a domain consists of: its aggregates, and which of their events it publishes as what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from hanse.domain.aggregate import Aggregate
from hanse.domain.codec import checker, has_personal
from hanse.domain.messages import Command, Event
from hanse.domain.process import processes_of
from hanse.domain.process_messages import HandledCommand
from hanse.domain.references import by_id, check_references
from hanse.domain.saga import Saga
from hanse.errors import ConfigError
from hanse.model.envelope import Envelope

F = TypeVar("F", bound=Callable[..., Any])


class Publish(NamedTuple):
    """One record for a topic of the domain. `value` has exactly the fields of the topic's schema.

    A `value` of None is a tombstone: then `key` holds the values of the topic's key columns.
    """

    topic: str
    value: dict[str, Any] | None
    key: tuple[str, ...] | None = None


Mapping = Callable[[Any, Any, Envelope], Iterable[Publish]]
"""(event, its aggregate after the event, envelope) → records. Personal texts are ciphertexts here."""


@dataclass(slots=True)
class Integration:
    """The published language: explicit mappings from private events to public records.

    `private` lists the events that stay inside. Every event is mapped or private; none leaks by default.
    """

    private: tuple[type[Event], ...] = ()
    mappings: dict[type[Event], list[Mapping]] = field(default_factory=dict[type[Event], list[Mapping]])

    def publishes(self, *event_classes: type[Event]) -> Callable[[F], F]:
        """Register the function as a mapping of these events."""

        def register(function: F) -> F:
            for event_class in event_classes:
                self.mappings.setdefault(event_class, []).append(function)
            return function

        return register


class Application:
    """A domain's model, found by `hanse.domain.load` as `application` in the domain's module.

    `commands` and `owners` tell which aggregate has a command or an event; `accepts` has the commands by name,
    `sagas` the sagas and automations. `handlers` and `events` have the platform's own messages too.

    Raises ConfigError when a message or an aggregate's first state holds an aggregate or an entity, where ids
    belong; when two aggregates claim one command or event name, when an event is neither mapped
    nor private, when personal fields have no subject, or when an upcaster is missing.
    """

    def __init__(
        self,
        name: str,
        *,
        aggregates: Sequence[type[Aggregate]],
        integration: Integration | None = None,
        sagas: Sequence[Saga] = (),
    ) -> None:
        self.name = name
        self.aggregates = tuple(aggregates)
        self.integration = integration
        self.sagas = {saga.name: saga for saga in sagas}
        self.commands: dict[type[Command], type[Aggregate]] = {}
        self.events: dict[str, type[Event]] = {}
        self.owners: dict[type[Event], type[Aggregate]] = {}
        for aggregate in self.aggregates:
            self._add(aggregate)
        self.accepts = {command.__name__: command for command in self.commands}
        if integration is not None:
            self._check_integration(integration)
        if len(self.sagas) < len(sagas):
            raise ConfigError("two sagas have the same name", where=name)
        self.handlers = dict(self.commands)
        self._add_platform(HandledCommand)
        if sagas:
            self._add_platform(processes_of(self.sagas))

    def _add(self, aggregate: type[Aggregate]) -> None:
        for message in (*aggregate.deciders, *aggregate.appliers):
            check_references(message, self.name)
        for name, item in vars(aggregate()).items():
            if isinstance(item, Aggregate):
                raise by_id(f"the field {name} of {aggregate.__name__}", type(item), self.name)
        for command_class in aggregate.deciders:
            if command_class in self.commands:
                raise ConfigError(f"two aggregates decide {command_class.__name__}", where=self.name)
            checker(command_class)
            self.commands[command_class] = aggregate
        for event_class in aggregate.appliers:
            self.owners[event_class] = aggregate
            self._add_event(event_class)

    def _add_platform(self, aggregate: type[Aggregate]) -> None:
        self.handlers.update(dict.fromkeys(aggregate.deciders, aggregate))
        for event_class in aggregate.appliers:
            self._add_event(event_class)

    def _add_event(self, event_class: type[Event]) -> None:
        for name in (event_class.event_name, *event_class.former_names):
            if name in self.events:
                raise ConfigError(f"two events are stored under the name {name!r}", where=self.name)
            self.events[name] = event_class
        subject = event_class.subject_field
        if has_personal(event_class) and subject is None:
            raise ConfigError(
                f"{event_class.event_name} has personal fields and no subject",
                where=self.name,
                fix="name the field that holds the person's id: @event(…, subject='customer_id')",
            )
        if subject is not None and subject not in event_class.__dataclass_fields__:  # pyright: ignore[reportAttributeAccessIssue]
            raise ConfigError(f"{event_class.event_name} has no field {subject!r}", where=self.name)
        missing = set(range(1, event_class.event_version)) - set(event_class.upcasters)
        if missing:
            raise ConfigError(
                f"{event_class.event_name} cannot read its version {min(missing)}",
                where=self.name,
                fix="register an upcaster for each version below the present one",
            )

    def _check_integration(self, integration: Integration) -> None:
        mapped, private = set(integration.mappings), set(integration.private)
        for event_class in self.owners:
            if (event_class in mapped) == (event_class in private):
                raise ConfigError(
                    f"{event_class.event_name} must be either published by a mapping or listed as private",
                    where=self.name,
                )
        for event_class in mapped | private:
            if event_class not in self.owners:
                raise ConfigError(f"no aggregate applies {event_class.event_name}", where=self.name)
