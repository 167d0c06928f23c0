"""The event log on Apache Kafka, through confluent-kafka.

Records are produced with idempotence and `acks=all` and are acknowledged when the broker says so.
Offsets live with who reads, never in Kafka: partitions are assigned by hand. While the broker is
away, reading returns nothing and producing waits, with growing pauses, up to `message.timeout.ms`.
"""

# confluent_kafka documents its admin classes in `admin` and does not list them in __all__
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import repeat
from typing import Any, cast

import numpy as np
import pyarrow as pa
from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from hanse.adapters.kafka.columnar import ColumnarReader
from hanse.adapters.kafka.group import KafkaGroupReader
from hanse.adapters.kafka.reader import LOGGER, Buffered, Reader
from hanse.adapters.kafka.settings import KafkaSettings
from hanse.errors import ConfigError, HistoryLost, LogError, TopicDrift, UnknownTopic
from hanse.log import rows as rows_of
from hanse.log.checks import check_offset, check_partition, check_spec, drift
from hanse.log.partitioner import NullKeys
from hanse.ports.event_log import RECORDS, Fetched, OffsetRange, Record, TopicInfo, TopicSpec

_REQUEST_S = 30.0
_GLANCE_S = 1.0
_UNKNOWN = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_ID}
_ELECTION = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
}
_IDLE_READERS = 8
_EARLIEST = cast(OffsetSpec, OffsetSpec.earliest())
_LATEST = cast(OffsetSpec, OffsetSpec.latest())


