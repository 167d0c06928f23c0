"""The tree of a business transaction: which command led to which event, and that to which command.

Stores tell events with their envelopes, and the commands that sagas sent; the log tells what was published. A
node hangs below what caused it; what has no known cause stands at the top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hanse.domain.discovery import load
from hanse.domain.process_messages import PLATFORM, CommandAnswered, CommandSent
from hanse.domain.storage import EventSerializer
from hanse.errors import ConfigError
from hanse.wire.headers import header

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.domain.application import Application
    from hanse.domain.messages import Event
    from hanse.model.envelope import Envelope
    from hanse.ports.event_store import EventStore, StoredEvent

_PAGE = 50_000


@dataclass(slots=True)
class Node:
    """One thing that happened. `kind` is command, event, saga or record."""

    kind: str
    id: str
    name: str
    domain: str
    time: str = ""
    details: str = ""
    children: list[Node] = field(default_factory=list["Node"])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        own = {n: getattr(self, n) for n in ("kind", "id", "name", "domain", "time", "details")}
        return {**own, "children": [child.as_dict() for child in self.children]}


def trace(mesh: Mesh, wanted: str, *, log: bool = True) -> list[Node]:
    """The trees of the transaction to which a correlation, event or command id belongs.

    Raises ConfigError when nothing has that id, StoreError when a stored event cannot be read.
    """
    tree = _Tree()
    stores = [(d.name, a, mesh.store(d.name)) for d in mesh.model.domains if (a := load(d)) is not None]
    correlations = _correlations(stores, wanted)
    for name, application, store in stores:
        for correlation in correlations:
            for stored, event, envelope in _events(application, store, correlation):
                if envelope.correlation_id == correlation:
                    tree.add(name, application, stored, event, envelope)
    if not tree.nodes and not _add_refused(tree, stores, wanted):
        raise ConfigError(
            f"nothing has the id {wanted!r}",
            where=str(mesh.settings.root),
            expected="the id of a correlation, an event or a command",
        )
    if log and tree.began is not None:
        for correlation in correlations:
            _add_records(tree, mesh, correlation, tree.began)
    return tree.roots()


Stores = list[tuple[str, "Application", "EventStore"]]


def _events(
    application: Application, store: EventStore, text: str
) -> Iterator[tuple[StoredEvent, Event, Envelope]]:
    serializer = EventSerializer(application)
    for stored in store.mentioning(text):
        yield (stored, *serializer.read(stored))


def _correlations(stores: Stores, wanted: str) -> list[str]:
    """The correlations of the events that have the id as one of their own."""
    found: dict[str, None] = {}
    for _, application, store in stores:
        for _, event, envelope in _events(application, store, wanted):
            ids = [envelope.correlation_id, envelope.event_id, envelope.command_id, envelope.causation_id]
            if isinstance(event, CommandSent | CommandAnswered):
                ids.append(event.command_id)
            if wanted in ids:
                found[envelope.correlation_id] = None
    return list(found)


class _Tree:
    """Nodes by id, and the id that caused each."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.causes: dict[str, str] = {}
        self.began: datetime | None = None
        self._last: dict[UUID, str] = {}

    def add(
        self, domain: str, application: Application, stored: StoredEvent, event: Event, envelope: Envelope
    ) -> None:
        """Add an event, and the commands before and behind it."""
        self.began = envelope.time if self.began is None else min(self.began, envelope.time)
        time = envelope.time.isoformat()
        own = event.event_name.startswith(PLATFORM)
        if isinstance(event, CommandAnswered):
            told = f"refused by {event.rule}: {event.message}" if event.rule else "accepted"
            command = self._command(event.command_id, event.command, domain)
            command.details = told
            self.nodes[envelope.event_id] = Node("event", envelope.event_id, "answered", domain, time, told)
            self.causes[envelope.event_id] = event.command_id
            return
        name = event.event_name.removeprefix(PLATFORM + "Saga") if own else event.event_name
        node = Node(
            "saga" if own else "event",
            envelope.event_id,
            name,
            domain,
            time,
            _whose(application, stored, event),
        )
        self.nodes[envelope.event_id] = node
        if own:
            cause = envelope.causation_id.partition(".")[0]
            caused = cause if cause != envelope.command_id else self._last.get(stored.stream_id, "")
            self.causes[envelope.event_id] = caused
            self._last[stored.stream_id] = envelope.event_id
        else:
            self.causes[envelope.event_id] = envelope.command_id
            self._command(envelope.command_id, _commanding(application, event), domain)
            if envelope.causation_id != envelope.command_id:
                self.causes.setdefault(envelope.command_id, envelope.causation_id)
        if isinstance(event, CommandSent):
            sent = self._command(event.command_id, event.command, event.domain)
            sent.name, sent.time = event.command, time
            self.causes[event.command_id] = envelope.event_id

    def _command(self, command_id: str, name: str, domain: str) -> Node:
        if command_id not in self.nodes:
            self.nodes[command_id] = Node("command", command_id, name, domain)
        return self.nodes[command_id]

    def roots(self) -> list[Node]:
        """The nodes without a known cause, all others below theirs, each by time."""
        tops: list[Node] = []
        for node in sorted(self.nodes.values(), key=lambda node: node.time):
            cause = self.nodes.get(self.causes.get(node.id, ""))
            (tops if cause is None or cause is node else cause.children).append(node)
        return tops


