"""The event store: streams of domain events, appended under optimistic concurrency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


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


class EventStore(Protocol):
    """Durable streams and their order of commit. Suite: `tests/contract/event_store`."""

    def append(self, events: Sequence[StoredEvent]) -> list[int]:
        """Append all in one commit; returns positions. Raises ConcurrencyConflict, storing nothing."""
        ...

    def stream(
        self, stream_id: UUID, *, after: int = 0, up_to: int | None = None
    ) -> Iterator[StoredEvent]:
        """The stream's events with `after < version <= up_to`, in order."""
        ...

    def read_all(self, *, after: int = 0, limit: int = 1_000) -> list[StoredEvent]:
        """Events by position, `position > after`: the outbox that the relay reads. No gaps appear later."""
        ...

    def head(self) -> int:
        """The highest position, 0 when empty."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
