"""What the Kafka producer's batch size, linger and compression do to Hanse's writing; its defaults come from here.

    python benchmarks/kafka_settings.py            # 200,000 records a line
    python benchmarks/kafka_settings.py --short    # 20,000 and few lines, for CI

A line is `KafkaLog` with one setting changed: records/s of tables of 10,000 rows, each waited for (a relay that
catches up, a load); the median milliseconds to store 1 and 100 records (an order that is placed, a relay that is
up to date); bytes a record on the broker's disk; processor seconds of this process to write and to read (by
the columnar reader) a million records. A record is written once and read by every product.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from hanse.adapters.kafka import broker
from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.errors import ConfigError
from hanse.ports.event_log import Record, TopicSpec

PARTITIONS = 4
TABLE = 10_000
LINES = (
    "",
    "linger.ms=0",
    "linger.ms=5",
    "linger.ms=20",
    "linger.ms=100",
    "batch.size=16384",
    "batch.size=131072",
    "compression.type=none",
    "compression.type=snappy",
    "compression.type=gzip",
    "compression.type=zstd",
)
SHORT = ("", "linger.ms=20", "batch.size=16384", "compression.type=none", "compression.type=zstd")


def orders(count: int) -> pa.Table:
    """Orders as JSON with the headers of a relay."""
    numbers = range(count)
    headers = [
        [
            {"name": "ce_id", "value": b"order-%08d" % n},
            {"name": "ce_type", "value": b"order_placed"},
            {"name": "ce_source", "value": b"/orders"},
            {"name": "ce_position", "value": b"%d" % (n << 16)},
        ]
        for n in numbers
    ]
    return pa.table(
        {
            "key": pa.array([b"customer-%d" % (n * 7919 % 99_991) for n in numbers], pa.large_binary()),
            "value": pa.array(
                [
                    b'{"order_id":"order-%08d","state":"SP","amount":%d.50,"items":3,"coupon":null}'
                    % (n, n % 997)
                    for n in numbers
                ],
                pa.large_binary(),
            ),
            "headers": headers,
        }
    )


def stored(folder: Path, topic: str) -> int:
    """Bytes of the topic's segments. Their ends, set aside in advance, are no data and take no blocks."""
    return sum(f.stat().st_size for f in folder.rglob("*.log") if f.parent.name.startswith(f"{topic}-"))


def median_ms(log: KafkaLog, topic: str, size: int, times: int) -> float:
    """Milliseconds until so many records are acknowledged."""
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        log.produce(topic, [Record(b"x" * 80, b"%d" % n) for n in range(size)])
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1_000


def read_cpu(log: KafkaLog, topic: str, count: int) -> float:
    """Processor seconds to read a million of the records."""
    busy = time.process_time()
    offsets, got = dict.fromkeys(range(PARTITIONS), 0), 0
    while got < count:
        fetched = log.read(topic, offsets, timeout_ms=1_000)
        got += fetched.rows.num_rows
        offsets = fetched.next_offsets
    return (time.process_time() - busy) * 1e6 / got


def line(address: str, folder: Path, number: int, setting: str, rows: pa.Table) -> None:
    """Measure one setting."""
    log = KafkaLog(kafka_settings(f"kafka://{address}?{setting}"))
    topic = f"settings{number}"
    log.create_topic(TopicSpec(topic, PARTITIONS))
    log.produce(topic, [Record(b"x", b"k")])
    rates: list[float] = []
    busy = time.process_time()
    for at in range(0, rows.num_rows, TABLE):
        began = time.perf_counter()
        log.produce_table(topic, rows.slice(at, TABLE))
        rates.append(TABLE / (time.perf_counter() - began))
    busy = (time.process_time() - busy) * 1e6 / rows.num_rows
    size = stored(folder, topic) / rows.num_rows
    reading = min(read_cpu(log, topic, rows.num_rows) for _ in range(3))
    one, hundred = median_ms(log, topic, 1, 50), median_ms(log, topic, 100, 50)
    print(
        f"{setting or 'as it is':24} {statistics.median(rates):>10,.0f} {one:>8.1f} {hundred:>8.1f} {size:>8.0f} "
        f"{busy:>8.2f} {reading:>8.2f}",
        flush=True,
    )
    log.delete_topic(topic)
    log.close()


def main() -> int:
    """Print the table; 0 without a broker, saying so."""
    parser = argparse.ArgumentParser(description="The Kafka producer's settings, measured.")
    parser.add_argument("--short", action="store_true")
    chosen = parser.parse_args()
    try:
        broker.java()
        broker.jars()
    except ConfigError as error:
        print(f"skipped: {error}")
        return 0
    rows = orders(20_000 if chosen.short else 200_000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "broker"
        running = broker.start(folder, port=0)
        try:
            print(
                f"{'':24} {'records/s':>10} {'1: ms':>8} {'100: ms':>8} {'bytes':>8} {'write':>8} {'read':>8}"
            )
            for number, setting in enumerate(SHORT if chosen.short else LINES):
                line(f"127.0.0.1:{running.port}", folder, number, setting, rows)
        finally:
            broker.stop(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
