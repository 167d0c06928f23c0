"""Archive, retention and compaction of the embedded log: nothing is dropped that is not elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.adapters.logs import open_log
from hanse.adapters.sqlite_log import SqliteLog
from hanse.errors import HistoryLost, LogError
from hanse.log.archive import Archive
from hanse.log.archived import ArchivedLog
from hanse.log.retention import archive_topic, retain, retain_topic
from hanse.log.rows import now_ms
from hanse.ports.event_log import OffsetRange, Record, TopicSpec
from hanse.settings import Settings

DAY = 86_400_000


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ArchivedLog]:
    opened = cast(ArchivedLog, open_log(Settings(root=tmp_path, data=tmp_path, log="sqlite:?sync=normal")))
    yield opened
    opened.close()


def fill(log: ArchivedLog, topic: str, numbers: range, time: int = 1_000, batch: int = 10) -> None:
    for start in range(numbers.start, numbers.stop, batch):
        log.produce(
            topic,
            [
                Record(f"{n}".encode(), f"{n % 7}".encode(), (("n", b"%d" % n),), timestamp_ms=time + n)
                for n in range(start, min(start + batch, numbers.stop))
            ],
        )


def values(log: ArchivedLog, topic: str, max_records: int = 17) -> list[int]:
    """All values from the low marks on, partition by partition."""
    offsets = {p: r.low for p, r in log.ranges(topic).items()}
    rows: list[dict[str, Any]] = []
    while True:
        fetched = log.read(topic, offsets, max_records=max_records)
        assert fetched.rows.num_rows <= max_records
        for row in fetched.rows.to_pylist():
            assert row["offset"] >= offsets[row["partition"]], "no record comes twice"
            offsets[row["partition"]] = row["offset"] + 1
            rows.append(row)
        if fetched.rows.num_rows == 0:
            rows.sort(key=lambda r: (r["partition"], r["offset"]))
            return [int(r["value"]) for r in rows]
        assert all(fetched.next_offsets[p] >= o for p, o in offsets.items())
        offsets = fetched.next_offsets


def test_a_trimmed_log_reads_on_from_its_archive(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=3))
    fill(log, "a.t", range(200))
    before, whole = log.ranges("a.t"), values(log, "a.t")
    assert archive_topic(log, "a.t") == 200
    fill(log, "a.t", range(200, 260))
    full = values(log, "a.t")
    log.trim("a.t", {p: r.high - 3 for p, r in before.items()})
    assert log.log.ranges("a.t")[0].low > 0
    assert {p: r.low for p, r in log.ranges("a.t").items()} == {0: 0, 1: 0, 2: 0}
    assert values(log, "a.t") == full
    assert values(log, "a.t", max_records=100_000) == full
    assert sorted(whole + list(range(200, 260))) == sorted(full)
    assert log.holes("a.t") == {}
    assert {p: log.offsets_at("a.t", 0)[p] for p in range(3)} == {0: 0, 1: 0, 2: 0}


def test_offsets_by_time_are_those_of_the_whole_log(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=2))
    fill(log, "a.t", range(100))
    moments = range(990, 1_110, 7)
    expected = [log.offsets_at("a.t", m) for m in moments]
    archive_topic(log, "a.t")
    log.trim("a.t", {p: r.high // 2 for p, r in log.ranges("a.t").items()})
    assert [log.offsets_at("a.t", m) for m in moments] == expected


def test_without_an_archive_trimmed_records_are_a_hole(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1))
    fill(log, "a.t", range(50))
    log.trim("a.t", {0: 20})
    archive_topic(log, "a.t")
    log.trim("a.t", {0: 40})
    assert log.ranges("a.t") == {0: OffsetRange(20, 50)}
    assert log.holes("a.t") == {0: [OffsetRange(0, 20)]}
    with pytest.raises(HistoryLost, match="not in the archive"):
        log.read("a.t", {0: 5})
    assert values(log, "a.t") == list(range(20, 50))


def test_retention_by_time_drops_only_what_is_archived(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=2, retention_ms=10 * DAY))
    now = now_ms()
    fill(log, "a.t", range(100), time=now - 20 * DAY)
    fill(log, "a.t", range(100, 150), time=now - DAY)
    full = values(log, "a.t")
    kept = retain_topic(log, "a.t")
    assert (kept.archived, kept.dropped) == (100, 100)
    live = log.log.ranges("a.t")
    assert sum(r.high - r.low for r in live.values()) == 50
    assert values(log, "a.t") == full
    again = retain_topic(log, "a.t")
    assert (again.archived, again.dropped) == (0, 0)


def test_retention_by_bytes_keeps_the_newest(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1, retention_bytes=20_000))
    for n in range(20):
        log.produce("a.t", [Record(f"{n * 1000 + i:0100d}".encode()) for i in range(200)])
    full = values(log, "a.t", 10_000)
    retain(log)
    live = log.log.ranges("a.t")[0]
    assert 0 < live.low < live.high == 4_000
    assert values(log, "a.t", 10_000) == full


def test_a_full_disk_while_archiving_keeps_the_log(log: ArchivedLog, tmp_path: Path) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1, retention_ms=1))
    fill(log, "a.t", range(30))
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "a.t").write_text("a file where the folder should be")
    with pytest.raises(LogError, match="archive could not be written"):
        retain_topic(log, "a.t")
    assert log.log.ranges("a.t") == {0: OffsetRange(0, 30)}


def test_a_damaged_archive_file_is_noticed(log: ArchivedLog, tmp_path: Path) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1))
    fill(log, "a.t", range(100))
    archive_topic(log, "a.t")
    log.trim("a.t", {0: 100})
    (segment,) = Archive(tmp_path / "archive").segments(log.topic("a.t"), 0)
    content = bytearray(segment.path.read_bytes())
    content[len(content) // 2] ^= 1
    segment.path.write_bytes(content)
    with pytest.raises(LogError, match="damaged"):
        log.read("a.t", {0: 0})


def test_small_archive_files_are_merged(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1))
    for start in range(0, 100, 20):
        fill(log, "a.t", range(start, start + 20))
        archive_topic(log, "a.t")
    (segment,) = log.archive.segments(log.topic("a.t"), 0)
    assert (segment.first, segment.end) == (0, 100)
    log.trim("a.t", {0: 100})
    assert values(log, "a.t") == list(range(100))


def test_what_a_killed_archiving_left_is_swept(log: ArchivedLog, tmp_path: Path) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1))
    fill(log, "a.t", range(20))
    archive_topic(log, "a.t")
    (small,) = log.archive.segments(log.topic("a.t"), 0)
    copy = small.path.read_bytes()
    fill(log, "a.t", range(20, 40))
    archive_topic(log, "a.t")
    small.path.write_bytes(copy)
    (small.path.parent / ".40-60.tmp").write_bytes(b"half a file")
    assert [(s.first, s.end) for s in log.archive.segments(log.topic("a.t"), 0)] == [(0, 40)]
    fill(log, "a.t", range(40, 50))
    archive_topic(log, "a.t")
    assert [p.name[:41] for p in small.path.parent.iterdir()] == [f"{0:020d}-{50:020d}"]
    log.trim("a.t", {0: 50})
    assert values(log, "a.t") == list(range(50))


def test_a_deleted_topic_takes_its_archive_with_it(log: ArchivedLog) -> None:
    info = log.create_topic(TopicSpec("a.t", partitions=1))
    fill(log, "a.t", range(10))
    archive_topic(log, "a.t")
    log.delete_topic("a.t")
    assert log.archive.segments(info, 0) == []
    again = log.create_topic(TopicSpec("a.t", partitions=1))
    assert again.topic_id != info.topic_id
    assert log.ranges("a.t") == {0: OffsetRange(0, 0)}


def inner(log: ArchivedLog) -> SqliteLog:
    assert isinstance(log.log, SqliteLog)
    return log.log


@settings(max_examples=30, deadline=None)
@given(
    writes=st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 99)), max_size=8), max_size=12
    ),
    twice=st.booleans(),
)
def test_compaction_keeps_the_latest_of_each_key(
    tmp_path_factory: pytest.TempPathFactory, writes: list[list[tuple[int, int | None]]], twice: bool
) -> None:
    log = SqliteLog(tmp_path_factory.mktemp("log") / "log.db", sync="normal")
    log.create_topic(TopicSpec("a.s", partitions=2, cleanup="compact"))
    latest: dict[bytes, tuple[int, bytes | None]] = {}
    for batch in writes:
        records = [Record(None if v is None else b"%d" % v, b"%d" % k) for k, v in batch]
        places = log.produce("a.s", records)
        for record, (_, offset) in zip(records, places, strict=True):
            latest[record.key or b""] = (offset, record.value)
        if twice:
            log.compact("a.s")
    ends = log.ranges("a.s")
    log.compact("a.s")
    fetched = log.read("a.s", {0: 0, 1: 0})
    rows = {r["key"]: (r["offset"], r["value"]) for r in fetched.rows.to_pylist()}
    assert rows == latest
    assert fetched.rows.num_rows == len(latest)
    assert fetched.next_offsets == {p: r.high for p, r in ends.items()}
    for key, (offset, _) in latest.items():
        partition = next(p for p in (0, 1) if offset < ends[p].high and _reads(log, p, offset, key))
        assert partition in (0, 1)
    log.compact("a.s", grace_ms=-DAY)
    alive = {r["key"] for r in log.read("a.s", {0: 0, 1: 0}).rows.to_pylist()}
    assert alive == {k for k, (_, v) in latest.items() if v is not None}
    log.close()


def _reads(log: SqliteLog, partition: int, offset: int, key: bytes) -> bool:
    rows = log.read("a.s", {partition: offset}, max_records=1).rows.to_pylist()
    return bool(rows) and (rows[0]["offset"], rows[0]["key"]) == (offset, key)


def test_a_tombstone_stays_for_its_grace(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.s", partitions=1, cleanup="compact"))
    log.produce("a.s", [Record(b"v", b"k", timestamp_ms=1_000), Record(None, b"k", timestamp_ms=2_000)])
    assert retain_topic(log, "a.s").compacted == 1
    assert log.read("a.s", {0: 0}).rows.column("offset").to_pylist() == [1]
    assert retain_topic(log, "a.s", now=now_ms() + 2 * DAY).compacted == 1
    assert log.read("a.s", {0: 0}).next_offsets == {0: 2}
    assert log.produce("a.s", [Record(b"w", b"k")]) == [(0, 2)]


def test_upkeep_merges_single_appends_without_changing_them(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.t", partitions=1))
    fill(log, "a.t", range(300), batch=1)
    before = log.read("a.t", {0: 0}).rows
    inner(log).compact("a.t")
    with inner(log).writing() as con:
        assert con.execute("SELECT count(*) FROM batches").fetchone() == (1,)
    assert log.read("a.t", {0: 0}).rows.to_pylist() == before.to_pylist()


def test_compacting_while_others_write_and_read_loses_nothing(log: ArchivedLog) -> None:
    log.create_topic(TopicSpec("a.s", partitions=1, cleanup="compact"))
    stop = threading.Event()

    def compact() -> None:
        while not stop.is_set():
            inner(log).compact("a.s")

    pool = ThreadPoolExecutor(1)
    compacting = pool.submit(compact)
    newest: dict[bytes, bytes] = {}
    seen: dict[bytes, bytes] = {}
    offsets = {0: 0}
    for n in range(150):
        records = [Record(b"%d" % (n * 5 + i), b"%d" % ((n + i) % 11)) for i in range(5)]
        log.produce("a.s", records)
        newest |= {r.key or b"": r.value or b"" for r in records}
        if n % 10 == 9:
            fetched = log.read("a.s", offsets)
            offsets = fetched.next_offsets
            seen |= {r["key"]: r["value"] for r in fetched.rows.to_pylist()}
    stop.set()
    compacting.result(timeout=20)
    pool.shutdown()
    assert seen == newest
