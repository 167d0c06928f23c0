"""The relay of one domain: reads its store behind a durable mark and produces to the log."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from hanse.domain.application import Integration
from hanse.domain.discovery import load
from hanse.domain.process_messages import PLATFORM
from hanse.domain.storage import EventSerializer
from hanse.errors import ConfigError, HanseError, SchemaError
from hanse.log.declared import spec_of
from hanse.ports.event_store import RELAY
from hanse.relay.avro import Memory
from hanse.relay.commands import outgoing
from hanse.relay.records import Origin, Produced, Rows, TopicWriter, read_schema

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.domain.aggregate import Aggregate
    from hanse.domain.application import Application
    from hanse.domain.messages import Event
    from hanse.domain.subjects import SubjectKeys
    from hanse.model.envelope import Envelope
    from hanse.model.mesh import Domain
    from hanse.ports.event_log import EventLog
    from hanse.ports.event_store import EventStore, StoredEvent
    from hanse.ports.schema_registry import SchemaRegistry

BATCH = 5_000
_CACHE = 50_000
_MAPPING_ERRORS = (
    HanseError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one call moved: events read, records produced, and the mark after it."""

    events: int
    records: int
    position: int

    def __add__(self, other: Relayed) -> Relayed:
        return Relayed(
            self.events + other.events, self.records + other.records, max(self.position, other.position)
        )


@dataclass(slots=True)
class _Prepared:
    """A batch of events, mapped; `failure` is the event behind them that could not be mapped."""

    position: int
    events: int = 0
    rows: dict[str, Rows] = field(default_factory=dict[str, Rows])
    forgotten: list[str] = field(default_factory=list[str])
    failure: tuple[StoredEvent, Exception] | None = None


