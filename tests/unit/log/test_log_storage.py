"""The embedded log's file under bad luck: full disks, foreign files, flipped bits."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hanse.adapters.logs import open_log
from hanse.adapters.sqlite_log import SqliteLog
from hanse.errors import ConfigError, LogError
from hanse.ports.event_log import Record, TopicSpec
from hanse.settings import Settings

PAYLOAD = [
    Record(bytes((n * 7 + i * 13) % 251 for i in range(64)) + n.to_bytes(4, "big")) for n in range(500)
]


def count(log: SqliteLog, topic: str) -> int:
    fetched = log.read(topic, {p: r.low for p, r in log.ranges(topic).items()}, max_records=1_000_000)
    return fetched.rows.num_rows


def test_a_log_at_its_limit_says_so_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db", max_bytes=400_000)
    log.create_topic(TopicSpec("a.t", partitions=2))
    stored = 0
    with pytest.raises(LogError, match="full"):
        for _ in range(200):
            log.produce("a.t", [Record(r.value, bytes([i % 251])) for i, r in enumerate(PAYLOAD)])
            stored += len(PAYLOAD)
    assert 0 < stored == count(log, "a.t")
    log.trim("a.t", {p: r.high for p, r in log.ranges("a.t").items()})
    log.reclaim()
    log.produce("a.t", PAYLOAD)
    assert count(log, "a.t") == len(PAYLOAD)
    log.close()


FULL_DISK = """
import os, resource, sys
from pathlib import Path
from hanse.adapters.sqlite_log import SqliteLog
from hanse.errors import LogError
from hanse.ports.event_log import Record, TopicSpec
log = SqliteLog(Path(sys.argv[1]))
log.create_topic(TopicSpec("a.t", partitions=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
stored = 0
try:
    while True:
        log.produce("a.t", [Record(os.urandom(100)) for _ in range(200)])
        stored += 200
except LogError as error:
    print(stored, type(error).__name__, str(error).splitlines()[0])
"""


def test_a_file_that_cannot_grow_is_one_clear_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "log.db")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    stored, kind, *message = done.stdout.split()
    assert kind == "LogError"
    assert "nothing of this batch was stored" in " ".join(message)
    log = SqliteLog(tmp_path / "log.db")
    assert count(log, "a.t") == int(stored) > 0
    log.produce("a.t", [Record(b"goes on")])
    log.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"PK\x03\x04"], ids=["text", "short"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.db").write_bytes(content)
    with pytest.raises(LogError, match="log"):
        SqliteLog(tmp_path / "log.db")
    assert (tmp_path / "log.db").read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    con = sqlite3.connect(tmp_path / "log.db")
    con.execute("CREATE TABLE mine (x)")
    con.close()
    with pytest.raises(LogError, match="not an event log"):
        SqliteLog(tmp_path / "log.db")
    con = sqlite3.connect(tmp_path / "log.db")
    assert [r[0] for r in con.execute("SELECT name FROM sqlite_master")] == ["mine"]
    con.close()


@pytest.mark.parametrize("value", [b"x" * 50, b"x" * 5_000], ids=["raw", "compressed"])
def test_a_flipped_bit_is_noticed(tmp_path: Path, value: bytes) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.create_topic(TopicSpec("a.t", partitions=1))
    log.produce("a.t", [Record(value)])
    with log.writing() as con:
        (data,) = con.execute("SELECT data FROM batches").fetchone()
        broken = bytearray(data)
        broken[len(broken) // 2] ^= 16
        con.execute("UPDATE batches SET data = ?", (bytes(broken),))
    with pytest.raises(LogError, match="damaged"):
        log.read("a.t", {0: 0})
    log.close()


@pytest.mark.parametrize(
    "address", ["mysql://x", "sqlite:?sync=never", "sqlite:?max_bytes=lots", "sqlite:?x=1", ""]
)
def test_an_address_that_means_nothing_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="log"):
        open_log(Settings(root=tmp_path, data=tmp_path, log=address))


def test_a_writer_that_holds_the_log_is_named(tmp_path: Path) -> None:
    one = SqliteLog(tmp_path / "log.db")
    other = SqliteLog(tmp_path / "log.db", lock_timeout_s=0.2)
    one.create_topic(TopicSpec("a.t", partitions=1))
    with one.writing(), pytest.raises(LogError, match="holds the event log"):
        other.produce("a.t", [Record(b"x")])
    assert other.produce("a.t", [Record(b"x")]) == [(0, 0)]
    one.close()
    other.close()


def test_a_deletion_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.create_topic(TopicSpec("a.t", partitions=1))
    log.produce("a.t", PAYLOAD)
    with log.writing() as con:
        con.execute("DELETE FROM topics")
    log.reclaim()
    with log.writing() as con:
        assert con.execute("SELECT count(*) FROM batches").fetchone() == (0,)
    log.close()
