"""The application service: hands commands to aggregates and commits what they decide."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from hanse.domain import snapshots
from hanse.domain.aggregate import Aggregate
from hanse.domain.codec import check_message, is_text
from hanse.domain.messages import Command, Event
from hanse.domain.process import Process
from hanse.domain.process_messages import CommandAnswered, HandledCommand, Unreadable
from hanse.domain.storage import EventSerializer
from hanse.errors import CommandRejected, ConcurrencyConflict, SubjectForgotten
from hanse.model.envelope import Envelope, event_id, utc_now
from hanse.ports.event_store import (
    RELAY,
    Beside,
    ConsumedOffset,
    ProcessRow,
    StoredEvent,
    StoredSnapshot,
    StoredVerdict,
)

if TYPE_CHECKING:
    from hanse.domain.application import Application
    from hanse.domain.subjects import SubjectKeys
    from hanse.ports.event_store import EventStore

MAX_EVENT_BYTES = 1 << 20
_NOBODY = UUID(int=0)
_ANSWER = 0xFFF
"""The number of the answer among the events of a command: the last that an event id has room for."""


class ReplyTo(NamedTuple):
    """The domain and the process of its saga that want to know what became of a command."""

    domain: str
    process_id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A command on its way: its id makes it idempotent, its time (UTC) is when it was given.

    Without ids, new ones are drawn; correlation falls back to the command's own id. With `reply_to` the
    verdict goes back to the process of that domain's saga, by the relay. With `expected_version` it is refused
    (`stale-version`) when the aggregate has another one.
    """

    command: Command
    command_id: UUID = field(default_factory=uuid.uuid4)
    at: datetime | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    reply_to: ReplyTo | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command added versions `first_version` to `last_version` to its stream.

    `position` is that of the last event in the store. A command that changes nothing adds none.
    """

    command_id: UUID
    stream_id: UUID
    first_version: int
    last_version: int
    position: int | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rule that refused the command, and why."""

    command_id: UUID
    rule: str
    message: str


Verdict = Accepted | Rejected


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of a stream with where and why it was recorded."""

    version: int
    position: int
    event: Event
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a batch is decided anew when another writer was first, and the first pause in seconds."""

    attempts: int = 8
    pause_s: float = 0.002


