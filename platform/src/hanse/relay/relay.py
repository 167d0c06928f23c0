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
from hanse.ports.event_store import RELAY, StuckStream
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
    from hanse.ports.event_log import EventLog, TopicSpec
    from hanse.ports.event_store import EventStore, StoredEvent
    from hanse.ports.schema_registry import SchemaRegistry

BATCH = 5_000
MOST_STUCK = 1_000
"""With so many streams stuck the fault is not theirs, and the relay stops."""
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
    """A batch of events, mapped; `stuck` are the streams of which one could not be, `freed` those mended."""

    position: int
    events: int = 0
    rows: dict[str, Rows] = field(default_factory=dict[str, Rows])
    topics: dict[str, TopicSpec] = field(default_factory=dict[str, "TopicSpec"])
    forgotten: list[str] = field(default_factory=list[str])
    stuck: list[StuckStream] = field(default_factory=list[StuckStream])
    freed: list[UUID] = field(default_factory=list[UUID])


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
        self._held: dict[UUID, StuckStream] = {}
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
            self._reload_held()
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
        Raises as `step` does, once all that can be relayed is.
        """
        self._reload_held()
        total = Relayed(0, 0, self.position)
        stuck: list[StuckStream] = []
        with ThreadPoolExecutor(1, thread_name_prefix="relay") as pool:
            commit: Future[Relayed] | None = None
            after = self.position
            while True:
                prepared = self._prepare(after, batch)
                stuck += prepared.stuck
                if commit is not None:
                    total += self._outcome(commit)
                if not prepared.events:
                    break
                commit = pool.submit(self._commit, prepared)
                after = prepared.position
        self._complain(stuck)
        return total

    def step(self, limit: int = BATCH) -> Relayed:
        """Relay the next events, at most `limit`; zero events when there are none.

        An event that cannot be mapped is held back, with all that follow in its stream, until `retry`: the
        others go on, and then SchemaError is raised, naming the event. It is not raised again for that stream.
        """
        self._reload_held()
        prepared = self._prepare(self.position, limit)
        moved = self._commit(prepared) if prepared.events else Relayed(0, 0, self.position)
        self._complain(prepared.stuck)
        return moved

    @property
    def stuck(self) -> list[StuckStream]:
        """The streams held back, by position."""
        return sorted(self._held.values(), key=lambda stream: stream.position)

    def retry(self, stream_id: UUID | None = None) -> Relayed:
        """Publish what was held back, of one stream or of all, whose mapping or event was mended.

        Its records have a source of their own, since in their topic's they come after later ones. Raises
        SchemaError when one still cannot be published; the others are.
        """
        self._reload_held()
        total = Relayed(0, 0, self.position)
        failed: list[StuckStream] = []
        for stream in [s for s in self.stuck if stream_id in (None, s.stream_id)]:
            del self._held[stream.stream_id]
            self._aggregates.pop(stream.stream_id, None)
            held = [
                event
                for event in self._store.stream(stream.stream_id, after=stream.version - 1)
                if (event.position or 0) <= self.position
            ]
            prepared = _Prepared(self.position, freed=[stream.stream_id])
            self._map_all(held, prepared, f"{self._source}/{stream.stream_id}")
            if prepared.stuck:
                prepared.freed.clear()
                failed += prepared.stuck
            total += self._commit(prepared)
        self._complain(failed)
        return total

    def _reload_held(self) -> None:
        """As the store has it: what a batch that was never committed held back is forgotten."""
        self._held = {stream.stream_id: stream for stream in self._store.stuck(RELAY)}

    def _prepare(self, after: int, limit: int) -> _Prepared:
        prepared = _Prepared(after)
        self._map_all(self._store.read_all(after=after, limit=limit), prepared, self._source)
        return prepared

    def _map_all(self, stored: Sequence[StoredEvent], prepared: _Prepared, source: str) -> None:
        self._fetch(stored, prepared)
        for event in stored:
            if event.stream_id in self._held:
                self._forget_held(event, prepared)
            else:
                try:
                    self._map(event, prepared, source)
                except _MAPPING_ERRORS as error:
                    self._hold(event, error, prepared)
            prepared.events += 1
            prepared.position = max(prepared.position, event.position or 0)

    def _hold(self, event: StoredEvent, error: Exception, prepared: _Prepared) -> None:
        if len(self._held) >= MOST_STUCK:
            raise SchemaError(
                f"the relay of {self._domain.name} cannot publish a {event.type}, and {MOST_STUCK} streams are stuck",
                where=_place(event),
                got=f"{type(error).__name__}: {error}",
                fix="mend the mapping, then start the relay again",
            ) from error
        reason = f"{type(error).__name__}: {error}"
        stuck = StuckStream(event.stream_id, event.version, event.position or 0, event.type, reason)
        self._held[event.stream_id] = stuck
        prepared.stuck.append(stuck)
        self._aggregates.pop(event.stream_id, None)

    def _forget_held(self, event: StoredEvent, prepared: _Prepared) -> None:
        """A person is forgotten also where the event that says so cannot be published yet."""
        cls = self._application.events.get(event.type)
        if cls is not None and cls.forgets_subject:
            happened, _ = self._serializer.read(event)
            prepared.forgotten.append(getattr(happened, cls.subject_field or ""))

    def _commit(self, prepared: _Prepared) -> Relayed:
        for name in prepared.topics.keys() - self._made:
            self._log.create_topic(prepared.topics[name])
            self._made.add(name)
        for name, rows in prepared.rows.items():
            self._log.produce_table(name, rows.table())
        if prepared.forgotten and self._keys is not None:
            self._keys.forget_all(prepared.forgotten)
        self._store.mark_relayed(
            RELAY, self._epoch, prepared.position, stuck=prepared.stuck, freed=prepared.freed
        )
        self.position = max(self.position, prepared.position)
        return Relayed(prepared.events, sum(len(r.keys) for r in prepared.rows.values()), self.position)

    def _outcome(self, commit: Future[Relayed]) -> Relayed:
        try:
            return commit.result()
        except BaseException:
            self._aggregates.clear()
            raise

    def _complain(self, stuck: Sequence[StuckStream]) -> None:
        if not stuck:
            return
        first = stuck[0]
        others = f", and {len(stuck) - 1} more streams are stuck" if len(stuck) > 1 else ""
        raise SchemaError(
            f"the relay of {self._domain.name} cannot publish a {first.type}{others}",
            where=_place(first),
            got=first.reason,
            fix=f"mend the mapping or the stored event, then: hanse relay retry {self._domain.name}",
        )

    def _map(self, stored: StoredEvent, prepared: _Prepared, source: str) -> None:
        event, envelope = self._serializer.read(stored)
        if type(event) not in self._application.owners:
            self._map_own(event, envelope, prepared)
            return
        aggregate = self._advance(stored, event)
        if type(event).forgets_subject:
            prepared.forgotten.append(getattr(event, type(event).subject_field or ""))
        for record in self._records(event, aggregate, envelope, stored.position or 0, source):
            topic = self._writers[record.topic].topic.full_name
            batch = prepared.rows.get(topic)
            if batch is None:
                batch = prepared.rows[topic] = Rows()
            batch.add(record)

    def _map_own(self, event: Event, envelope: Envelope, prepared: _Prepared) -> None:
        """Commands of sagas and answers to commands leave by the same way as integration events."""
        leaving = outgoing(event, envelope, self._source)
        if leaving is not None:
            name = leaving.topic.name
            prepared.topics[name] = leaving.topic
            prepared.rows.setdefault(name, Rows()).add_plain(leaving.key, leaving.value, leaving.headers)

    def _records(
        self, event: Event, aggregate: Aggregate, envelope: Envelope, position: int, source: str
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
                origin = origin or Origin.of(source.encode(), position, envelope)
                made.append(writer.record(published, origin, len(made)))
        return made

    def _advance(self, stored: StoredEvent, event: Event) -> Aggregate:
        """The event's aggregate, after the event; personal texts in it are ciphertexts."""
        aggregate = self._aggregates.get(stored.stream_id)
        if aggregate is None:
            aggregate = self._aggregates[stored.stream_id] = self._application.owners[type(event)]()
        aggregate.apply(event)
        return aggregate

    def _fetch(self, stored: Sequence[StoredEvent], prepared: _Prepared) -> None:
        """Load the aggregates that began before these events, as they were then."""
        first: dict[UUID, StoredEvent] = {}
        for event in stored:
            if not event.type.startswith(PLATFORM) and event.stream_id not in self._held:
                first.setdefault(event.stream_id, event)
        if len(self._aggregates) > _CACHE:
            self._aggregates.clear()
        for stream_id, event in first.items():
            aggregate = self._aggregates.get(stream_id)
            if aggregate is not None and aggregate.version != event.version - 1:
                del self._aggregates[stream_id]
        wanted = [s for s, e in first.items() if e.version > 1 and s not in self._aggregates]
        for stream_id, events in self._store.streams(wanted).items():
            try:
                past = [self._serializer.read(e)[0] for e in events if e.version < first[stream_id].version]
                self._aggregates[stream_id] = self._application.owners[type(past[0])].replay(past)
            except _MAPPING_ERRORS as error:
                self._hold(first[stream_id], error, prepared)


def _place(event: StoredEvent | StuckStream) -> str:
    return f"position {event.position}, stream {event.stream_id}, version {event.version}"


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
