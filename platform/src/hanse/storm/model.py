"""The event model: what happens in a mesh and what follows from it, as notes and arrows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["command", "event", "aggregate", "policy", "saga", "system", "topic", "read_model"]
Relation = Literal["asks", "decides", "records", "publishes", "wakes", "sends", "undoes", "feeds"]


@dataclass(frozen=True, slots=True)
class SagaStep:
    """A step of a saga by the ids of its notes; "" and () where it has none."""

    name: str
    command: str = ""
    waits_for: str = ""
    fails_by: tuple[str, ...] = ()
    undo: str = ""
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """One sticky note. `id` is `<kind>:<domain>.<name>`; `about` is what the code says of it.

    `public` is False for events that stay in their domain; `state` is True for topics that carry state.
    """

    id: str
    kind: Kind
    domain: str
    name: str
    about: str = ""
    public: bool = True
    state: bool = False
    steps: tuple[SagaStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """`source` leads to `target`: a system asks a command, an aggregate decides it and records an event, the
    event is published to a topic, which wakes a policy or feeds a read model, and a policy sends a command.
    """

    source: str
    target: str
    relation: Relation


@dataclass(frozen=True, slots=True)
class Lane:
    """A domain's time line: its notes in the order of its code."""

    domain: str
    purpose: str
    team: str
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """All lanes, those first whose events the others wait for."""

    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]

    @property
    def notes(self) -> dict[str, Note]:
        """Every note by its id."""
        return {note.id: note for lane in self.lanes for note in lane.notes}

    def into(self, target: str, relation: Relation | None = None) -> list[str]:
        """The ids that lead to the note."""
        return [a.source for a in self.arrows if a.target == target and relation in (None, a.relation)]

    def from_(self, source: str, relation: Relation | None = None) -> list[str]:
        """The ids that the note leads to."""
        return [a.target for a in self.arrows if a.source == source and relation in (None, a.relation)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