class ApplicationService:
    """Handles the commands of one domain. Not to be shared between threads; processes may run one each.

    Aggregates stay in memory between batches (`cache` of them at most) and are dropped as soon as another
    writer changes them.
    """

    def __init__(
        self,
        application: Application,
        store: EventStore,
        keys: SubjectKeys,
        *,
        clock: Callable[[], datetime] = utc_now,
        retry: RetryPolicy | None = None,
        cache: int = 50_000,
    ) -> None:
        self._application = application
        self._store = store
        self._keys = keys
        self._serializer = EventSerializer(application, keys)
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._cache_size = cache
        self._aggregates: dict[UUID, Aggregate] = {}
        self._head = 0
        self._started = False

    def handle(self, command: Command | Request) -> Accepted:
        """Handle one command in a commit of its own. Raises CommandRejected, on every repetition too."""
        verdict = self.handle_many([command])[0]
        if isinstance(verdict, Rejected):
            raise CommandRejected(verdict.rule, verdict.message)
        return verdict

    def handle_many(
        self, commands: Sequence[Command | Request], *, consumed: Sequence[ConsumedOffset] = ()
    ) -> list[Verdict]:
        """Handle the commands in order and in one commit; each is accepted or rejected on its own.

        A command id that was handled before, or stands earlier in the batch, gets its first verdict again.
        The offsets of what was `consumed` for them are stored in the same commit.
        Raises ConcurrencyConflict when other writers were first at every attempt; then nothing is stored.
        """
        requests = [c if isinstance(c, Request) else Request(c) for c in commands]
        pause = self._retry.pause_s
        if len(requests) == 1:
            with suppress(ConcurrencyConflict):  # which a command handled before ends in too
                return self._attempt(requests, consumed, look=False)
        for attempt in range(1, self._retry.attempts + 1):
            try:
                return self._attempt(requests, consumed)
            except ConcurrencyConflict:
                if attempt == self._retry.attempts:
                    raise
                time.sleep(pause)
                pause *= 2
        raise AssertionError("a retry policy has at least one attempt")

    def load(self, aggregate: type[Aggregate], identity: str, *, version: int | None = None) -> Aggregate:
        """The aggregate now, or as it was after `version` events. Version 0 when it does not exist."""
        if version is None:
            stream_id = aggregate.stream_id(identity)
            return self._loaded({stream_id: aggregate}).get(stream_id) or aggregate()
        return aggregate.replay(
            recorded.event for recorded in self.history(aggregate, identity, version=version)
        )

    def history(
        self, aggregate: type[Aggregate], identity: str, *, version: int | None = None
    ) -> list[Recorded]:
        """The aggregate's events, oldest first, up to `version`."""
        stored = self._store.stream(aggregate.stream_id(identity), up_to=version)
        return [Recorded(s.version, s.position or 0, *self._serializer.read(s)) for s in stored]

    def _start(self) -> None:
        """Destroy the keys that a process which died after its commit has left to destroy.

        The relay does so for what it relays; beyond its mark it is done here, before a command is decided.
        """
        forgetting = {name for name, cls in self._application.events.items() if cls.forgets_subject}
        position = self._store.relayed(RELAY) if forgetting else self._store.head()
        while events := self._store.read_all(after=position, limit=10_000):
            happened = [self._serializer.read(e)[0] for e in events if e.type in forgetting]
            self._keys.forget_all(getattr(h, type(h).subject_field or "") for h in happened)
            position = events[-1].position or 0
        self._started = True

    def _attempt(
        self, requests: Sequence[Request], consumed: Sequence[ConsumedOffset], *, look: bool = True
    ) -> list[Verdict]:
        if not self._started:
            self._start()
        known = self._store.verdicts([request.command_id for request in requests]) if look else {}
        verdicts = {command_id: _verdict(stored) for command_id, stored in known.items()}
        new = [r for r in {r.command_id: r for r in reversed(requests)}.values() if r.command_id not in known]
        if new or consumed:
            new.reverse()
            batch = _Batch(self._serializer, self._keys, self._clock())
            try:
                with self._keys.batch():
                    self._decide(new, batch)
                    self._keys.commit()
                    beside = batch.beside(consumed)
                    positions = self._store.append(batch.events, batch.verdicts, beside)
            except BaseException:
                for stream_id in batch.touched:
                    self._aggregates.pop(stream_id, None)
                raise
            self._head = positions[-1] if positions and positions[0] == self._head + 1 else self._head
            if batch.forgotten:
                self._keys.forget_all(batch.forgotten)
            verdicts.update(batch.outcome(positions))
        return [verdicts[request.command_id] for request in requests]

    def _decide(self, requests: Sequence[Request], batch: _Batch) -> None:
        addressed = [self._address(request.command) for request in requests]
        if any(a is not None and a[1] in self._aggregates for a in addressed):
            self._refresh()
        self._fetch([a for a in addressed if a is not None])
        for request, address in zip(requests, addressed, strict=True):
            if address is None:
                batch.reject(request, _NOBODY, _unaddressed(request.command))
            else:
                cls, stream_id = address
                aggregate = self._aggregates.get(stream_id)
                if aggregate is None:
                    aggregate = self._aggregates[stream_id] = cls()
                batch.decide(request, stream_id, aggregate)

    def _address(self, command: Command) -> tuple[type[Aggregate], UUID] | None:
        cls = self._application.handlers.get(type(command))
        identity = getattr(command, cls.identity) if cls else None
        if cls is None or not is_text(identity):
            return None
        return cls, cls.stream_id(identity)

    def _refresh(self) -> None:
        """Drop the aggregates that another writer has changed since the last look."""
        head = self._store.head()
        if head == self._head:
            return
        if head - self._head > 1_000 or not self._aggregates:
            self._aggregates.clear()
        else:
            for event in self._store.read_all(after=self._head, limit=head - self._head):
                self._aggregates.pop(event.stream_id, None)
        self._head = head

    def _fetch(self, addressed: Sequence[tuple[type[Aggregate], UUID]]) -> None:
        wanted = {stream_id: cls for cls, stream_id in addressed if stream_id not in self._aggregates}
        if len(self._aggregates) + len(wanted) > self._cache_size:
            self._aggregates.clear()
            wanted = {stream_id: cls for cls, stream_id in addressed}
        self._aggregates.update(self._loaded(wanted))

    def _loaded(self, wanted: Mapping[UUID, type[Aggregate]]) -> dict[UUID, Aggregate]:
        """The aggregates of those streams, from their snapshots where there are any; none for an empty stream."""
        found = self._from_snapshots([s for s, cls in wanted.items() if cls.snapshot_every], wanted)
        for stream_id, events in self._store.streams([s for s in wanted if s not in found]).items():
            found[stream_id] = wanted[stream_id].replay(self._serializer.read(e)[0] for e in events)
        return found

    def _from_snapshots(
        self, stream_ids: Sequence[UUID], wanted: Mapping[UUID, type[Aggregate]]
    ) -> dict[UUID, Aggregate]:
        found: dict[UUID, Aggregate] = {}
        for stream_id, stored in (self._store.snapshots(stream_ids) if stream_ids else {}).items():
            aggregate = snapshots.restore(wanted[stream_id], stored, self._keys)
            if aggregate is not None:
                for event in self._store.stream(stream_id, after=aggregate.version):
                    aggregate.apply(self._serializer.read(event)[0])
                found[stream_id] = aggregate
        return found


