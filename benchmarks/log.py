"""Rates of the embedded event log, beside a bare SQLite table and a bare file, in the same run.

    python benchmarks/log.py            # 1,000,000 records a line
    python benchmarks/log.py --short    # 100,000, for CI
    python benchmarks/log.py --strict   # fails when a rate misses its target

The bare forms store the very Arrow batches that the log stores, a batch a row or a write, flushed to
the disk as often, without topics, partitions, offsets, checks or readers in other processes.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from hanse.adapters.sqlite_log import SqliteLog
from hanse.ports.event_log import Record, TopicSpec

TARGET = {"produce": 100_000, "produce_table": 100_000, "read": 500_000}
"""On a busy machine, where the bare table is slow too, this share of its rate is enough."""
PARTITIONS = 4


def records(count: int) -> list[Record]:
    """Events of about 100 bytes with keys, values that compress little."""
    noise = np.random.default_rng(7).integers(0, 256, size=count * 50, dtype=np.uint8).tobytes()
    return [
        Record(
            b'{"order_id":"%012d","noise":"' % n + noise[n * 50 : n * 50 + 50] + b'"}',
            b"customer-%07d" % (n % 99_991),
        )
        for n in range(count)
    ]


def timed(work: Callable[[], object], count: int) -> float:
    """Records a second."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def bare_sqlite(path: Path, blobs: list[bytes]) -> None:
    """A row per batch, one flushed transaction each."""
    con = sqlite3.connect(path, isolation_level=None)
    con.execute("PRAGMA journal_mode=WAL")
    con.execute("PRAGMA synchronous=FULL")
    con.execute("PRAGMA wal_autocheckpoint=4000")
    con.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, data BLOB)")
    for blob in blobs:
        con.execute("BEGIN IMMEDIATE")
        con.execute("INSERT INTO batches (data) VALUES (?)", (blob,))
        con.execute("COMMIT")
    con.close()


def bare_file(path: Path, blobs: list[bytes]) -> None:
    """A segment file, flushed after each batch."""
    with path.open("wb", buffering=0) as file:
        for blob in blobs:
            file.write(blob)
            os.fdatasync(file.fileno())


def read_all(log: SqliteLog, topic: str) -> int:
    """Rows of the topic, by reads of 100,000."""
    offsets, rows = dict.fromkeys(range(PARTITIONS), 0), 0
    while True:
        fetched = log.read(topic, offsets, max_records=100_000)
        if fetched.rows.num_rows == 0:
            return rows
        rows += fetched.rows.num_rows
        offsets = fetched.next_offsets


def run(count: int, batch: int, folder: Path) -> dict[str, float]:
    """One line: rates of the log and of the bare forms for batches of so many records."""
    made = records(count)
    table = pa.table(
        {
            "key": pa.array([r.key for r in made], pa.large_binary()),
            "value": pa.array([r.value for r in made], pa.large_binary()),
        }
    )
    cuts = range(0, count, batch)
    blobs = [table.slice(at, batch).combine_chunks().to_batches()[0].serialize().to_pybytes() for at in cuts]
    log = SqliteLog(folder / f"log-{batch}.db")
    for topic in ("records", "tables"):
        log.create_topic(TopicSpec(topic, PARTITIONS))
    result = {
        "produce": timed(lambda: [log.produce("records", made[at : at + batch]) for at in cuts], count),
        "produce_table": timed(
            lambda: [log.produce_table("tables", table.slice(at, batch)) for at in cuts], count
        ),
    }
    result["read"] = timed(lambda: read_all(log, "tables"), count)
    result["bare_sqlite"] = timed(lambda: bare_sqlite(folder / f"bare-{batch}.db", blobs), count)
    result["bare_file"] = timed(lambda: bare_file(folder / f"bare-{batch}.seg", blobs), count)
    assert read_all(log, "tables") == count
    log.close()
    return result


def group_commit(folder: Path, threads: int, each: int) -> float:
    """Single appends a second by so many threads, every one flushed before it is acknowledged."""
    log = SqliteLog(folder / f"group-{threads}.db")
    log.create_topic(TopicSpec("single", PARTITIONS))

    def append() -> None:
        for n in range(each):
            log.produce("single", [Record(b"x" * 100, b"%d" % n)])

    workers = [threading.Thread(target=append) for _ in range(threads)]

    def all_of_them() -> None:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    rate = timed(all_of_them, threads * each)
    log.close()
    return rate


def main() -> int:
    """Print the table; 1 with `--strict` when a rate misses its target."""
    parser = argparse.ArgumentParser(description="Rates of the embedded event log.")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--strict", action="store_true", help="fail when a rate misses its target")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    count = 100_000 if arguments.short else 1_000_000
    lines: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as temporary:
        for batch in (1_000, 10_000):
            lines[batch] = run(count, batch, Path(temporary))
        singles = {n: group_commit(Path(temporary), n, 50 if arguments.short else 200) for n in (1, 8)}
    if arguments.json:
        print(json.dumps({"records": count, "batches": lines, "single_appends": singles}))
    else:
        for batch, rates in lines.items():
            shown = "  ".join(f"{name} {rate:>11,.0f}/s" for name, rate in rates.items())
            ratio = rates["produce_table"] / rates["bare_sqlite"]
            print(f"batches of {batch:>6,}: {shown}  (produce_table / bare_sqlite: {ratio:.2f})")
        print("single appends: " + ", ".join(f"{n} threads {rate:,.0f}/s" for n, rate in singles.items()))
    slow = [
        f"{name} at {batch:,}: {rates[name]:,.0f}/s"
        for batch, rates in lines.items()
        for name, target in TARGET.items()
        if rates[name] < target
    ]
    if slow:
        print("below the target: " + "; ".join(slow), file=sys.stderr)
    return 1 if arguments.strict and slow else 0


if __name__ == "__main__":
    sys.exit(main())
