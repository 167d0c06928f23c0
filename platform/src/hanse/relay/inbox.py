"""The inbox of one domain: records of others' topics wake its sagas, commands from the log reach its aggregates.

What a record leads to is stored in one commit with the offset behind it, in the domain's own store; a record's
own id makes it idempotent. So a record that comes twice, or an inbox that dies anywhere, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from hanse.domain.application import Application
from hanse.domain.process import command_uuid, millis
from hanse.domain.process_messages import Answer, Due, Notice, Unreadable
from hanse.domain.saga import Saga, When, fact_text
from hanse.domain.service import Accepted, ApplicationService, Request
from hanse.errors import ConfigError, LogError, UnknownTopic
from hanse.model.envelope import utc_now
from hanse.ports.event_store import ConsumedOffset
from hanse.projection.dead_letters import letters_of, send
from hanse.relay.commands import Headers, inbox_topic, replies_topic, request_of, text
from hanse.relay.relay import application_of
from hanse.wire.decoded import Poison
from hanse.wire.formats import decoder_for, format_of

if TYPE_CHECKING:
    import pyarrow as pa

    from hanse.bootstrap import Mesh
    from hanse.domain.subjects import SubjectKeys
    from hanse.model.mesh import MeshModel, Topic
    from hanse.ports.event_log import EventLog
    from hanse.ports.event_store import EventStore
    from hanse.ports.schema_registry import SchemaRegistry
    from hanse.wire.decoded import ValueDecoder

BATCH = 1_000
CONSUMER = "inbox"
_CODE_FAULTS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)


@dataclass(slots=True)
class _Subscription:
    """A topic of another domain, or of the domain itself, and which sagas want to see it."""

    topic: Topic
    decoder: ValueDecoder
    wants: list[tuple[Saga, When]]


class Inbox:
    """Takes what the log has for one domain. Several may run on a domain: they only repeat each other's work."""

    def __init__(
        self,
        application: Application,
        model: MeshModel,
        store: EventStore,
        log: EventLog,
        registry: SchemaRegistry,
        keys: SubjectKeys,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._application = application
        self._store = store
        self._log = log
        self._keys = keys
        self._clock = clock
        self._service = ApplicationService(application, store, keys, clock=clock)
        self._subscriptions = _subscriptions(application, model, registry)

    def drain(self) -> int:
        """Take all that is there, and what is due; returns the number of records and moments taken."""
        total = 0
        while moved := self.step():
            total += moved
        return total

    def step(self, limit: int = BATCH) -> int:
        """Take at most `limit` records of each topic, and what is due by now.

        Raises HistoryLost when records that were not taken yet are gone from a topic.
        """
        name = self._application.name
        moved = self._take(inbox_topic(name).name, limit, self._commands)
        if self._application.sagas:
            moved += self._take(replies_topic(name).name, limit, self._answers)
        for topic in self._subscriptions:
            moved += self._take(topic, limit, partial(self._notices, topic))
        return moved + self._wake(limit)

    def _take(self, topic: str, limit: int, requests: Callable[[pa.Table], list[Request]]) -> int:
        try:
            topic_id = self._log.topic(topic).topic_id
            offsets = {p: r.low for p, r in self._log.ranges(topic).items()}
        except UnknownTopic:
            return 0
        for known in self._store.consumed(CONSUMER, topic):
            if known.topic_id == topic_id:
                offsets[known.partition] = known.offset
        fetched = self._log.read(topic, offsets, max_records=limit, topic_id=topic_id)
        moved = {p: offset for p, offset in fetched.next_offsets.items() if offset != offsets.get(p)}
        if not moved:
            return 0
        consumed = [ConsumedOffset(CONSUMER, topic, topic_id, p, offset) for p, offset in moved.items()]
        self._handle(requests(fetched.rows), consumed)
        return max(1, fetched.rows.num_rows)

    def _handle(self, requests: list[Request], consumed: list[ConsumedOffset]) -> None:
        """Handle all; a command on which the domain's code fails is refused, and stops no other."""
        try:
            self._service.handle_many(requests, consumed=consumed)
        except _CODE_FAULTS:
            self._service.handle_many([self._tried(r) for r in requests], consumed=consumed)

    def _tried(self, request: Request) -> Request:
        try:
            self._service.handle_many([request])
        except _CODE_FAULTS as error:
            told = f"{type(error).__name__}: {error}"
            fault = Unreadable(name=type(request.command).__name__, rule="command-fault", message=told)
            return replace(request, command=fault)
        return request

    def _commands(self, rows: pa.Table) -> list[Request]:
        return [
            request_of(self._application, self._keys, headers, value, place)
            for headers, value, place in _records(rows)
        ]

    def _answers(self, rows: pa.Table) -> list[Request]:
        requests: list[Request] = []
        now = self._clock()
        for headers, value, _ in _records(rows):
            try:
                body: Any = orjson.loads(value or b"")
                answered, rule, message = body["command_id"], body["rule"], body["message"]
            except (ValueError, KeyError, TypeError) as error:
                raise LogError(
                    "an answer to a command cannot be read",
                    where=replies_topic(self._application.name).name,
                    got=f"{type(error).__name__}: {error}",
                ) from error
            process = text(headers, "ce_subject") or ""
            command = Answer(process_id=process, answered=answered, rule=rule, message=message, at=now)
            requests.append(_caused(command, headers, "answer", answered))
        return requests

    def _notices(self, topic: str, rows: pa.Table) -> list[Request]:
        subscription = self._subscriptions[topic]
        rows = rows.filter(rows.column("value").is_valid())
        decoded = subscription.decoder.decode(rows)
        self._set_aside(rows, topic, decoded.poison)
        records = list(_records(rows))
        requests: list[Request] = []
        now = self._clock()
        for row, value in zip(decoded.indices.tolist(), decoded.table.to_pylist(), strict=True):
            headers, _, place = records[row]
            requests += self._noticed(subscription, headers, place, value, now)
        return requests

    def _noticed(
        self, subscription: _Subscription, headers: Headers, place: str, value: dict[str, Any], now: datetime
    ) -> Iterator[Request]:
        topic = subscription.topic.full_name
        event_id = text(headers, "ce_id") or f"{topic}/{place}"
        body = fact_text(value)
        fact = orjson.loads(body)
        told: set[str] = set()
        for saga, when in subscription.wants:
            key = when.key(fact, event_id)
            process = f"{saga.name}/{key}"
            if key is None or process in told:
                continue
            told.add(process)
            command = Notice(
                process_id=process,
                topic=topic,
                event_id=event_id,
                body=body,
                correlation_id=text(headers, "ce_correlationid") or event_id,
                at=now,
            )
            yield _caused(command, headers, process, event_id, topic)

    def _set_aside(self, rows: pa.Table, topic: str, poison: Sequence[Poison]) -> None:
        if poison:
            topic_id = self._log.topic(topic).topic_id
            name = f"{self._application.name} (inbox)"
            send(self._log, topic, letters_of(rows, poison, topic, topic_id, name))

    def _wake(self, limit: int) -> int:
        now = self._clock()
        due = self._store.processes(due_by=millis(now), limit=limit)
        requests = [
            Request(
                Due(process_id=row.process_id, at=now),
                command_uuid("due", row.process_id, str(row.due_at), str(row.updated_at)),
                correlation_id=row.correlation_id,
            )
            for row in due
        ]
        verdicts = self._service.handle_many(requests)
        return sum(isinstance(v, Accepted) and 0 < v.first_version <= v.last_version for v in verdicts)


def _caused(command: Notice | Answer, headers: Headers, *parts: str) -> Request:
    """The platform's command about a record: idempotent by the record's id, and in its transaction."""
    return Request(
        command,
        command_uuid(*parts),
        correlation_id=text(headers, "ce_correlationid"),
        causation_id=text(headers, "ce_id"),
        traceparent=text(headers, "traceparent"),
        user_id=text(headers, "ce_userid"),
        session_id=text(headers, "ce_sessionid"),
    )


def _records(rows: pa.Table) -> Iterator[tuple[Headers, bytes | None, str]]:
    """Each record's headers, value and place (partition/offset)."""
    columns = [rows.column(name).to_pylist() for name in ("headers", "value", "partition", "offset")]
    for headers, value, partition, offset in zip(*columns, strict=True):
        yield {h["name"]: h["value"] for h in headers or ()}, value, f"{partition}/{offset}"


def _subscriptions(
    application: Application, model: MeshModel, registry: SchemaRegistry
) -> dict[str, _Subscription]:
    declared = {topic.full_name: topic for domain in model.domains for topic in domain.topics}
    found: dict[str, _Subscription] = {}
    for saga in application.sagas.values():
        for when in saga.listens:
            topic = declared.get(when.topic)
            if topic is None:
                raise ConfigError(
                    f"the saga {saga.name} listens to {when.topic!r}, which no domain declares",
                    where=application.name,
                    expected=", ".join(sorted(declared)),
                )
            if when.topic not in found:
                schema = topic.schema_path.read_text(encoding="utf-8")
                decoder = decoder_for(registry, schema, format_of(topic.schema_path))
                found[when.topic] = _Subscription(topic, decoder, [])
            found[when.topic].wants.append((saga, when))
    return found


def open_inbox(mesh: Mesh, domain_name: str, *, clock: Callable[[], datetime] = utc_now) -> Inbox:
    """The inbox of a domain of the mesh. Raises ConfigError when the domain has no code or no name."""
    application = application_of(mesh, domain_name)
    store = mesh.store(domain_name)
    return Inbox(application, mesh.model, store, mesh.log, mesh.registry, mesh.keys, clock=clock)
