"""The broker without Docker, and the Kafka adapter when things go wrong around it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from hanse.adapters.kafka import broker
from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.cli.kafka import app
from hanse.errors import HistoryLost, LogError
from hanse.ports.event_log import OffsetRange, Record, TopicSpec

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["confluent", "columnar"])
def log(kafka_address: str, request: pytest.FixtureRequest) -> Iterator[KafkaLog]:
    opened = KafkaLog(kafka_settings(f"{kafka_address}?reader={request.param}"))
    yield opened
    opened.close()


def test_the_command_starts_reports_and_stops_a_broker_that_keeps_its_data(
    kafka_address: str, tmp_path: Path
) -> None:
    folder = ["--folder", str(tmp_path / "broker")]
    runner = CliRunner()
    assert runner.invoke(app, ["status", *folder]).exit_code == 3
    assert "No broker was running" in runner.invoke(app, ["stop", *folder]).output
    started = runner.invoke(app, ["start", "--port", "0", *folder], catch_exceptions=False)
    assert started.exit_code == 0
    running = broker.status(tmp_path / "broker")
    assert running is not None
    try:
        assert running.address in started.output
        assert running.address in runner.invoke(app, ["status", *folder]).output
        with pytest.raises(LogError, match="runs there already"):
            broker.start(tmp_path / "broker")
        with pytest.raises(LogError, match="in use"):
            broker.start(tmp_path / "other", running.port)
        _outage(running)
    finally:
        assert "Stopped." in runner.invoke(app, ["stop", *folder]).output
    assert broker.status(tmp_path / "broker") is None


def _outage(running: broker.Running) -> None:
    """The broker goes away and comes back: readers and writers ride it through."""
    folder = Path(running.folder)
    log = KafkaLog(kafka_settings(f"{running.address}?reader=confluent"))
    other = KafkaLog(kafka_settings(f"{running.address}?reader=columnar"))
    log.create_topic(TopicSpec("outage.t", partitions=2))
    log.produce("outage.t", [Record(b"before", partition=0)])
    offsets = log.read("outage.t", {0: 0, 1: 0}, timeout_ms=5_000).next_offsets
    assert offsets == {0: 1, 1: 0}
    assert other.read("outage.t", {0: 0, 1: 0}, timeout_ms=5_000).next_offsets == offsets
    broker.stop(folder)
    for reader in (log, other):
        began = time.monotonic()
        assert reader.read("outage.t", offsets, timeout_ms=300).rows.num_rows == 0
        assert time.monotonic() - began < 15
    places: list[tuple[int, int]] = []
    writer = threading.Thread(
        target=lambda: places.extend(log.produce("outage.t", [Record(b"during", partition=1)]))
    )
    writer.start()
    broker.start(folder, running.port, brief=True)
    writer.join(timeout=60)
    assert places == [(1, 0)]
    for reader in (log, other):
        fetched = reader.read("outage.t", offsets, timeout_ms=30_000)
        assert fetched.rows.column("value").to_pylist() == [b"during"]
        reader.close()


def test_a_reader_behind_a_retention_is_told(log: KafkaLog) -> None:
    log.create_topic(TopicSpec("behind.t", partitions=1))
    log.produce("behind.t", [Record(b"%d" % n) for n in range(100)])
    log.trim("behind.t", {0: 50})
    with pytest.raises(HistoryLost, match="gone"):
        log.read("behind.t", {0: 10})
    assert log.read("behind.t", {0: 50}, max_records=10, timeout_ms=5_000).next_offsets == {0: 60}
    log.delete_topic("behind.t")


def test_offsets_of_transactions_are_gaps_and_aborted_records_are_not_read(
    log: KafkaLog, kafka_address: str
) -> None:
    topic = f"transactions.{log.settings.reader}"
    log.create_topic(TopicSpec(topic, partitions=1))
    producer = Producer(
        {"bootstrap.servers": kafka_address.removeprefix("kafka://"), "transactional.id": topic}
    )
    producer.init_transactions(60)
    for number, commit in enumerate([True, False, True, False]):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(topic, b"%d" % number)
        producer.flush(30)
        if commit:
            producer.commit_transaction(60)
        else:
            producer.abort_transaction(60)
    producer.close()
    end = 16  # twelve records and a marker for each transaction
    deadline = time.monotonic() + 20
    while log.ranges(topic)[0].high < end and time.monotonic() < deadline:
        time.sleep(0.05)  # the broker writes the last marker after it has answered the producer
    assert log.ranges(topic) == {0: OffsetRange(0, end)}
    offsets, values = {0: 0}, list[bytes]()
    while offsets != {0: end} and time.monotonic() < deadline:
        fetched = log.read(topic, offsets, max_records=2)
        values += fetched.rows.column("value").to_pylist()
        offsets = fetched.next_offsets
    assert offsets == {0: end}
    assert values == [b"0"] * 3 + [b"2"] * 3
    assert log.read(topic, {0: end}).rows.num_rows == 0
    log.delete_topic(topic)


def test_java_puts_keys_where_we_do(log: KafkaLog, kafka_address: str) -> None:
    """librdkafka's murmur2 partitioner is documented as Java's; ours must agree with it."""
    log.create_topic(TopicSpec("murmur.t", partitions=7))
    other = Producer({"bootstrap.servers": kafka_address.removeprefix("kafka://"), "partitioner": "murmur2"})
    keys = [b"%d" % n for n in range(200)] + [b"x" * n for n in range(40)]
    for key in keys:
        other.produce("murmur.t", key, key)
    other.flush(30)
    other.close()
    ours = dict(zip(keys, (p for p, _ in log.produce("murmur.t", [Record(k, k) for k in keys])), strict=True))
    offsets, theirs = dict.fromkeys(range(7), 0), dict[bytes, int]()
    while len(theirs) < len(ours):
        fetched = log.read("murmur.t", offsets, timeout_ms=5_000)
        offsets = fetched.next_offsets
        for row in fetched.rows.to_pylist():
            assert theirs.setdefault(row["key"], row["partition"]) == row["partition"]
    assert theirs == ours
    log.delete_topic("murmur.t")
