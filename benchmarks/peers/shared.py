"""What every contestant of `races.py` does: read its arguments, take the time, report in one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PARTITIONS = 4
WINDOW_S = 60
FETCH: dict[str, Any] = {
    "fetch.wait.max.ms": 10,
    "fetch.min.bytes": 1,
    "queued.max.messages.kbytes": 65_536,
    "max.partition.fetch.bytes": 9 * 1024 * 1024,
    "fetch.queue.backoff.ms": 5,
}
"""The same fetch settings for everyone who reads through librdkafka."""


@dataclass
class Result:
    """What was counted: `events` and their `items`; `rows` of the product; seconds of each batch.

    `idle` are seconds at the end in which the contestant only waited for more.
    """

    events: int
    items: int
    rows: int = 0
    batches: list[float] = field(default_factory=list)
    idle: float = 0.0


def race(work: Callable[[str, str, int], Result]) -> None:
    """Run the contestant on `ADDRESS TOPIC COUNT` and print its result; start-up and imports do not count."""
    address, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    began = time.perf_counter()
    result = work(address, topic, count)
    seconds = time.perf_counter() - began - result.idle
    print("RESULT " + json.dumps({"seconds": seconds, **vars(result)}), flush=True)
