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


@dataclass(frozen=True, slots=True)
class StuckStream:
    """A stream that the relay holds back from this event on, because the event cannot be published."""

    stream_id: UUID
    version: int
    position: int
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConsumedOffset:
    """How far a consumer has read a partition of a topic: the offset to read next."""

    consumer: str
    topic: str
    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """The process of a saga, as `processes` finds it; times in milliseconds since 1970, UTC.

    `process_id` is `<saga>/<key>`. It is to be woken at `due_at`; None when it waits for no moment.
    """

    process_id: str
    status: str
    step: str
    due_at: int | None
    reason: str
    correlation_id: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A stream's state after `version` events, as the code of that fingerprint keeps it.

    With `subject`, the state is encrypted for that person.
    """

    stream_id: UUID
    version: int
    code: str
    state: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What is stored in the same commit as events and verdicts."""

    offsets: Sequence[ConsumedOffset] = ()
    processes: Sequence[ProcessRow] = ()
    snapshots: Sequence[StoredSnapshot] = ()


NOTHING_BESIDE = Beside()


class EventStore(Protocol):
    """Durable streams and their order of commit. Suite: `tests/contract/event_store`."""

    @property
    def store_id(self) -> str:
        """Names this store for good: positions of two stores with different ids are unrelated."""
        ...

    def append(
        self,
        events: Sequence[StoredEvent],
        verdicts: Sequence[StoredVerdict] = (),
        beside: Beside = NOTHING_BESIDE,
    ) -> list[int]:
        """Append all in one commit, with the verdicts of their commands and what stands beside; returns positions.

        Offsets of a consumer never go back, except in a topic that was made again.

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

    def mentioning(self, text: str, *, limit: int = 10_000) -> list[StoredEvent]:
        """Events whose state holds the text, by position: reads the whole store, for people who look something up."""
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

    def mark_relayed(
        self,
        relay: str,
        epoch: int,
        position: int,
        *,
        stuck: Sequence[StuckStream] = (),
        freed: Sequence[UUID] = (),
    ) -> None:
        """Move the mark, durably, and with it note the streams that got stuck or are stuck no more.

        Raises RelayHeld when a later epoch has claimed the relay.
        """
        ...

    def stuck(self, relay: str) -> list[StuckStream]:
        """The streams that the relay holds back, by position."""
        ...

    def snapshots(self, stream_ids: Sequence[UUID]) -> dict[UUID, StoredSnapshot]:
        """The latest snapshot of those of the streams that have one."""
        ...

    def consumed(self, consumer: str, topic: str) -> list[ConsumedOffset]:
        """How far the consumer has read the topic's partitions; empty at first."""
        ...

    def processes(
        self, *, statuses: Sequence[str] = (), prefix: str = "", due_by: int | None = None, limit: int = 1_000
    ) -> list[ProcessRow]:
        """Processes of sagas: of these statuses, of this beginning of their id, due by this moment.

        Those due first come first, else the last changed.
        """
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
