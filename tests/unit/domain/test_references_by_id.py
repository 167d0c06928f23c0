"""Aggregates refer to others by id only, and entities are the same by theirs."""

from __future__ import annotations

import pytest

from hanse.domain import (
    Aggregate,
    Application,
    Command,
    Entity,
    Event,
    applies,
    command,
    decides,
    event,
    value,
)
from hanse.errors import ConfigError


class Line(Entity, identity="number"):
    def __init__(self, number: int, text: str) -> None:
        self.number, self.text = number, text


class Other(Aggregate, name="other", identity="id"):
    pass


@value
class Wrapped:
    lines: tuple[Line, ...]


@command
class Hold(Command):
    id: str
    wrapped: Wrapped


@event("HeldForTest")
class Held(Event):
    id: str
    other: Other | None


@event("FineForTest")
class Fine(Event):
    id: str
    other_id: str


class Commanding(Aggregate, name="commanding", identity="id"):
    @decides(Hold)
    def hold(self, _: Hold) -> list[Event]:
        return []


class Recording(Aggregate, name="recording", identity="id"):
    @applies(Held)
    def _held(self, _: Held) -> None:
        pass


class Keeping(Aggregate, name="keeping", identity="id"):
    def __init__(self) -> None:
        super().__init__()
        self.other = Other()

    @applies(Fine)
    def _fine(self, _: Fine) -> None:
        pass


@pytest.mark.parametrize(
    ("aggregate", "place"),
    [
        (Commanding, "Hold.wrapped.lines holds a Line"),
        (Recording, "Held.other holds a Other"),
        (Keeping, "the field other of Keeping holds a Other"),
    ],
)
def test_a_message_or_state_that_holds_another_aggregate_is_refused(
    aggregate: type[Aggregate], place: str
) -> None:
    with pytest.raises(ConfigError, match="by id only") as caught:
        Application("x", aggregates=[aggregate])
    assert place in str(caught.value)


def test_an_entity_is_the_same_by_its_id() -> None:
    assert Line(1, "a") == Line(1, "b")
    assert Line(1, "a") != Line(2, "a")
    assert len({Line(1, "a"), Line(1, "b"), Line(2, "a")}) == 2
    assert Line(1, "a") != 1