class _Batch:
    """What one commit will hold."""

    def __init__(self, serializer: EventSerializer, keys: SubjectKeys, now: datetime) -> None:
        self._serializer = serializer
        self._keys = keys
        self._now = now
        self.events: list[StoredEvent] = []
        self.verdicts: list[StoredVerdict] = []
        self.ends: list[int] = []
        self.touched: set[UUID] = set()
        self.forgotten: list[str] = []
        self.processes: dict[UUID, ProcessRow] = {}
        self.snapshots: dict[UUID, StoredSnapshot] = {}

    def decide(self, request: Request, stream_id: UUID, aggregate: Aggregate) -> None:
        self.touched.add(stream_id)
        try:
            check_message(request.command)
            _check_version(request, aggregate)
            decided = aggregate.decide(request.command)
            stored = self._store_form(request, stream_id, aggregate.version, decided)
        except CommandRejected as rejection:
            self.reject(request, stream_id, rejection)
            return
        except SubjectForgotten as error:
            self.reject(request, stream_id, CommandRejected("subject-forgotten", error.what))
            return
        first = aggregate.version + 1
        for event in decided:
            aggregate.apply(event)
            if type(event).forgets_subject:
                self.forgotten.append(getattr(event, type(event).subject_field or ""))
        self.events.extend(stored)
        if isinstance(aggregate, Process) and decided:
            self.processes[stream_id] = aggregate.row()
        if decided and snapshots.is_due(type(aggregate), first - 1, aggregate.version):
            self._snapshot(aggregate, stream_id, decided[-1])
        self._add(request, StoredVerdict(request.command_id, stream_id, first, aggregate.version))

    def reject(self, request: Request, stream_id: UUID, rejection: CommandRejected) -> None:
        verdict = StoredVerdict(request.command_id, stream_id, rule=rejection.rule, message=rejection.message)
        self._add(request, verdict)

    def _snapshot(self, aggregate: Aggregate, stream_id: UUID, event: Event) -> None:
        self.snapshots.pop(stream_id, None)
        with suppress(SubjectForgotten):  # of whom nothing is kept that could be read
            self.snapshots[stream_id] = snapshots.take(aggregate, stream_id, event, self._keys)

    def beside(self, consumed: Sequence[ConsumedOffset]) -> Beside:
        """What is stored in the same commit."""
        return Beside(consumed, list(self.processes.values()), list(self.snapshots.values()))

    def outcome(self, positions: Sequence[int]) -> dict[UUID, Verdict]:
        """The verdicts, with the positions that the store gave."""
        found: dict[UUID, Verdict] = {}
        for stored, end in zip(self.verdicts, self.ends, strict=True):
            added = stored.last_version >= stored.first_version > 0
            found[stored.command_id] = _verdict(stored, positions[end - 1] if added else None)
        return found

    def _add(self, request: Request, verdict: StoredVerdict) -> None:
        self.verdicts.append(verdict)
        self.ends.append(len(self.events))
        if request.reply_to is not None:
            self.events.append(self._answer(request, request.reply_to, verdict))

    def _answer(self, request: Request, reply_to: ReplyTo, verdict: StoredVerdict) -> StoredEvent:
        command_id, wanted = str(request.command_id), request.command
        answer = CommandAnswered(
            command_id=command_id,
            command=wanted.name if isinstance(wanted, Unreadable) else type(wanted).__name__,
            reply_to=reply_to.domain,
            process_id=reply_to.process_id,
            rule=verdict.rule,
            message=verdict.message,
        )
        state = self._serializer.write(answer, self._envelope(request, _ANSWER))
        return StoredEvent(HandledCommand.stream_id(command_id), 1, answer.event_name, state)

    def _envelope(self, request: Request, index: int) -> Envelope:
        command_id = str(request.command_id)
        at = request.at or self._now
        return Envelope(
            event_id(request.command_id, index, at),
            at,
            request.correlation_id or command_id,
            request.causation_id or command_id,
            command_id,
            request.traceparent,
            request.user_id,
            request.session_id,
        )

    def _store_form(
        self, request: Request, stream_id: UUID, version: int, events: Sequence[Event]
    ) -> list[StoredEvent]:
        stored: list[StoredEvent] = []
        for index, event in enumerate(events):
            envelope = self._envelope(request, index)
            state = self._serializer.write(event, envelope)
            if len(state) > MAX_EVENT_BYTES:
                raise CommandRejected(
                    "event-too-large",
                    f"{type(event).event_name} has {len(state)} bytes, {MAX_EVENT_BYTES} are allowed",
                )
            stored.append(StoredEvent(stream_id, version + index + 1, type(event).event_name, state))
        return stored


def _verdict(stored: StoredVerdict, position: int | None = None) -> Verdict:
    if stored.rule is not None:
        return Rejected(stored.command_id, stored.rule, stored.message or "")
    return Accepted(
        stored.command_id,
        stored.stream_id,
        stored.first_version,
        stored.last_version,
        stored.position if position is None else position,
    )


def _check_version(request: Request, aggregate: Aggregate) -> None:
    wanted = request.expected_version
    if wanted is not None and wanted != aggregate.version:
        told = f"the {aggregate.aggregate_name} has version {aggregate.version}, not {wanted}"
        raise CommandRejected("stale-version", told)


def _unaddressed(command: Command) -> CommandRejected:
    if isinstance(command, Unreadable):
        return CommandRejected(command.rule, command.message)
    return CommandRejected("command-unknown", f"no aggregate is addressed by {type(command).__name__}")
