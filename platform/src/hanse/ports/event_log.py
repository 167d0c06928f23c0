"""The event log: topics of partitioned, ordered, durable records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import pyarrow as pa

RECORDS = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("key", pa.large_binary()),
        pa.field("value", pa.large_binary()),
        pa.field(
            "headers",
            pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())])),
        ),
    ]
)
"""One row a record. A null value is a tombstone. Within a partition offsets rise, perhaps with gaps."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as its domain declares it. Retention is in milliseconds and bytes; None keeps all."""

    name: str
    partitions: int = 4
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int | None = None
    retention_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic that exists. `topic_id` changes when it is deleted and made again."""

    spec: TopicSpec
    topic_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record to produce. Without `partition`, murmur2 of the key decides, as Kafka's clients do."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """First offset still in the log, and the offset the next record will get."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows shaped as `RECORDS`, and for each partition asked where to read on (gaps included)."""

    rows: pa.Table
    next_offsets: dict[int, int] = field(default_factory=dict[int, int])


class GroupReader(Protocol):
    """One member of a consumer group of a topic. Members share the partitions; offsets are the group's."""

    def poll(self, max_records: int, timeout_ms: int) -> pa.Table:
        """The next records of the partitions that this member holds now, waiting for some.

        Joins, renews and moves partitions between members, so it must be called every few seconds.
        """
        ...

    def commit(self) -> None:
        """Everything that `poll` gave is done: the group goes on behind it. Raises LogError when it lost it."""
        ...

    @property
    def caught_up(self) -> bool:
        """Whether the member has joined, and stood at the end of all that it holds when it last looked."""
        ...

    def close(self) -> None:
        """Leave: what was not committed is for the other members, or the next."""
        ...


class EventLog(Protocol):
    """Durable topics. One suite, `tests/contract/event_log`, holds every adapter to this."""

    def create_topic(self, spec: TopicSpec) -> TopicInfo:
        """Create, or return the equal one that exists. Raises TopicDrift when it differs."""
        ...

    def topic(self, name: str) -> TopicInfo:
        """The topic's identity and settings. Raises UnknownTopic."""
        ...

    def topics(self) -> list[TopicInfo]:
        """All topics by name."""
        ...

    def delete_topic(self, name: str) -> None:
        """Remove the topic and its records. Raises UnknownTopic."""
        ...

    def produce(self, topic: str, records: Sequence[Record]) -> list[tuple[int, int]]:
        """Append durably, in order; returns (partition, offset) a record, once acknowledged."""
        ...

    def produce_table(self, topic: str, rows: pa.Table) -> dict[int, OffsetRange]:
        """Append an Arrow table durably, in order; the fast way for many records.

        Columns `key` and `value` (binary or string); optional `headers` (as in `RECORDS`),
        `timestamp` and `partition` (int32, null: by key). Returns, for each partition that got
        rows, the range that encloses their offsets (other producers' records may lie in it).
        """
        ...

    def read(
        self,
        topic: str,
        offsets: Mapping[int, int],
        *,
        max_records: int = 100_000,
        timeout_ms: int = 0,
        topic_id: str | None = None,
    ) -> Fetched:
        """Records at and after `offsets`, fairly over partitions, waiting up to `timeout_ms` for some.

        May return fewer than there are; `next_offsets` says where to read on. Raises HistoryLost
        when an offset lies below the partition's low mark or above its end, or when the topic is
        no longer the one of `topic_id`; UnknownTopic; LogError for a partition that is not there.
        """
        ...

    def ranges(self, topic: str) -> dict[int, OffsetRange]:
        """Per partition, what can be read now."""
        ...

    def offsets_at(self, topic: str, timestamp_ms: int) -> dict[int, int]:
        """Per partition, the first offset whose timestamp is at or after the moment (else the end)."""
        ...

    def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, OffsetRange]:
        """Drop the records below the offsets given, a partition; returns the topic's ranges then.

        A later read below an offset given raises HistoryLost. Raises HistoryLost for an offset
        above the end.
        """
        ...

    def join_group(self, topic: str, group: str, start: Mapping[int, int]) -> GroupReader:
        """A new member of the group, which goes on where the group has committed.

        `start` are the offsets where it begins that has committed none, in partitions that are missing the
        first record. Committed offsets below the first record count as it. Raises UnknownTopic.
        """
        ...

    def close(self) -> None:
        """Release files and connections; later calls fail."""
        ...