class Relay:
    """The one relay of a domain's store; a second one is refused as long as this one lives.

    The mark moves after the records are acknowledged: a crash in between sends them again, with the same ids
    and positions. The context manager starts and stops it.
    """

    def __init__(
        self,
        domain: Domain,
        application: Application,
        store: EventStore,
        log: EventLog,
        registry: SchemaRegistry,
        keys: SubjectKeys | None = None,
    ) -> None:
        if application.integration is None and not application.sagas:
            raise ConfigError(
                f"the application of the domain {domain.name} publishes nothing",
                where=str(domain.directory),
                fix="give it an Integration",
            )
        self._domain = domain
        self._application = application
        self._integration = application.integration or Integration()
        self._store = store
        self._log = log
        self._registry = registry
        self._keys = keys
        self._serializer = EventSerializer(application)
        self._source = f"/{domain.name}/{store.store_id}"
        self._made: set[str] = set()
        self._writers: dict[str, TopicWriter] = {}
        self._aggregates: dict[UUID, Aggregate] = {}
        self._epoch = 0
        self.position = 0

    def start(self) -> None:
        """Claim the store, register all schemas, create the topics.

        Raises RelayHeld; IncompatibleSchema before anything is produced; TopicDrift.
        """
        self._epoch = self._store.claim_relay(RELAY)
        try:
            texts = {topic: read_schema(topic) for topic in self._domain.own_topics}
            memory: Memory = {}
            for topic, text in texts.items():
                registered = self._registry.register(topic.subject, text)
                self._writers[topic.name] = TopicWriter(topic, registered, memory)
            for topic in texts:
                self._log.create_topic(spec_of(topic))
            self.position = self._store.relayed(RELAY)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Give the store back."""
        self._store.release_relay(RELAY)

    def __enter__(self) -> Relay:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def lag(self) -> int:
        """Events in the store that are not on the log yet."""
        return self._store.head() - self.position

    def drain(self, batch: int = BATCH) -> Relayed:
        """Relay until the store's end as it is met; returns the total.

        While a batch is produced the next one is mapped; marks still move one after the other.
        Raises what `step` raises.
        """
        total = Relayed(0, 0, self.position)
        with ThreadPoolExecutor(1, thread_name_prefix="relay") as pool:
            commit: Future[Relayed] | None = None
            after = self.position
            while True:
                prepared = self._prepare(after, batch)
                if commit is not None:
                    total += self._outcome(commit)
                if not prepared.events:
                    break
                commit = pool.submit(self._commit, prepared)
                after = prepared.position
        self._raise_failure(prepared)
        return total

    def step(self, limit: int = BATCH) -> Relayed:
        """Relay the next events, at most `limit`; zero events when there are none.

        An event that cannot be mapped stops the relay: what stands before it is produced and marked, then
        SchemaError is raised, naming the event.
        """
        prepared = self._prepare(self.position, limit)
        moved = self._commit(prepared) if prepared.events else Relayed(0, 0, self.position)
        self._raise_failure(prepared)
        return moved

    def _prepare(self, after: int, limit: int) -> _Prepared:
        stored = self._store.read_all(after=after, limit=limit)
        self._fetch(stored)
        prepared = _Prepared(after)
        for event in stored:
            try:
                self._map(event, prepared.rows, prepared.forgotten)
            except _MAPPING_ERRORS as error:
                prepared.failure = (event, error)
                self._aggregates.clear()
                break
            prepared.events += 1
            prepared.position = event.position or 0
        return prepared

    def _commit(self, prepared: _Prepared) -> Relayed:
        for name, rows in prepared.rows.items():
            self._log.produce_table(name, rows.table())
        if prepared.forgotten and self._keys is not None:
            self._keys.forget_all(prepared.forgotten)
        self._store.mark_relayed(RELAY, self._epoch, prepared.position)
        self.position = prepared.position
        return Relayed(prepared.events, sum(len(r.keys) for r in prepared.rows.values()), self.position)

    def _outcome(self, commit: Future[Relayed]) -> Relayed:
        try:
            return commit.result()
        except BaseException:
            self._aggregates.clear()
            raise

    def _raise_failure(self, prepared: _Prepared) -> None:
        if prepared.failure is None:
            return
        at, error = prepared.failure
        raise SchemaError(
            f"the relay of {self._domain.name} cannot publish a {at.type}",
            where=f"position {at.position}, stream {at.stream_id}, version {at.version}",
            got=f"{type(error).__name__}: {error}",
            fix="mend the mapping or the stored event, then start the relay again",
        ) from error

    def _map(self, stored: StoredEvent, rows: dict[str, Rows], forgotten: list[str]) -> None:
        event, envelope = self._serializer.read(stored)
        if type(event) not in self._application.owners:
            self._map_own(event, envelope, rows)
            return
        aggregate = self._advance(stored, event)
        if type(event).forgets_subject:
            forgotten.append(getattr(event, type(event).subject_field or ""))
        for record in self._records(event, aggregate, envelope, stored.position or 0):
            topic = self._writers[record.topic].topic.full_name
            batch = rows.get(topic)
            if batch is None:
                batch = rows[topic] = Rows()
            batch.add(record)

    def _map_own(self, event: Event, envelope: Envelope, rows: dict[str, Rows]) -> None:
        """Commands of sagas and answers to commands leave by the same way as integration events."""
        leaving = outgoing(event, envelope, self._source)
        if leaving is None:
            return
        if leaving.topic.name not in self._made:
            self._log.create_topic(leaving.topic)
            self._made.add(leaving.topic.name)
        rows.setdefault(leaving.topic.name, Rows()).add_plain(leaving.key, leaving.value, leaving.headers)

    def _records(
        self, event: Event, aggregate: Aggregate, envelope: Envelope, position: int
    ) -> list[Produced]:
        made: list[Produced] = []
        origin: Origin | None = None
        for mapping in self._integration.mappings.get(type(event), ()):
            for published in mapping(event, aggregate, envelope):
                writer = self._writers.get(published.topic)
                if writer is None:
                    raise SchemaError(
                        f"a mapping publishes to {published.topic!r}, which the domain does not declare",
                        where=str(self._domain.directory / "domain.yaml"),
                        expected=", ".join(sorted(self._writers)),
                    )
                origin = origin or Origin.of(self._source.encode(), position, envelope)
                made.append(writer.record(published, origin, len(made)))
        return made

    def _advance(self, stored: StoredEvent, event: Event) -> Aggregate:
        """The event's aggregate, after the event; personal texts in it are ciphertexts."""
        aggregate = self._aggregates.get(stored.stream_id)
        if aggregate is None:
            aggregate = self._aggregates[stored.stream_id] = self._application.owners[type(event)]()
        aggregate.apply(event)
        return aggregate

    def _fetch(self, stored: Sequence[StoredEvent]) -> None:
        """Load the aggregates that began before these events, as they were then."""
        first: dict[UUID, StoredEvent] = {}
        for event in stored:
            if not event.type.startswith(PLATFORM):
                first.setdefault(event.stream_id, event)
        if len(self._aggregates) > _CACHE:
            self._aggregates.clear()
        for stream_id, event in first.items():
            aggregate = self._aggregates.get(stream_id)
            if aggregate is not None and aggregate.version != event.version - 1:
                del self._aggregates[stream_id]
        wanted = [s for s, e in first.items() if e.version > 1 and s not in self._aggregates]
        for stream_id, events in self._store.streams(wanted).items():
            past = [self._serializer.read(e)[0] for e in events if e.version < first[stream_id].version]
            self._aggregates[stream_id] = self._application.owners[type(past[0])].replay(past)


def application_of(mesh: Mesh, domain_name: str) -> Application:
    """The code of a domain of the mesh. Raises ConfigError when it has no code or no name."""
    domain = _domain(mesh, domain_name)
    application = load(domain)
    if application is None:
        raise ConfigError(
            f"the domain {domain_name} has no code, so nothing to relay", where=str(domain.directory)
        )
    return application


def _domain(mesh: Mesh, domain_name: str) -> Domain:
    domain = mesh.model.domain(domain_name)
    if domain is None:
        raise ConfigError(
            f"there is no domain {domain_name!r}",
            where=str(mesh.settings.root),
            expected=", ".join(d.name for d in mesh.model.domains),
        )
    return domain


def open_relay(mesh: Mesh, domain_name: str) -> Relay:
    """The relay of a domain of the mesh, not started. Raises ConfigError when it has no code or no name."""
    application = application_of(mesh, domain_name)
    domain, store = _domain(mesh, domain_name), mesh.store(domain_name)
    return Relay(domain, application, store, mesh.log, mesh.registry, mesh.keys)


def relay_domain(mesh: Mesh, domain_name: str) -> Relayed:
    """Relay everything that a domain has committed, then stop. Raises RelayHeld when another relay runs."""
    with open_relay(mesh, domain_name) as relay:
        return relay.drain()
