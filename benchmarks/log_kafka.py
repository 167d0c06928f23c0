"""Reading Apache Kafka: Hanse's two readers beside raw confluent-kafka consumption, in the same run.

    python benchmarks/log_kafka.py            # 2,000,000 records
    python benchmarks/log_kafka.py --short    # 100,000, for CI

Starts a broker of its own, or uses `--broker host:port`. The raw consumer is a loop over `consume(batch)`
that adds up the bytes of the values; the readers give Arrow tables of offsets, times, keys, values and headers.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from hanse.adapters.kafka import broker
from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.errors import ConfigError
from hanse.ports.event_log import Record, TopicSpec

PARTITIONS = 4
HEADERS = [
    ("ce_id", b"0123456789abcdef"),
    ("ce_type", b"OrderPlaced"),
    ("ce_source", b"orders"),
    ("ce_position", b"12345"),
]


def fill(address: str, topic: str, count: int, headers: bool) -> float:
    """Records a second, by a raw producer."""
    producer = Producer(
        {"bootstrap.servers": address, "linger.ms": 20, "batch.size": 1_000_000, "compression.type": "lz4"}
    )
    more = {"headers": HEADERS} if headers else {}
    began = time.perf_counter()
    for n in range(count):
        while True:
            try:
                producer.produce(
                    topic,
                    b'{"order_id":%d,"state":"SP","amount":%d.50,"items":3,"coupon":null}' % (n, n % 997),
                    b"customer-%d" % (n % 99_991),
                    partition=n % PARTITIONS,
                    **more,
                )
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    producer.close()
    return count / (time.perf_counter() - began)


def raw(address: str, topic: str, count: int, batch: int) -> int:
    """Consume and add up the bytes of the values, with the fetch settings of Hanse's reader."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "raw",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
            "fetch.min.bytes": 1,
            "queued.max.messages.kbytes": 65_536,
            "max.partition.fetch.bytes": 9 * 1024 * 1024,
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    got = size = 0
    while got < count:
        messages = consumer.consume(batch, timeout=0.05)
        got += len(messages)
        size += sum([len(m.value()) for m in messages])
    consumer.close()
    return got


def by_reader(address: str, topic: str, reader: str) -> int:
    """Read everything through the port."""
    log = KafkaLog(kafka_settings(f"kafka://{address}?reader={reader}"))
    ends = {p: r.high for p, r in log.ranges(topic).items()}
    offsets, got = dict.fromkeys(ends, 0), 0
    while offsets != ends:
        fetched = log.read(topic, offsets, timeout_ms=1_000)
        got += fetched.rows.num_rows
        offsets = fetched.next_offsets
    log.close()
    return got


def timed(work: Callable[[], int], count: int) -> tuple[float, float]:
    """Records a second, and CPU seconds of this process for a million."""
    began, busy = time.perf_counter(), time.process_time()
    got = work()
    if got != count:
        raise SystemExit(f"{got} records of {count} were read")
    return count / (time.perf_counter() - began), (time.process_time() - busy) * 1e6 / count


def best(work: Callable[[], int], count: int) -> tuple[float, float]:
    """The better of two rounds, each figure by itself."""
    rounds = [timed(work, count) for _ in range(2)]
    return max(r for r, _ in rounds), min(busy for _, busy in rounds)


def race(address: str, count: int, headers: bool) -> None:
    """One table of rates."""
    log = KafkaLog(kafka_settings(f"kafka://{address}"))
    topic = f"race.{uuid.uuid4().hex}"
    log.create_topic(TopicSpec(topic, PARTITIONS))
    produced = fill(address, topic, count, headers)
    print(f"{count:,} records, {'four headers each' if headers else 'no headers'}")
    ways: dict[str, Callable[[], int]] = {
        "raw, by 10,000": lambda: raw(address, topic, count, 10_000),
        "raw, by 500": lambda: raw(address, topic, count, 500),
        "reader confluent": lambda: by_reader(address, topic, "confluent"),
        "reader columnar": lambda: by_reader(address, topic, "columnar"),
    }
    measured = [(name, *best(work, count)) for name, work in ways.items()]
    for name, rate, busy in measured:
        print(
            f"  {name:<16}  {rate:>11,.0f}/s  {busy:.2f} CPU s a million  {rate / measured[0][1]:.2f} of raw"
        )
    part = [Record(b"x" * 80, b"%d" % n) for n in range(min(count, 100_000))]
    began = time.perf_counter()
    for at in range(0, len(part), 10_000):
        log.produce(topic, part[at : at + 10_000])
    ours = len(part) / (time.perf_counter() - began)
    print(f"  produce and wait     {ours:>11,.0f}/s  ({ours / produced:.2f} of a raw producer that does not)")
    log.delete_topic(topic)
    log.close()


def warm_up(address: str) -> None:
    """What is imported at first use is not part of the race."""
    log = KafkaLog(kafka_settings(f"kafka://{address}"))
    log.create_topic(TopicSpec("race.warm-up", PARTITIONS))
    fill(address, "race.warm-up", 1_000, headers=True)
    for reader in ("confluent", "columnar"):
        by_reader(address, "race.warm-up", reader)
    log.delete_topic("race.warm-up")
    log.close()


@contextlib.contextmanager
def a_broker(given: str | None) -> Iterator[str]:
    """An address to use."""
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        running = broker.start(Path(folder) / "broker", port=0)
        try:
            yield f"127.0.0.1:{running.port}"
        finally:
            broker.stop(Path(folder) / "broker")


def main() -> int:
    """Run the races; 0 without a broker, saying so."""
    parser = argparse.ArgumentParser(description="Races of Kafka readers.")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--broker")
    arguments = parser.parse_args()
    try:
        if not arguments.broker:
            broker.java()
            broker.jars()
    except ConfigError as error:
        print(f"skipped: {error}")
        return 0
    with a_broker(arguments.broker) as address:
        warm_up(address)
        for headers in (False, True):
            race(address, 100_000 if arguments.short else 2_000_000, headers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