def _whose(application: Application, stored: StoredEvent, event: Event) -> str:
    owner = application.owners.get(type(event))
    if owner is None:
        return f"{getattr(event, 'process_id', '')} {getattr(event, 'step', '')}".strip()
    return f"{owner.aggregate_name} {getattr(event, owner.identity)} v{stored.version}"


def _commanding(application: Application, event: Event) -> str:
    """Who gave the command behind an event: the store has its id, and which aggregate decided it."""
    return f"a command to {application.owners[type(event)].aggregate_name}"


def _add_refused(tree: _Tree, stores: Stores, wanted: str) -> bool:
    """Add a command that led to no event, from its verdict."""
    try:
        command_id = UUID(wanted)
    except ValueError:
        return False
    for name, _, store in stores:
        for verdict in store.verdicts([command_id]).values():
            told = (
                f"refused by {verdict.rule}: {verdict.message}"
                if verdict.rule
                else "accepted, changed nothing"
            )
            tree.nodes[wanted] = Node("command", wanted, "a command", name, details=told)
            return True
    return False


def _add_records(tree: _Tree, mesh: Mesh, correlation: str, began: datetime) -> None:
    """Add what the log has of the transaction: a record hangs below the event that it tells of."""
    since = round((began - timedelta(minutes=1)).timestamp() * 1000)
    for topic in [topic for domain in mesh.model.domains for topic in domain.topics]:
        if topic.full_name not in {info.spec.name for info in mesh.log.topics()}:
            continue
        offsets = mesh.log.offsets_at(topic.full_name, since)
        while True:
            fetched = mesh.log.read(topic.full_name, offsets, max_records=_PAGE)
            _add_page(tree, topic.full_name, fetched.rows, correlation)
            if fetched.next_offsets == offsets or not fetched.rows.num_rows:
                break
            offsets = {**offsets, **fetched.next_offsets}


def _add_page(tree: _Tree, topic: str, rows: Any, correlation: str) -> None:
    owners, values = header(rows, "ce_correlationid")
    wanted = correlation.encode()
    for row in [int(o) for o, v in zip(owners, values.to_pylist(), strict=True) if v == wanted]:
        record = rows.slice(row, 1).to_pylist()[0]
        headers = {h["name"]: (h["value"] or b"").decode("utf-8", "replace") for h in record["headers"]}
        record_id = headers.get("ce_id", "")
        place = f"partition {record['partition']}, offset {record['offset']}"
        node = Node(
            "record",
            f"{topic}/{record_id}",
            topic,
            topic.partition(".")[0],
            headers.get("ce_time", ""),
            place,
        )
        tree.nodes[node.id] = node
        tree.causes[node.id] = record_id.partition(".")[0]
