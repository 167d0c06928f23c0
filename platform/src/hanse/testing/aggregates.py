"""Given what has happened, when a command comes, then this follows.

given(Order, order_placed).when(ship).then(order_shipped)
given(Order, order_placed, order_cancelled).when(ship).then(rejected("ship-after-cancel"))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from hanse.domain.aggregate import Aggregate
from hanse.domain.codec import as_stored, check_message, decoder, encoder
from hanse.domain.messages import Command, Event
from hanse.errors import CommandRejected


@dataclass(frozen=True, slots=True)
class Rejection:
    """What was rejected by which rule."""

    rule: str


def rejected(rule: str) -> Any:
    """For `then`: the command is rejected by this rule. For a saga's `when`: the command it sent is."""
    return Rejection(rule)


class Given:
    """An aggregate with a past. `state` is the aggregate itself."""

    @classmethod
    def after(cls, aggregate: type[Aggregate], events: Iterable[Event]) -> Given:
        """The aggregate after these events, oldest first. Each must survive being stored and read."""
        past = list(events)
        for event in past:
            _check_stored_form(event)
        return cls(aggregate.replay(past))

    def __init__(self, state: Any) -> None:
        self.state = state

    def when(self, command: Command) -> When:
        """Let the aggregate decide the command, checked as a service would check it."""
        try:
            check_message(command)
            return When(self.state, self.state.decide(command), None)
        except CommandRejected as rejection:
            return When(self.state, [], rejection)


class When:
    """What an aggregate decided."""

    def __init__(self, state: Any, events: list[Event], rejection: CommandRejected | None) -> None:
        self.state = state
        self.events = events
        self.rejection = rejection

    def then(self, *expected: Any) -> Given:
        """Assert exactly these events, or one `rejected(rule)`; returns the aggregate after them."""
        if len(expected) == 1 and isinstance(expected[0], Rejection):
            got = self.rejection.rule if self.rejection else self.events
            assert got == expected[0].rule, f"expected rejection by {expected[0].rule!r}, got {got!r}"
            return Given(self.state)
        assert self.rejection is None, f"expected events, got rejection {self.rejection}"
        assert self.events == list(expected), f"expected {list(expected)!r}, got {self.events!r}"
        for event in self.events:
            _check_stored_form(event)
            self.state.apply(event)
        return Given(self.state)


def _check_stored_form(event: Event) -> None:
    body = orjson.loads(orjson.dumps(encoder(type(event))(event, as_stored), default=str))
    read = decoder(type(event))(body, as_stored)
    assert read == event, f"{event!r} is read back as {read!r}"
