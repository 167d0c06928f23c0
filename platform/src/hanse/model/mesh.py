"""The mesh as its descriptors tell it: domains, topics, products, contracts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Lifecycle = Literal["draft", "proposed", "active", "deprecated", "retired"]
Access = Literal["private", "protected", "public"]
Envelope = Literal["none", "connect", "debezium"]


@dataclass(frozen=True, slots=True)
class Team:
    """Who answers for a domain or a product."""

    name: str
    email: str | None = None
    support: str | None = None


@dataclass(frozen=True, slots=True)
class External:
    """That others write a topic: its name on the log, and the form they gave its records.

    `envelope` "connect" is Kafka Connect's JSON with `schema` and `payload`, "debezium" a change event with
    `before`, `after` and `op`. The topic's schema describes the row inside. With `key_from` "record" the key
    columns stand in the record's key only. `registry` is an address, or `env:NAME`; None is the mesh's own.
    `partial`: what the topic dropped before the product began is not missed.
    """

    topic: str
    envelope: Envelope = "none"
    key_from: Literal["value", "record"] = "value"
    registry: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that a domain publishes, or reads from others (`external`).

    In SQL it is the table `<domain>.<name>`, and so is its name on the log, unless others gave it one.
    `event_time` and `watermark` say how time runs in it.
    `kind` "events" appends; "state" is event-carried state: compacted, the key's latest row wins.
    """

    domain: str
    name: str
    schema_path: Path
    key: tuple[str, ...]
    kind: Literal["events", "state"] = "events"
    event_time: str | None = None
    watermark_delay_ms: int = 0
    partitions: int = 4
    retention_ms: int | None = None
    retention_bytes: int | None = None
    access: Access = "public"
    external: External | None = None

    @property
    def full_name(self) -> str:
        """Its table in SQL, and the name by which products and pages know it."""
        return f"{self.domain}.{self.name}"

    @property
    def log_name(self) -> str:
        """The topic's name on the log."""
        return self.external.topic if self.external else self.full_name

    @property
    def subject(self) -> str:
        """The registry subject of its values (topic name strategy)."""
        return f"{self.log_name}-value"


@dataclass(frozen=True, slots=True)
class Domain:
    """A bounded context: its team, its language, the topics it publishes. From `domain.yaml`.

    `systems` are people and systems outside the mesh, with the names of the commands that they send.
    """

    name: str
    directory: Path
    team: Team
    purpose: str = ""
    module: str | None = None
    language: dict[str, str] = field(default_factory=dict[str, str])
    topics: tuple[Topic, ...] = ()
    systems: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def own_topics(self) -> tuple[Topic, ...]:
        """The topics that the domain publishes itself."""
        return tuple(t for t in self.topics if t.external is None)


OPEN = frozenset({"none", "public", "internal"})
"""Classifications of values that anybody in the house may see; all others are masked."""


Mask = Literal["hash", "null"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a contract promises (ODCS schema property).

    With `mask` readers see a keyed hash of its value, or nothing; `subject` is the column that names the
    person whose key opens it, when it is ciphertext. `renamed_from` is the name that it had before.
    """

    name: str
    logical_type: str
    physical_type: str
    required: bool = False
    primary_key: bool = False
    classification: str | None = None
    description: str = ""
    business_name: str | None = None
    mask: Mask | None = None
    subject: str | None = None
    renamed_from: str | None = None

    @property
    def open(self) -> bool:
        """Whether its values may stand in samples and profiles: it is not classified, or as harmless."""
        return (self.classification or "none").lower() in OPEN


@dataclass(frozen=True, slots=True)
class QualityRule:
    """One promise to check. `definition` is the ODCS quality object as written.

    `column` is None for a rule on the whole table. `set_aside`: offending rows go to
    `<product>$rejected` and the rest is published; otherwise a failure rejects the publication.
    """

    name: str
    definition: dict[str, Any]
    column: str | None = None
    severity: Literal["error", "warning"] = "error"
    set_aside: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """What a product promises its readers. From an ODCS 3 document."""

    id: str
    version: str
    path: Path
    columns: tuple[Column, ...]
    quality: tuple[QualityRule, ...] = ()
    freshness_ms: int | None = None
    document: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def masked(self) -> tuple[Column, ...]:
        """Columns whose values readers do not see as they are."""
        return tuple(column for column in self.columns if column.mask)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Columns of the primary key, in order; empty for an append product."""
        return tuple(column.name for column in self.columns if column.primary_key)


@dataclass(frozen=True, slots=True)
class Product:
    """A data product. From an ODPS 1 document beside its contract and its projection.

    `inputs` are full names (`<domain>.<topic>` or `<domain>.<product>`). `emission` "update" shows
    open windows, "closed" only final ones; `late` says what happens to rows behind the watermark.
    """

    domain: str
    name: str
    directory: Path
    version: str
    lifecycle: Lifecycle
    purpose: str
    owner: Team
    contract: Contract
    sql_path: Path
    inputs: tuple[str, ...]
    access: Access = "public"
    emission: Literal["update", "closed"] = "update"
    late: Literal["drop", "keep"] = "keep"
    tags: tuple[str, ...] = ()
    document: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def full_name(self) -> str:
        """`<domain>.<name>`: the table that readers query."""
        return f"{self.domain}.{self.name}"


def closed(source: Topic | Product) -> bool:
    """Whether products of other domains must not read it: it is private, or a protected topic.

    A protected product may be read by other domains' products, under its contract.
    """
    return source.access == "private" or (source.access == "protected" and isinstance(source, Topic))


@dataclass(frozen=True, slots=True)
class MeshModel:
    """All descriptors of a mesh, resolved."""

    root: Path
    domains: tuple[Domain, ...]
    products: tuple[Product, ...]

    def product(self, full_name: str) -> Product | None:
        """The product of that full name; `<domain>/<name>` is taken too."""
        wanted = full_name.replace("/", ".")
        return next((p for p in self.products if p.full_name == wanted), None)

    def domain(self, name: str) -> Domain | None:
        """The domain of that name."""
        return next((d for d in self.domains if d.name == name), None)

    def topic(self, full_name: str) -> Topic | None:
        """The topic of that full name, whichever domain declares it."""
        return next((t for d in self.domains for t in d.topics if t.full_name == full_name), None)

    def log_name(self, full_name: str) -> str:
        """Under which name the log has the topic."""
        found = self.topic(full_name)
        return found.log_name if found else full_name

    def topic_on_log(self, log_name: str) -> Topic | None:
        """The topic that the log has under that name; the first, when several domains read it."""
        return next((t for d in self.domains for t in d.topics if t.log_name == log_name), None)