class KafkaLog:
    """The `EventLog` port on a Kafka cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        # benchmarks/kafka_settings.py: longer lingering only delays (a record takes 2 ms more than with 0, and
        # readers get batches that are a fifth cheaper to read), batches of 16 KiB write a seventh less, lz4 needs a
        # fifth of the bytes and reads fastest of what compresses (zstd: half of lz4's bytes, reads 15 % dearer)
        try:
            self._client: AdminClient | None = AdminClient(settings.client(), logger=LOGGER)
            self._producer = Producer(
                settings.client(
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=2,
                    batch_size=1024 * 1024,
                    batch_num_messages=20_000,
                    compression_type="lz4",
                    message_max_bytes=10 * 1024 * 1024,
                    queue_buffering_max_messages=500_000,
                )
                | settings.options,
                logger=LOGGER,
            )
        except KafkaException as error:
            raise ConfigError("a Kafka option is not accepted", got=str(error.args[0])) from error
        self._idle: list[Buffered] = []
        self._lock = threading.Lock()
        self._null_keys = NullKeys()
        self._partitions: dict[str, int] = {}
        self._compacted: dict[str, bool] = {}

    # topics

    def create_topic(self, spec: TopicSpec) -> TopicInfo:
        """Create, or return the equal one that exists. Raises TopicDrift when it differs."""
        check_spec(spec)
        config = {
            "cleanup.policy": spec.cleanup,
            "retention.ms": str(-1 if spec.retention_ms is None else spec.retention_ms),
            "retention.bytes": str(-1 if spec.retention_bytes is None else spec.retention_bytes),
            "max.message.bytes": str(10 * 1024 * 1024),
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        new = NewTopic(spec.name, spec.partitions, self.settings.replication, config=config)
        with contextlib.suppress(_AlreadyThere):  # whether it is equal is seen next
            self._result(self._admin().create_topics([new], request_timeout=_REQUEST_S)[spec.name], spec.name)
        info = self._eventually(spec.name)
        if info.spec != spec:
            raise drift(spec, info.spec, self.settings.servers)
        return info

    def _eventually(self, name: str) -> TopicInfo:
        """The topic, a moment after it was made: brokers learn of it one after the other."""
        deadline = time.monotonic() + _REQUEST_S
        while True:
            try:
                return self.topic(name)
            except UnknownTopic:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def topic(self, name: str) -> TopicInfo:
        """The topic's identity and settings. Raises UnknownTopic."""
        return self._describe([name])[0]

    def topics(self) -> list[TopicInfo]:
        """All topics by name, Kafka's own left out."""
        self._refuse_closed()
        with self._errors():
            names = self._admin().list_topics(timeout=_REQUEST_S).topics
        return self._describe(sorted(n for n in names if not n.startswith("__")))

    def _describe(self, names: list[str]) -> list[TopicInfo]:
        self._refuse_closed()
        if not names:
            return []
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        try:
            described = self._admin().describe_topics(TopicCollection(names), request_timeout=_REQUEST_S)
            configs = self._admin().describe_configs(resources, request_timeout=_REQUEST_S)
        except ValueError as error:
            raise UnknownTopic(f"there is no topic {names[0]!r}", got=str(error)) from error
        result: list[TopicInfo] = []
        for name, resource in zip(names, resources, strict=True):
            found = self._result(described[name], name)
            config = self._result(configs[resource], name)
            spec = TopicSpec(
                name,
                len(found.partitions),
                "compact" if "compact" in config["cleanup.policy"].value else "delete",
                _positive(config["retention.ms"].value),
                _positive(config["retention.bytes"].value),
            )
            self._compacted[name] = spec.cleanup == "compact"
            self._partitions[name] = spec.partitions
            result.append(TopicInfo(spec, str(found.topic_id)))
        return result

    def delete_topic(self, name: str) -> None:
        """Remove the topic and its records. Raises UnknownTopic."""
        self.topic(name)
        self._result(self._admin().delete_topics([name], request_timeout=_REQUEST_S)[name], name)
        self._partitions.pop(name, None)
        deadline = time.monotonic() + _REQUEST_S
        while time.monotonic() < deadline:
            try:
                self.topic(name)
            except UnknownTopic:
                return
            time.sleep(0.02)

    # producing

    def produce(self, topic: str, records: Sequence[Record]) -> list[tuple[int, int]]:
        """Append durably, in order; returns (partition, offset) a record, once acknowledged.

        Raises LogError when the broker refused or did not answer in time; the message says how many
        records were stored all the same.
        """
        body, wanted = rows_of.from_records(records)
        targets = self._targets(topic, body, wanted)
        offsets = self._send(topic, targets.tolist(), body)
        return list(zip(targets.tolist(), offsets, strict=True))

    def produce_table(self, topic: str, rows: pa.Table) -> dict[int, OffsetRange]:
        """Append an Arrow table durably, in order; the range that encloses each partition's rows."""
        body, wanted = rows_of.from_table(rows)
        targets = self._targets(topic, body, wanted)
        offsets = np.asarray(self._send(topic, targets.tolist(), body))
        return {
            int(p): OffsetRange(int(offsets[targets == p].min()), int(offsets[targets == p].max()) + 1)
            for p in np.unique(targets)
        }

    def _targets(self, topic: str, body: pa.RecordBatch, wanted: Any) -> Any:
        self._refuse_closed()
        if topic not in self._partitions:
            self.topic(topic)
        if self._compacted[topic] and body.column("key").null_count:
            raise LogError(
                "a compacted topic takes no record without key; nothing was stored", where=f"topic {topic}"
            )
        partitions = self._partitions[topic]
        return self._null_keys.fill(rows_of.place(body, wanted, partitions, topic), partitions)

    def _send(self, topic: str, targets: list[int], body: pa.RecordBatch) -> list[int]:
        """The offset of each row, once all are acknowledged.

        A partition's acknowledgements come in the order of its records: so does idempotence have it.
        """
        offsets: dict[int, list[int]] = {p: [] for p in set(targets)}
        failed: list[KafkaError] = []
        done = 0

        def delivered(error: KafkaError | None, message: Any) -> None:
            nonlocal done
            done += 1
            if error is not None:
                failed.append(error)
            else:
                offsets[message.partition()].append(message.offset())

        produce, poll = self._producer.produce, self._producer.poll
        stamps: list[int] = body.column("timestamp").cast(pa.int64()).to_pylist()
        keys, values = body.column("key").to_pylist(), body.column("value").to_pylist()
        rows = zip(values, keys, targets, repeat(delivered), stamps, _headers(body), strict=False)
        for number, (value, key, partition, callback, stamp, headers) in enumerate(rows):
            while True:
                try:
                    produce(topic, value, key, partition, callback, None, stamp, headers)
                    break
                except BufferError:
                    poll(0.05)
                except KafkaException as error:
                    raise self._named(error.args[0], topic) from error
            if number & 1_023 == 1_023:
                poll(0)
        while done < len(targets):
            poll(0.1)
        if failed:
            raise self._not_stored(topic, failed, len(targets))
        places = {p: iter(found) for p, found in offsets.items()}
        return [next(places[p]) for p in targets]

    def _not_stored(self, topic: str, failed: list[KafkaError], count: int) -> LogError:
        self._partitions.pop(topic, None)
        error = self._named(failed[0], topic)
        if isinstance(error, UnknownTopic):
            return error
        return LogError(
            f"the broker did not store {len(failed)} of {count} records ({count - len(failed)} are stored)",
            where=f"topic {topic}, {self.settings.servers}",
            got=failed[0].str(),
            fix="send again; readers that keep positions drop what comes twice",
        )

    # reading

    def read(
        self,
        topic: str,
        offsets: Mapping[int, int],
        *,
        max_records: int = 100_000,
        timeout_ms: int = 0,
        topic_id: str | None = None,
    ) -> Fetched:
        """Records at and after `offsets`; see the port. An absent broker is waited for, not an error."""
        self._refuse_closed()
        if not offsets or max_records <= 0:
            self._check_id(topic, topic_id)
            return Fetched(RECORDS.empty_table(), dict(offsets))
        with self._reader(topic, offsets) as reader:
            fetched = reader.read(max_records, timeout_ms, partial(self._ends, topic))
            if topic_id is not None:
                self._check_id(topic, topic_id)
            return fetched

    def _check_id(self, topic: str, expected: str | None) -> None:
        """After a fetch: rows of another topic of the same name are never handed out as the old one's."""
        request = self._admin().describe_topics(TopicCollection([topic]), request_timeout=_REQUEST_S)
        found = str(self._result(request[topic], topic).topic_id)
        if expected is not None and found != expected:
            raise HistoryLost(
                f"topic {topic} was deleted and made again",
                expected=f"topic id {expected}",
                got=found,
                fix="rebuild what was read from the old topic",
            )

    @contextlib.contextmanager
    def _reader(self, topic: str, offsets: Mapping[int, int]) -> Generator[Buffered]:
        """The idle reader that stands there, else a new one; kept for the next call if all went well."""
        wanted = dict(offsets)
        with self._lock:
            found = next((r for r in self._idle if r.topic == topic and r.positions == wanted), None)
            if found is not None:
                self._idle.remove(found)
        if found is None:
            ranges = self.ranges(topic)
            for partition, offset in wanted.items():
                check_offset(topic, partition, offset, ranges)
            make = ColumnarReader if self.settings.reader == "columnar" else Reader
            found = make(self.settings, topic, wanted)
        try:
            yield found
        except BaseException:
            found.close()
            raise
        with self._lock:
            self._idle.append(found)
            extra = self._idle.pop(0) if len(self._idle) > _IDLE_READERS or self._client is None else None
        if extra is not None:
            extra.close()

    def _ends(self, topic: str) -> dict[int, int]:
        """Where partitions end; nothing while the broker is away."""
        try:
            return self._offsets(topic, _LATEST, _GLANCE_S)
        except UnknownTopic:
            raise
        except LogError as error:
            LOGGER.warning("reading %s waits for the broker: %s", topic, error.got)
            return {}

    def ranges(self, topic: str) -> dict[int, OffsetRange]:
        """Per partition, what can be read now; records of open transactions cannot."""
        lows = self._offsets(topic, _EARLIEST)
        highs = self._offsets(topic, _LATEST)
        return {p: OffsetRange(low, max(low, highs[p])) for p, low in lows.items()}

    def _offsets(self, topic: str, which: OffsetSpec, timeout_s: float | None = None) -> dict[int, int]:
        self._refuse_closed()
        if topic not in self._partitions:
            self.topic(topic)
        places = [TopicPartition(topic, p) for p in range(self._partitions[topic])]
        limit = _REQUEST_S if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit
        while True:
            futures = self._admin().list_offsets(
                dict.fromkeys(places, which),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=limit,
            )
            try:
                return {p.partition: self._result(f, topic).offset for p, f in futures.items()}
            except UnknownTopic:
                self._partitions.pop(topic, None)
                raise
            except _Moving:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def offsets_at(self, topic: str, timestamp_ms: int) -> dict[int, int]:
        """Per partition, the first offset whose timestamp is at or after the moment (else the end)."""
        found = self._offsets(topic, OffsetSpec.for_timestamp(timestamp_ms))
        ranges = self.ranges(topic)
        return {p: ranges[p].high if o < 0 else max(o, ranges[p].low) for p, o in found.items()}

    def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, OffsetRange]:
        """Drop the records below the offsets given, a partition; returns the topic's ranges then."""
        ranges = self.ranges(topic)
        places: list[TopicPartition] = []
        for partition, offset in before.items():
            if offset > check_partition(topic, partition, ranges).low:
                check_offset(topic, partition, offset, ranges)
                places.append(TopicPartition(topic, partition, offset))
        if places:
            for future in self._admin().delete_records(places, request_timeout=_REQUEST_S).values():
                self._result(future, topic)
        return self.ranges(topic)

    def join_group(self, topic: str, group: str, start: Mapping[int, int]) -> KafkaGroupReader:
        """A new member of the group; see the port."""
        self.topic(topic)
        return KafkaGroupReader(self.settings, topic, group, start)

    def close(self) -> None:
        """Leave the brokers; later calls fail."""
        with self._lock:
            idle, self._idle = self._idle, []
            if self._client is None:
                return
            # freed here: were it left to the garbage collector, which may run in one of the client's
            # own threads, librdkafka would abort the process
            self._client = None
        self._producer.close()
        for reader in idle:
            reader.close()

    # errors

    def _result(self, future: Future[Any], topic: str) -> Any:
        try:
            return future.result(timeout=_REQUEST_S + 10)
        except KafkaException as error:
            raise self._named(error.args[0], topic) from error

    @contextlib.contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except KafkaException as error:
            raise self._named(error.args[0], "") from error

    def _named(self, error: KafkaError, topic: str) -> LogError:
        code = error.code()
        if code in _UNKNOWN:
            return UnknownTopic(
                f"there is no topic {topic!r}",
                where=self.settings.servers,
                fix="`hanse log topics` lists them; a relay makes those that its domain declares",
            )
        if code in _ELECTION:
            return _Moving("a partition has no leader now", where=f"topic {topic}", got=error.str())
        if code == KafkaError.TOPIC_ALREADY_EXISTS:
            return _AlreadyThere(f"topic {topic} exists")
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return LogError("a record is too large for the broker", where=f"topic {topic}", got=error.str())
        away = {
            KafkaError._TRANSPORT,
            KafkaError._ALL_BROKERS_DOWN,
            KafkaError._TIMED_OUT,
            KafkaError._MSG_TIMED_OUT,
        }
        if code in away:
            return LogError(
                "Apache Kafka does not answer",
                where=self.settings.servers,
                got=error.str(),
                fix="see whether the broker runs (`hanse kafka status`) and the address is right",
            )
        return LogError(
            "Apache Kafka refused", where=f"topic {topic}, {self.settings.servers}", got=error.str()
        )

    def _admin(self) -> AdminClient:
        if self._client is None:
            raise LogError("the event log is closed", where=self.settings.servers)
        return self._client

    def _refuse_closed(self) -> None:
        self._admin()


class _Moving(LogError):
    """A partition's leader is being chosen: ask again in a moment."""


class _AlreadyThere(TopicDrift):
    """The topic exists; whether it is equal is seen next."""


def _positive(text: str) -> int | None:
    return None if int(text) < 0 else int(text)


def _headers(body: pa.RecordBatch) -> Iterable[list[tuple[str, bytes]] | None]:
    """For each row what `Producer.produce` takes."""
    lists: list[list[dict[str, Any]]] = body.column("headers").to_pylist()
    if not any(lists):
        return repeat(None)
    return ([(h["name"], h["value"]) for h in headers] for headers in lists)
