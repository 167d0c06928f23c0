"""Reading Kafka through confluent-kafka: one consumer with partitions assigned by hand."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from hanse.adapters.kafka.settings import KafkaSettings
from hanse.errors import HistoryLost, LogError, UnknownTopic
from hanse.log.rows import BODY, headers_array
from hanse.ports.event_log import RECORDS, Fetched

LOGGER = logging.getLogger("hanse.kafka")
LOGGER.addHandler(logging.NullHandler())

_AHEAD = 10_000
_AT_ONCE = 500
"""Messages taken and turned into rows together: their memory is used again while it is in the processor's
cache. Batches of 10,000 take twice the time."""
_SECOND = itemgetter(1)
_CERTAIN_MS = 10_000
TRANSIENT = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
}


class Buffered:
    """Hands out rows of some partitions of a topic from where it stands.

    Rows that came beyond what was asked for wait in a buffer, so that shares are fair over
    partitions whatever the order in which the broker answers.
    """

    def __init__(self, topic: str, offsets: Mapping[int, int]) -> None:
        self.topic = topic
        self.positions = dict(offsets)
        self._buffers: dict[int, deque[pa.RecordBatch]] = {p: deque() for p in offsets}
        self._tails: dict[int, int] = {}
        self._skipped: dict[int, int] = {}

    def read(self, max_records: int, timeout_ms: int, ends: Callable[[], Mapping[int, int]]) -> Fetched:
        """Up to `max_records` rows, waiting for some."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave the broker."""
        raise NotImplementedError

    def _reached(self, partition: int) -> int:
        """Where to read on once the buffer is empty: past gaps that are known."""
        known = max(self._tails.get(partition, -1), self._skipped.get(partition, -1))
        return max(self.positions[partition], known)

    def _all_reached(self) -> bool:
        """Whether the broker has said for every partition that this is its end."""
        return all(self._tails.get(p, -1) >= o for p, o in self.positions.items())

    def _take(self, max_records: int) -> Fetched:
        taken: list[pa.RecordBatch] = []
        left = max_records
        active = [p for p, batches in self._buffers.items() if batches]
        while active and left > 0:
            share = max(1, left // len(active))
            for partition in active:
                rows = self._from_buffer(partition, min(share, left))
                taken += rows
                left -= sum(b.num_rows for b in rows)
            active = [p for p in active if self._buffers[p]]
        for partition, batches in self._buffers.items():
            if not batches:
                self.positions[partition] = self._reached(partition)
        return Fetched(pa.Table.from_batches(taken, schema=RECORDS), dict(self.positions))

    def _from_buffer(self, partition: int, limit: int) -> list[pa.RecordBatch]:
        taken: list[pa.RecordBatch] = []
        batches = self._buffers[partition]
        while batches and limit > 0:
            batch = batches.popleft()
            if batch.num_rows > limit:
                batches.appendleft(batch.slice(limit))
                batch = batch.slice(0, limit)
            taken.append(batch)
            limit -= batch.num_rows
            self.positions[partition] = int(batch.column("offset")[-1].as_py()) + 1
        return taken


class Reader(Buffered):
    """A consumer of confluent-kafka with partitions assigned by hand."""

    def __init__(self, settings: KafkaSettings, topic: str, offsets: Mapping[int, int]) -> None:
        super().__init__(topic, offsets)
        self._consumer = Consumer(
            settings.client(
                group_id="hanse-reader",
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                enable_partition_eof=True,
                auto_offset_reset="error",
                fetch_wait_max_ms=10,
                fetch_min_bytes=1,
                queued_max_messages_kbytes=65_536,
                max_partition_fetch_bytes=9 * 1024 * 1024,
                fetch_error_backoff_ms=50,
                fetch_queue_backoff_ms=5,  # a second otherwise, in which a fast reader runs dry
            ),
            logger=LOGGER,
        )
        self._consumer.assign([TopicPartition(topic, p, o) for p, o in offsets.items()])

    def read(self, max_records: int, timeout_ms: int, ends: Callable[[], Mapping[int, int]]) -> Fetched:
        """Up to `max_records` rows, waiting for some. `ends` asks the broker where partitions end.

        Rows that are in the log when this is called are returned even when the timeout is 0.
        """
        began = time.monotonic()
        deadline = began + timeout_ms / 1_000
        certain: float | None = None
        self._fill(max_records, 0.0)
        while not any(self._buffers.values()):
            now = time.monotonic()
            if certain is None:
                behind = any(self._reached(p) < end for p, end in ends().items() if p in self.positions)
                certain = began + _CERTAIN_MS / 1_000 if behind else deadline
            if now >= max(deadline, certain) or (now >= deadline and self._all_reached()):
                break
            self._fill(max_records, min(0.1, max(0.001, max(deadline, certain) - now)))
        return self._take(max_records)

    def _fill(self, max_records: int, wait_s: float) -> None:
        """Move what has arrived into the buffers; wait for the first if nothing is there."""
        buffered = sum(b.num_rows for batches in self._buffers.values() for b in batches)
        if buffered >= max_records and all(self._buffers.values()):
            return
        wanted = max(max_records - buffered, _AHEAD)
        wait = 0.0 if buffered else wait_s
        while wanted > 0:
            messages = self._some(wait)
            self._sort(messages)
            wanted -= len(messages)
            if len(messages) < _AT_ONCE:
                break
            wait = 0.0

    def _some(self, wait_s: float) -> list[Message]:
        """What has arrived, at most `_AT_ONCE`; waits for the first if nothing is there."""
        messages = self._consumer.consume(_AT_ONCE, timeout=0)
        if not messages and wait_s > 0:
            first = self._consumer.poll(wait_s)
            messages = [] if first is None else [first]
        if 0 < len(messages) < _AT_ONCE:
            messages += self._consumer.consume(_AT_ONCE - len(messages), timeout=0.002)
        return messages

    def _sort(self, messages: list[Message]) -> None:
        errors = list(map(Message.error, messages))
        if any(errors):  # a KafkaError cannot be compared with None
            for message, error in zip(messages, errors, strict=True):
                if error is not None:
                    self._on_error(message, error)
            messages = [m for m, error in zip(messages, errors, strict=True) if error is None]
        if not messages:
            return
        rows = record_rows(messages)
        partitions = rows.column("partition").to_numpy()
        starts = np.append(0, np.flatnonzero(np.diff(partitions)) + 1)
        for start, end in pairwise([*starts.tolist(), len(messages)]):
            self._buffers[int(partitions[start])].append(rows.slice(start, end - start))

    def _on_error(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        partition, offset = message.partition(), message.offset()
        if code == KafkaError._PARTITION_EOF:
            assert partition is not None and offset is not None
            self._tails[partition] = offset
        elif code in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
            raise HistoryLost(
                "records that are to be read are gone from the log, or the topic was made again",
                where=f"topic {self.topic}, partition {partition}",
                got=error.str(),
                fix="rebuild from the archive and the log",
            )
        elif code in {
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_TOPIC,
            KafkaError._UNKNOWN_PARTITION,
        }:
            raise UnknownTopic(f"there is no topic {self.topic!r}", got=error.str())
        elif code in TRANSIENT or error.retriable():
            LOGGER.warning("reading %s waits for the broker: %s", self.topic, error.str())
        else:
            raise LogError("the broker refuses to be read", where=f"topic {self.topic}", got=error.str())

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def record_rows(messages: list[Message]) -> pa.RecordBatch:
    """As `RECORDS`. Each column is made by one call from C: a comprehension costs twice as much."""
    count = len(messages)
    headers: list[Any] = list(map(Message.headers, messages))
    stamps = np.fromiter(map(_SECOND, map(Message.timestamp, messages)), np.int64, count)
    columns = [
        pa.array(np.fromiter(map(Message.partition, messages), np.int32, count)),
        pa.array(np.fromiter(map(Message.offset, messages), np.int64, count)),
        pa.array(stamps).view(BODY.field("timestamp").type),
        pa.array(list(map(Message.key, messages)), pa.large_binary()),
        pa.array(list(map(Message.value, messages)), pa.large_binary()),
        headers_array(headers),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORDS)
