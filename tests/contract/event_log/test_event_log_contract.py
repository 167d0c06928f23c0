"""What every event log does, whichever adapter it is."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.errors import HistoryLost, LogError, TopicDrift, UnknownTopic
from hanse.log.partitioner import partition_of
from hanse.log.retention import archive_topic
from hanse.ports.event_log import RECORDS, EventLog, OffsetRange, Record, TopicSpec

WRITER = Path(__file__).parents[2] / "helpers" / "event_log_process.py"

Make = Callable[..., str]


def starts(log: EventLog, topic: str) -> dict[int, int]:
    return {p: r.low for p, r in log.ranges(topic).items()}


def everything(
    log: EventLog, topic: str, offsets: dict[int, int] | None = None, **options: Any
) -> list[dict[str, Any]]:
    """All records from the offsets (else from the start) to the end, by repeated reads."""
    offsets = starts(log, topic) if offsets is None else offsets
    ends = {p: r.high for p, r in log.ranges(topic).items() if p in offsets}
    rows: list[dict[str, Any]] = []
    for _ in range(10_000):
        if all(offsets[p] >= end for p, end in ends.items()):
            return rows
        fetched = log.read(topic, offsets, timeout_ms=2_000, **options)
        rows += fetched.rows.to_pylist()
        offsets = fetched.next_offsets
    raise AssertionError(f"reading does not come to the end: {offsets}, {ends}")


def test_a_topic_is_made_once_and_described(log: EventLog, make: Make) -> None:
    name = make(partitions=3)
    info = log.topic(name)
    assert info.spec == TopicSpec(name, partitions=3)
    assert info.topic_id
    assert log.create_topic(TopicSpec(name, partitions=3)) == info
    assert info in log.topics()
    assert [i.spec.name for i in log.topics()] == sorted(i.spec.name for i in log.topics())
    assert log.ranges(name) == {p: OffsetRange(0, 0) for p in range(3)}


def test_a_topics_settings_come_back(log: EventLog, make: Make) -> None:
    name = make(partitions=1, cleanup="compact")
    assert log.topic(name).spec == TopicSpec(name, partitions=1, cleanup="compact")
    name = make(partitions=2, retention_ms=86_400_000, retention_bytes=1_000_000)
    assert log.topic(name).spec == TopicSpec(name, 2, "delete", 86_400_000, 1_000_000)


@pytest.mark.parametrize(
    "other",
    [{"partitions": 5}, {"cleanup": "compact"}, {"retention_ms": 1_000_000}, {"retention_bytes": 1_000_000}],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_are_drift(log: EventLog, make: Make, other: dict[str, Any]) -> None:
    name = make(partitions=4)
    with pytest.raises(TopicDrift, match=name):
        log.create_topic(TopicSpec(name, **{"partitions": 4, **other}))


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250])
def test_a_bad_topic_name_is_refused(log: EventLog, name: str) -> None:
    with pytest.raises(LogError, match="name"):
        log.create_topic(TopicSpec(name))


@pytest.mark.parametrize("partitions", [0, -1, 10_001])
def test_a_bad_number_of_partitions_is_refused(log: EventLog, partitions: int) -> None:
    with pytest.raises(LogError, match="partitions"):
        log.create_topic(TopicSpec("suite.bad_partitions", partitions))


def test_an_unknown_topic_is_named_by_every_call(log: EventLog) -> None:
    calls: list[Callable[[], object]] = [
        lambda: log.topic("suite.nowhere"),
        lambda: log.delete_topic("suite.nowhere"),
        lambda: log.produce("suite.nowhere", [Record(b"v")]),
        lambda: log.produce_table("suite.nowhere", pa.table({"key": ["k"], "value": ["v"]})),
        lambda: log.read("suite.nowhere", {0: 0}),
        lambda: log.ranges("suite.nowhere"),
        lambda: log.offsets_at("suite.nowhere", 0),
        lambda: log.trim("suite.nowhere", {0: 0}),
    ]
    for call in calls:
        with pytest.raises(UnknownTopic, match=r"suite\.nowhere"):
            call()


def test_every_part_of_a_record_comes_back(log: EventLog, make: Make) -> None:
    name = make(partitions=1)
    records = [
        Record(b"value", b"key", (("a", b"1"), ("a", b"2"), ("b", b"")), timestamp_ms=1_700_000_000_123),
        Record(None, b"tombstone", timestamp_ms=1_700_000_000_000),
        Record(b"", b"", timestamp_ms=1_600_000_000_000),
        Record(bytes(range(256)), None, (("bin\u00e4r", bytes(range(256))),), timestamp_ms=1),
    ]
    assert log.produce(name, records) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    fetched = log.read(name, {0: 0}, timeout_ms=5_000)
    assert fetched.rows.schema == RECORDS
    assert fetched.next_offsets == {0: 4}
    for offset, (row, sent) in enumerate(zip(fetched.rows.to_pylist(), records, strict=True)):
        assert (row["partition"], row["offset"]) == (0, offset)
        assert (row["key"], row["value"]) == (sent.key, sent.value)
        assert tuple((h["name"], h["value"]) for h in row["headers"]) == sent.headers
        assert round(row["timestamp"].timestamp() * 1_000) == sent.timestamp_ms


def test_a_record_without_time_gets_the_present(log: EventLog, make: Make) -> None:
    name = make(partitions=1)
    before = time.time()
    log.produce(name, [Record(b"now")])
    (row,) = everything(log, name)
    assert before - 0.002 <= row["timestamp"].timestamp() <= time.time()


def test_nothing_to_produce_is_nothing(log: EventLog, make: Make) -> None:
    name = make()
    assert log.produce(name, []) == []
    assert (
        log.produce_table(
            name, pa.table({"key": pa.array([], pa.binary()), "value": pa.array([], pa.binary())})
        )
        == {}
    )
    assert log.read(name, starts(log, name)).rows.num_rows == 0
    assert log.read(name, {}).rows.num_rows == 0


header_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
records_drawn = st.lists(
    st.builds(
        Record,
        value=st.none() | st.binary(max_size=40),
        key=st.none() | st.binary(max_size=12),
        headers=st.lists(st.tuples(header_names, st.binary(max_size=5)), max_size=3).map(tuple),
        timestamp_ms=st.integers(1, 4_102_444_800_000),
        partition=st.none() | st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=records_drawn, step=st.integers(1, 50))
def test_what_is_produced_is_what_is_read(
    log: EventLog, make: Make, records: list[Record], step: int
) -> None:
    name = _shared_topic(log, make)
    before = {p: r.high for p, r in log.ranges(name).items()}
    places = log.produce(name, records)
    rows = {(r["partition"], r["offset"]): r for r in everything(log, name, before, max_records=step)}
    assert len(rows) == len(records) == len(set(places))
    following = dict(before)
    for (partition, offset), record in zip(places, records, strict=True):
        assert offset >= following[partition], "a partition keeps the order of production"
        following[partition] = offset + 1
        row = rows[partition, offset]
        assert (row["key"], row["value"]) == (record.key, record.value)
        assert tuple((h["name"], h["value"]) for h in row["headers"]) == record.headers
        if record.partition is not None:
            assert partition == record.partition
        elif record.key is not None:
            assert partition == partition_of(record.key, 4)


_topics: dict[int, str] = {}


def _shared_topic(log: EventLog, make: Make) -> str:
    """One topic for all examples of a test."""
    if id(make) not in _topics:
        _topics.clear()
        _topics[id(make)] = make(partitions=4)
    return _topics[id(make)]


def test_records_without_key_reach_every_partition(log: EventLog, make: Make) -> None:
    name = make(partitions=4)
    reached = {log.produce(name, [Record(b"x")])[0][0] for _ in range(16)}
    assert reached == {0, 1, 2, 3}


@pytest.mark.parametrize("partition", [4, -1])
def test_a_partition_that_is_not_there_is_refused(log: EventLog, make: Make, partition: int) -> None:
    name = make(partitions=4)
    with pytest.raises(LogError, match="partition"):
        log.produce(name, [Record(b"good"), Record(b"bad", partition=partition)])
    assert everything(log, name) == []
    with pytest.raises(LogError, match="partition"):
        log.read(name, {partition: 0})


def test_a_table_is_produced_as_its_records_would_be(log: EventLog, make: Make) -> None:
    one, other = make(partitions=4), make(partitions=4)
    keys = [None if n % 10 == 0 else f"k{n % 31}".encode() for n in range(500)]
    values = [None if n % 7 == 0 else f"v{n}".encode() for n in range(500)]
    headers = [[("n", str(n).encode())] * (n % 3) for n in range(500)]
    partitions = [n % 4 if keys[n] is None else None for n in range(500)]
    log.produce(
        one,
        [
            Record(v, k, tuple(h), timestamp_ms=1_000 + n, partition=p)
            for n, (v, k, h, p) in enumerate(zip(values, keys, headers, partitions, strict=True))
        ],
    )
    ranges = log.produce_table(
        other,
        pa.table(
            {
                "value": pa.array(values, pa.binary()),
                "key": pa.array(keys, pa.large_binary()),
                "headers": pa.array(
                    [[{"name": n, "value": v} for n, v in h] for h in headers], RECORDS.field("headers").type
                ),
                "timestamp": pa.array([1_000 + n for n in range(500)], pa.timestamp("ms", tz="UTC")),
                "partition": pa.array(partitions, pa.int32()),
            }
        ),
    )
    by_place = lambda r: (r["partition"], r["offset"])  # noqa: E731
    assert sorted(everything(log, one), key=by_place) == sorted(everything(log, other), key=by_place)
    assert ranges == log.ranges(other) == log.ranges(one)


def test_a_table_of_strings_needs_no_more_than_key_and_value(log: EventLog, make: Make) -> None:
    name = make(partitions=1)
    log.produce_table(name, pa.table({"key": ["a", None], "value": ["x", None]}))
    rows = everything(log, name)
    assert [(r["key"], r["value"], r["headers"]) for r in rows] == [(b"a", b"x", []), (None, None, [])]


@pytest.mark.parametrize(
    "columns",
    [{"key": ["a"]}, {"key": ["a"], "value": ["b"], "other": [1]}, {"key": [1.5], "value": ["b"]}],
    ids=["no value", "one too many", "wrong type"],
)
def test_a_table_of_another_shape_is_refused(
    log: EventLog, make: Make, columns: dict[str, list[Any]]
) -> None:
    name = make()
    with pytest.raises(LogError, match="table"):
        log.produce_table(name, pa.table(columns))


def test_a_record_that_is_too_large_is_refused_and_nothing_is_stored(log: EventLog, make: Make) -> None:
    name = make(partitions=1)
    log.produce(name, [Record(bytes(4_000_000), b"large but fine")])
    with pytest.raises(LogError, match="too large"):
        log.produce(name, [Record(b"small"), Record(bytes(9_000_000))])
    assert [len(r["value"]) for r in everything(log, name)] == [4_000_000]


@pytest.mark.parametrize(
    "bad",
    [Record(b"v", timestamp_ms=0), Record(b"v", timestamp_ms=-5), Record(b"v", headers=(("a\0b", b""),))],
    ids=["time zero", "before 1970", "NUL in a header"],
)
def test_what_cannot_be_kept_as_it_is_is_refused(log: EventLog, make: Make, bad: Record) -> None:
    name = make(partitions=1)
    with pytest.raises(LogError, match="record's"):
        log.produce(name, [Record(b"good"), bad])
    assert everything(log, name) == []


def test_a_compacted_topic_refuses_a_record_without_key(log: EventLog, make: Make) -> None:
    name = make(partitions=1, cleanup="compact")
    with pytest.raises(LogError, match="key"):
        log.produce(name, [Record(b"v", b"k"), Record(b"w")])
    assert everything(log, name) == []


def test_reading_is_bounded_and_goes_on_where_it_stopped(log: EventLog, make: Make) -> None:
    name = make(partitions=3)
    for start in range(0, 3_000, 500):
        log.produce(name, [Record(f"{n}".encode(), f"{n % 50}".encode()) for n in range(start, start + 500)])
    offsets, seen = starts(log, name), Counter[bytes]()
    while True:
        fetched = log.read(name, offsets, max_records=137, timeout_ms=300)
        assert fetched.rows.num_rows <= 137
        if fetched.rows.num_rows == 0:
            break
        for row in fetched.rows.to_pylist():
            assert row["offset"] >= offsets[row["partition"]]
            offsets[row["partition"]] = row["offset"] + 1
            seen[row["value"]] += 1
        assert fetched.next_offsets == offsets
    assert seen == Counter(f"{n}".encode() for n in range(3_000))


def test_reading_is_fair_over_partitions(log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    log.produce(name, [Record(b"x" * 20, partition=0) for _ in range(5_000)])
    log.produce(name, [Record(b"y", partition=1) for _ in range(10)])
    offsets, turns = starts(log, name), 0
    while offsets[1] < 10:
        offsets = log.read(name, offsets, max_records=100, timeout_ms=2_000).next_offsets
        turns += 1
    assert turns <= 30, "a long partition must not hold back a short one"
    assert offsets[0] < 5_000


def test_only_the_partitions_asked_for_are_read(log: EventLog, make: Make) -> None:
    name = make(partitions=3)
    log.produce(name, [Record(b"x", partition=n % 3) for n in range(30)])
    fetched = log.read(name, {1: 4}, timeout_ms=2_000)
    assert set(fetched.rows.column("partition").to_pylist()) == {1}
    assert fetched.rows.column("offset").to_pylist() == [4, 5, 6, 7, 8, 9]
    assert fetched.next_offsets == {1: 10}


def test_a_read_at_the_end_returns_at_once_or_waits_its_time(log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    log.produce(name, [Record(b"x", partition=0)])
    log.read(name, {0: 0}, timeout_ms=5_000)
    began, busy = time.monotonic(), time.process_time()
    fetched = log.read(name, {0: 1, 1: 0}, timeout_ms=700)
    took, worked = time.monotonic() - began, time.process_time() - busy
    assert fetched.rows.num_rows == 0
    assert fetched.next_offsets == {0: 1, 1: 0}
    assert 0.6 <= took < 5.0
    assert worked < 0.35, "waiting must not be a busy loop"
    began = time.monotonic()
    log.read(name, {0: 1, 1: 0})
    assert time.monotonic() - began < 2.0


def test_a_read_without_waiting_sees_all_that_was_produced_before(
    place: Any, log: EventLog, make: Make
) -> None:
    name = make(partitions=2)
    other, offsets = place.open(), {0: 0, 1: 0}
    for turn in range(5):
        other.produce(name, [Record(b"%d" % turn, partition=turn % 2)])
        fetched = log.read(name, offsets)
        assert fetched.rows.column("value").to_pylist() == [b"%d" % turn]
        offsets = fetched.next_offsets
        time.sleep(0.05 * (turn % 2))
    other.close()


def test_a_waiting_read_wakes_when_another_handle_writes(place: Any, log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    log.produce(name, [Record(b"warm", partition=0)])
    log.read(name, {0: 0, 1: 0}, timeout_ms=5_000)
    other = place.open()
    other.produce(name, [Record(b"warm too", partition=0)])

    def later() -> None:
        time.sleep(0.3)
        other.produce(name, [Record(b"news", partition=1)])

    writer = threading.Thread(target=later)
    began = time.monotonic()
    writer.start()
    fetched = log.read(name, {0: 2, 1: 0}, timeout_ms=10_000)
    took = time.monotonic() - began
    writer.join()
    other.close()
    assert fetched.rows.column("value").to_pylist() == [b"news"]
    assert took < 6.0


@pytest.mark.parametrize("offset", [6, 1_000_000, -1])
def test_an_offset_outside_the_log_is_history_lost(log: EventLog, make: Make, offset: int) -> None:
    name = make(partitions=1)
    log.produce(name, [Record(b"x")] * 5)
    assert log.read(name, {0: 5}).next_offsets == {0: 5}
    with pytest.raises(HistoryLost, match="log"):
        log.read(name, {0: offset}, timeout_ms=500)


def test_trimmed_records_are_gone_and_reading_them_is_history_lost(log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    log.produce(name, [Record(f"{n}".encode(), partition=0) for n in range(20)])
    assert log.trim(name, {0: 12}) == {0: OffsetRange(12, 20), 1: OffsetRange(0, 0)}
    assert log.ranges(name)[0] == OffsetRange(12, 20)
    with pytest.raises(HistoryLost, match="gone"):
        log.read(name, {0: 11}, timeout_ms=500)
    assert [r["value"] for r in everything(log, name)] == [f"{n}".encode() for n in range(12, 20)]
    assert log.trim(name, {0: 5})[0] == OffsetRange(12, 20), "trimming never brings records back"
    with pytest.raises(HistoryLost):
        log.trim(name, {0: 21})
    assert log.trim(name, {0: 20})[0] == OffsetRange(20, 20)
    assert log.produce(name, [Record(b"next", partition=0)]) == [(0, 20)]


def test_a_topic_made_again_is_another_topic(place: Any, log: EventLog, make: Make) -> None:
    name = make(partitions=1)
    old = log.topic(name)
    log.produce(name, [Record(b"old")] * 3)
    other = place.open()
    assert len(everything(other, name)) == 3
    log.delete_topic(name)
    with pytest.raises(UnknownTopic):
        log.topic(name)
    new = log.create_topic(old.spec)
    assert new.topic_id != old.topic_id
    for handle in (log, other):
        assert handle.read(name, {0: 0}, topic_id=new.topic_id).rows.num_rows == 0
        with pytest.raises(HistoryLost, match="made again"):
            handle.read(name, {0: 0}, topic_id=old.topic_id)
        with pytest.raises(HistoryLost):
            handle.read(name, {0: 3}, timeout_ms=500)
    assert other.produce(name, [Record(b"new")]) == [(0, 0)]
    assert [r["value"] for r in everything(log, name)] == [b"new"]
    other.close()


def test_archived_records_are_read_after_a_trim(place: Any, log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    log.produce(
        name, [Record(f"{n}".encode(), f"{n % 9}".encode(), timestamp_ms=1_000 + n) for n in range(60)]
    )
    whole, ends = everything(log, name), {p: r.high for p, r in log.ranges(name).items()}
    assert archive_topic(log, name) == 60
    log.produce(name, [Record(b"later", partition=1)])
    assert log.trim(name, {0: ends[0], 1: ends[1] // 2})[0] == OffsetRange(0, ends[0])
    other = place.open()
    for handle in (log, other):
        rows = everything(handle, name, {0: 0, 1: 0}, max_records=11)
        by_place = sorted(rows, key=lambda r: (r["partition"], r["offset"]))
        assert [r for r in by_place if r["value"] != b"later"] == sorted(
            whole, key=lambda r: (r["partition"], r["offset"])
        )
        assert len(rows) == 61
        assert handle.offsets_at(name, 1_000)[0] == 0
    other.close()


def test_offsets_are_found_by_time(log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    times = [1_000, 3_000, 2_000, 5_000, 4_000]
    base = 1_700_000_000_000
    for t in times:
        log.produce(name, [Record(b"x", partition=0, timestamp_ms=base + t)])
    assert log.offsets_at(name, base) == {0: 0, 1: 0}
    assert log.offsets_at(name, base + 1_001)[0] == 1
    assert log.offsets_at(name, base + 3_000)[0] == 1
    assert log.offsets_at(name, base + 3_001)[0] == 3
    assert log.offsets_at(name, base + 5_001) == {0: 5, 1: 0}
    log.trim(name, {0: 2})
    assert log.offsets_at(name, base)[0] == 2


def test_a_closed_log_refuses(place: Any, make: Make) -> None:
    name = make(partitions=1)
    handle = place.open()
    handle.produce(name, [Record(b"x")])
    handle.close()
    handle.close()
    with pytest.raises(LogError, match="closed"):
        handle.produce(name, [Record(b"x")])
    with pytest.raises(LogError, match="closed"):
        handle.read(name, {0: 0})


def test_threads_produce_together(log: EventLog, make: Make) -> None:
    name = make(partitions=2)
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def write(thread: int) -> None:
        for n in range(40):
            places[thread] += log.produce(name, [Record(f"{thread}-{n}".encode(), b"%d" % (n % 5))])

    threads = [threading.Thread(target=write, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = {(r["partition"], r["offset"]): r["value"] for r in everything(log, name)}
    assert len(rows) == 320
    for thread, got in places.items():
        assert [rows[place] for place in got] == [f"{thread}-{n}".encode() for n in range(40)]


def _start(place: Any, topic: str, name: str, batches: int, size: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        str(WRITER),
        str(place.root),
        place.address,
        topic,
        name,
        str(batches),
        str(size),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_while_a_third_reads(place: Any, log: EventLog, make: Make) -> None:
    name = make(partitions=3)
    writers = [_start(place, name, who, 30, 40) for who in ("one", "two")]
    offsets, order = starts(log, name), defaultdict[tuple[str, int], list[int]](list)
    deadline, count = time.monotonic() + 40, 0
    while count < 2_400 and time.monotonic() < deadline:
        fetched = log.read(name, offsets, timeout_ms=200)
        offsets = fetched.next_offsets
        for row in fetched.rows.to_pylist():
            who, number = row["value"].decode().split("-")
            order[who, row["partition"]].append(int(number))
        count += fetched.rows.num_rows
    assert [w.wait(timeout=20) for w in writers] == [0, 0]
    for w in writers:
        assert w.stdout is not None
        w.stdout.close()
    assert count == 2_400
    assert all(numbers == sorted(numbers) for numbers in order.values())
    for who in ("one", "two"):
        assert sorted(n for (w, _), ns in order.items() if w == who for n in ns) == list(range(1_200))


@pytest.mark.parametrize("after", [2, pytest.param(7, marks=pytest.mark.slow), 23])
def test_a_killed_producer_loses_nothing_acknowledged_and_doubles_nothing(
    place: Any, log: EventLog, make: Make, after: int
) -> None:
    name = make(partitions=2)
    writer = _start(place, name, "killed", 0, 50)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(after)][-1]
    writer.kill()
    rest = writer.stdout.read().split()
    writer.stdout.close()
    writer.wait(timeout=10)
    acknowledged = int(rest[-1]) if rest else acknowledged
    time.sleep(0.2)
    numbers = sorted(int(r["value"].decode().split("-")[1]) for r in everything(log, name))
    assert len(numbers) == len(set(numbers))
    assert set(range(acknowledged + 1)) <= set(numbers)
    assert numbers[-1] <= acknowledged + 50, "at most the batch in flight is there beyond"
    assert log.produce(name, [Record(b"killed--1", b"k")]), "the log goes on"
