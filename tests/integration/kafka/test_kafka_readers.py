"""Both readers give the same rows, whatever is in a topic and however it was written."""

from __future__ import annotations

import random
import time
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.ports.event_log import TopicSpec

pytestmark = pytest.mark.kafka


def write(address: str, topic: str, seed: int, codec: str) -> None:
    """Records of all shapes, some in transactions, some of those aborted."""
    random_ = random.Random(seed)
    servers = {"bootstrap.servers": address.removeprefix("kafka://"), "compression.type": codec}
    plain = Producer(servers)
    transactional = Producer({**servers, "transactional.id": f"t-{topic}"})
    transactional.init_transactions(30)
    for _ in range(14):
        producer, in_transaction = random_.choice([(plain, False), (transactional, True)])
        if in_transaction:
            producer.begin_transaction()
        for _ in range(random_.choice([1, 3, 40, 400])):
            producer.produce(topic, **record(random_))
        producer.flush(30)
        if in_transaction:
            (producer.commit_transaction if random_.random() < 0.6 else producer.abort_transaction)(30)
    plain.close()
    transactional.close()


def record(random_: random.Random) -> dict[str, Any]:
    headers = [
        (
            random_.choice(["a", "", "ce_type", "ü" * 70]),
            random_.choice([None, b"", b"x" * random_.randrange(200)]),
        )
        for _ in range(random_.choice([0, 0, 1, 2, 9]))
    ]
    size = random_.choice([0, 1, 13, 130, 5_000])
    return {
        "value": random_.choice([None, random_.randbytes(size), b"same" * size]),
        "key": random_.choice([None, b"", b"key-%d" % random_.randrange(50)]),
        "partition": random_.randrange(3),
        "timestamp": random_.choice([0, 1, 1_700_000_000_000 + random_.randrange(10**9)]),
        "headers": headers,
    }


def read(log: KafkaLog, topic: str, step: int) -> tuple[pa.Table, dict[int, int]]:
    ends = {p: r.high for p, r in log.ranges(topic).items()}
    offsets, tables = {p: r.low for p, r in log.ranges(topic).items()}, list[pa.Table]()
    deadline = time.monotonic() + 40
    while offsets != ends and time.monotonic() < deadline:
        fetched = log.read(topic, offsets, max_records=step)
        tables.append(fetched.rows)
        offsets = fetched.next_offsets
    return pa.concat_tables(tables).sort_by([("partition", "ascending"), ("offset", "ascending")]), offsets


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_both_readers_give_the_same_bytes(kafka_address: str, codec: str) -> None:
    default = KafkaLog(kafka_settings(f"{kafka_address}?reader=confluent"))
    columnar = KafkaLog(kafka_settings(f"{kafka_address}?reader=columnar"))
    topic = f"readers.{codec}"
    default.create_topic(TopicSpec(topic, partitions=3))
    write(kafka_address, topic, 7, codec)
    one, one_end = read(default, topic, 100_000)
    other, other_end = read(columnar, topic, 100_000)
    assert one.num_rows > 100
    assert one_end == other_end
    assert other.equals(one)
    assert read(columnar, topic, 37)[0].equals(one)
    default.trim(topic, {0: one_end[0] // 2})
    assert read(columnar, topic, 1_000)[0].equals(read(default, topic, 1_000)[0])
    default.delete_topic(topic)
    default.close()
    columnar.close()
