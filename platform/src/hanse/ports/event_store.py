"""The event store: streams of domain events, appended under optimistic concurrency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

RELAY = "relay"
"""The name under which the relay of integration events claims and marks a store."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event in its stream. `version` counts from 1 in the stream; `position` in the whole store.

    `type` is the event's stable name, `state` its serialised bytes (JSON: body and metadata).
    """

    stream_id: UUID
    version: int
    type: str
    state: bytes
    position: int | None = None


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """What became of a command: the versions it added to its stream, or the rule that refused it.

    `position` is that of its last event in the store; the store fills it in, None when there is none.
    """

    command_id: UUID
    stream_id: UUID
    first_version: int = 0
    last_version: int = 0
    rule: str | None = None
    message: str | None = None
    position: int | None = None


class EventStore(Protocol):
    """Durable streams and their order of commit. Suite: `tests/contract/event_store`."""

    @property
    def store_id(self) -> str:
        """Names this store for good: positions of two stores with different ids are unrelated."""
        ...

    def append(self, events: Sequence[StoredEvent], verdicts: Sequence[StoredVerdict] = ()) -> list[int]:
        """Append all in one commit, with the verdicts of their commands; returns positions.

        Raises ConcurrencyConflict, storing nothing, when a version or a command id is taken.
        """
        ...

    def verdicts(self, command_ids: Sequence[UUID]) -> dict[UUID, StoredVerdict]:
        """The verdicts of those of the commands that were handled before."""
        ...

    def stream(self, stream_id: UUID, *, after: int = 0, up_to: int | None = None) -> Iterator[StoredEvent]:
        """The stream's events with `after < version <= up_to`, in order."""
        ...

    def streams(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[StoredEvent]]:
        """Several whole streams at once, each in order; streams without events are left out."""
        ...

    def read_all(self, *, after: int = 0, limit: int = 1_000) -> list[StoredEvent]:
        """Events by position, `position > after`: the outbox that the relay reads. No gaps appear later."""
        ...

    def head(self) -> int:
        """The highest position, 0 when empty."""
        ...

    def claim_relay(self, relay: str) -> int:
        """Become the one running relay of that name; returns its epoch. Raises RelayHeld.

        The claim ends with `release_relay`, `close`, or the death of the process.
        """
        ...

    def release_relay(self, relay: str) -> None:
        """Give the claim back; without one, nothing happens."""
        ...

    def relayed(self, relay: str) -> int:
        """The position up to which everything is on the log, 0 at first."""
        ...

    def mark_relayed(self, relay: str, epoch: int, position: int) -> None:
        """Move the mark, durably. Raises RelayHeld when a later epoch has claimed the relay."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
