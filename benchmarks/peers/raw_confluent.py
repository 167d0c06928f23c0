"""Raw consumption with confluent-kafka: a loop over `consume(10_000)` that adds up the bytes of the values."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, TopicPartition
from shared import FETCH, PARTITIONS, Result, race


def consume(address: str, topic: str, count: int) -> Result:
    """Nothing is decoded."""
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "raw", "enable.auto.commit": False, **FETCH}
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    got = size = 0
    batches: list[float] = []
    while got < count:
        began = time.perf_counter()
        messages = consumer.consume(10_000, timeout=0.05)
        got += len(messages)
        size += sum([len(m.value()) for m in messages])
        batches.append(time.perf_counter() - began)
    consumer.close()
    return Result(got, 0, batches=batches)


race(consume)
