"""A member of a Kafka consumer group: the broker shares partitions out and keeps what is committed."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from hanse.adapters.kafka.reader import LOGGER, TRANSIENT, record_rows
from hanse.adapters.kafka.settings import KafkaSettings
from hanse.errors import LogError, UnknownTopic
from hanse.ports.event_log import RECORDS

_REQUEST_S = 30.0
_UNKNOWN = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


class KafkaGroupReader:
    """`GroupReader` by Kafka's own protocol."""

    def __init__(self, settings: KafkaSettings, topic: str, group: str, start: Mapping[int, int]) -> None:
        self.topic = topic
        self.group = group
        self._start = dict(start)
        self._joined = False
        self._ended: dict[int, bool] = {}
        self._next: dict[int, int] = {}
        self._consumer = Consumer(
            settings.client(
                group_id=group,
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
                session_timeout_ms=10_000,
                heartbeat_interval_ms=1_000,
                fetch_wait_max_ms=100,
            ),
            logger=LOGGER,
        )
        self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin where the group has committed, else where it was told to."""
        known = consumer.committed(partitions, timeout=_REQUEST_S) if partitions else []
        for place in known:
            if place.offset < 0:
                place.offset = self._start.get(place.partition, OFFSET_BEGINNING)
        consumer.assign(known)
        self._joined = True
        self._ended = {place.partition: False for place in known}

    def _revoked(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        consumer.unassign()
        self._joined, self._ended, self._next = False, {}, {}

    def poll(self, max_records: int, timeout_ms: int) -> pa.Table:
        """See the port."""
        try:
            messages = self._consumer.consume(max_records, timeout=timeout_ms / 1_000)
        except KafkaException as error:
            raise self._failed("the group cannot be read", error) from error
        rows = [message for message in messages if not self._is_event(message)]
        for message in rows:
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None, "a record has a place"
            self._next[partition] = offset + 1
        return pa.Table.from_batches([record_rows(rows)] if rows else [], schema=RECORDS)

    def _is_event(self, message: Message) -> bool:
        """Whether it is news of the broker and no record. Raises what the reader must know."""
        error, partition = message.error(), message.partition()
        if error is None:
            self._ended[partition or 0] = False
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            self._ended[partition or 0] = True
        elif error.code() in _UNKNOWN:
            raise UnknownTopic(f"there is no topic {self.topic!r}", got=error.str())
        elif error.code() in TRANSIENT or error.retriable():
            LOGGER.warning("group %s waits for the broker: %s", self.group, error.str())
        else:
            raise LogError("the broker refuses to be read", where=f"group {self.group}", got=error.str())
        return True

    def commit(self) -> None:
        """See the port."""
        if not self._next:
            return
        places = [TopicPartition(self.topic, p, offset) for p, offset in self._next.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            raise self._failed(
                "the offsets are not committed: their records may be read again", error
            ) from error
        self._next = {}

    def _failed(self, what: str, error: KafkaException) -> LogError:
        return LogError(what, where=f"topic {self.topic}, group {self.group}", got=str(error.args[0]))

    @property
    def caught_up(self) -> bool:
        """See the port."""
        return self._joined and all(self._ended.values())

    def close(self) -> None:
        """See the port."""
        self._consumer.close()
