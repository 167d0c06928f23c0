"""Incremental maintenance against recomputation at a given state: `python benchmarks/engine.py [--state N] [--batch B]`.

Each shape is loaded with N events; then the same batches are taken by its maintainer and by recomputing, on one
thread. `--keys` instead compares the time per event over states of 100,000 and of 10 M keys, the whole time of a
rebuild, of a join of two streams and of session windows against the same question asked of plain DuckDB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from hanse.engine import Engine

COLUMNS = "k BIGINT, v INT, p DECIMAL(10,2), ts TIMESTAMP(3)"
EVENTS = (
    f"CREATE TABLE e ({COLUMNS}, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('changelog-mode' = 'I');"
)
OTHERS = EVENTS.replace("TABLE e", "TABLE f")
STATES = f"CREATE TABLE e ({COLUMNS}, PRIMARY KEY (k) NOT ENFORCED) WITH ('changelog-mode' = 'I,UA,D');"
MINUTES = "TABLE({}(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE{}))"
RANKED = (
    "SELECT k, v, p FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY {}) AS n FROM e) WHERE n <= {}"
)
SESSIONS = (
    "SELECT k, window_start, COUNT(*) AS n FROM TABLE(SESSION(TABLE e PARTITION BY k, DESCRIPTOR(ts), "
    "INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end"
)
SHAPES = {
    "filter and project": (EVENTS, "SELECT k, v * 2 AS w FROM e WHERE v > 10"),
    "latest per key": (
        STATES,
        "CREATE TABLE r (k BIGINT, v INT, PRIMARY KEY (k) NOT ENFORCED); INSERT INTO r SELECT k, v FROM e",
    ),
    "groups of events": (EVENTS, "SELECT k, COUNT(*) AS n, SUM(p) AS s, MAX(p) AS m FROM e GROUP BY k"),
    "few groups of events": (EVENTS, "SELECT v, COUNT(*) AS n, SUM(p) AS s, AVG(v) AS a FROM e GROUP BY v"),
    "few groups of state": (STATES, "SELECT v, COUNT(*) AS n, SUM(p) AS s FROM e GROUP BY v"),
    "tumbling window": (
        EVENTS,
        f"SELECT window_start, v, COUNT(*) AS n FROM {MINUTES.format('TUMBLE', '')} GROUP BY window_start, window_end, v",
    ),
    "hopping window": (
        EVENTS,
        f"SELECT window_start, v, COUNT(*) AS n FROM {MINUTES.format('HOP', ', INTERVAL $3$ MINUTE').replace('$', chr(39))} "
        "GROUP BY window_start, window_end, v",
    ),
    "distinct values per key": (EVENTS, "SELECT k, COUNT(DISTINCT v) AS n, MIN(p) AS m FROM e GROUP BY k"),
    "extremes of state": (STATES, "SELECT v, MIN(p) AS a, MAX(p) AS b FROM e GROUP BY v"),
    "last row per key": (EVENTS, RANKED.format("ts DESC", 1)),
    "top three per key": (EVENTS, RANKED.format("p DESC", 3)),
    "sum over each key": (EVENTS, "SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM e"),
    "sessions per key": (EVENTS, SESSIONS),
    "inner join": (EVENTS + OTHERS, "SELECT e.k, e.v, f.p FROM e JOIN f ON e.k = f.k AND e.v = f.v"),
    "left join": (EVENTS + OTHERS, "SELECT e.k, e.v, f.p FROM e LEFT JOIN f ON e.k = f.k AND e.v = f.v"),
    "full join": (EVENTS + OTHERS, "SELECT e.k, f.p FROM e FULL JOIN f ON e.k = f.k AND e.v = f.v"),
    "join with state": (
        STATES.replace("TABLE e", "TABLE f") + EVENTS,
        "SELECT e.k, e.v, f.p FROM e JOIN f ON e.k = f.k",
    ),
    "groups of a join": (
        EVENTS + OTHERS,
        "SELECT e.k, COUNT(*) AS n, SUM(f.p) AS s FROM e JOIN f ON e.k = f.k AND e.v = f.v GROUP BY e.k",
    ),
}


def batch(start: int, size: int, keys: int) -> pa.Table:
    """Events with `keys` keys in mixed order, 100 values, and a thousand of them a second."""
    number = np.arange(start, start + size, dtype=np.int64)
    value = (number // 7 % 100).astype(np.int32)
    return pa.table(
        {
            "k": number * 7_919 % keys,
            "v": value,
            "p": pa.array(value).cast(pa.decimal128(12, 2)),
            "ts": pa.array(number + 1_700_000_000_000).cast(pa.timestamp("ms")),
        }
    )


def written() -> int:
    """Bytes that this process has written so far."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


def feed(con: duckdb.DuckDBPyConnection, engine: Engine, start: int, size: int, keys: int) -> None:
    """One batch to every source, a transaction each."""
    rows = batch(start, size, keys)
    for source in engine.sources:
        con.execute("BEGIN")
        engine.feed(source, rows)
        con.execute("COMMIT")


def measure(
    program: str, *, fast: bool, state: int, size: int, count: int, keys: int, report: Callable[[Any], None]
) -> None:
    """Report processor seconds per event of `count` batches upon the state, with bytes written and peak memory."""
    with tempfile.TemporaryDirectory(prefix="hanse-engine-") as folder:
        con = duckdb.connect(f"{folder}/state.duckdb", config={"threads": 1})
        loader = Engine(con, program, fast=fast, defer=True)
        for start in range(0, state, 500_000):
            feed(con, loader, start, min(500_000, state - start), keys)
        con.execute("BEGIN")
        loader.refresh()
        con.execute("COMMIT")
        engine = Engine(con, program, fast=fast)
        feed(con, engine, state, size, keys)
        begun, bytes_before = time.process_time(), written()
        for number in range(1, count + 1):
            feed(con, engine, state + number * size, size, keys)
        seconds = (time.process_time() - begun) / (count * size)
        mode = engine.explain().splitlines()[1].strip().split(" (")[0].removeprefix("mode: ")
        report(
            (
                seconds,
                (written() - bytes_before) / (count * size),
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                mode,
            )
        )


def apart(work: Callable[..., None], **given: Any) -> Any:
    """What `work` reports, from a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=work, kwargs={**given, "report": theirs.send})
    child.start()
    theirs.close()  # so that a child that fails ends the wait
    found = ours.recv()
    child.join()
    return found


def compare(args: argparse.Namespace) -> None:
    """A line a shape: its mode, both times per event and their ratio, bytes per event and memory."""
    print(f"{args.state:,} rows of state a source, batches of {args.batch:,}")
    print(
        f"{'shape':<26}{'mode':<18}{'us/event':>10}{'recompute':>11}{'ratio':>8}{'bytes/event':>13}{'peak MB':>9}"
    )
    for name, (ddl, query) in SHAPES.items():
        if args.only not in name:
            continue
        given = {"state": args.state, "size": args.batch, "count": args.count, "keys": args.state_keys}
        fast = apart(measure, program=ddl + query, fast=True, **given)
        full = apart(measure, program=ddl + query, fast=False, **given)
        print(
            f"{name:<26}{fast[3]:<18}{fast[0] * 1e6:>10.2f}{full[0] * 1e6:>11.2f}{full[0] / fast[0]:>8.1f}"
            f"{fast[1]:>13,.0f}{fast[2]:>9,}",
            flush=True,
        )


def growth(keys: int, *, size: int, report: Callable[[Any], None]) -> None:
    """Report processor seconds per event of grouping and of keyed rows, over a state of `keys` keys."""
    found = []
    for name in ("groups of events", "latest per key"):
        measure(
            "".join(SHAPES[name]), fast=True, state=keys, size=size, count=5, keys=keys, report=found.append
        )
    report([one[0] for one in found])


def whole(
    query: str, program: str, *, events: int, keys: int, size: int, report: Callable[[Any], None]
) -> None:
    """Report seconds of a log from its first batch to the result, and of plain DuckDB on the same rows."""
    with tempfile.TemporaryDirectory(prefix="hanse-engine-") as folder:
        con = duckdb.connect(f"{folder}/state.duckdb", config={"threads": 1})
        engine = Engine(con, program, defer=True)
        begun = time.process_time()
        for start in range(0, events, size):
            feed(con, engine, start, size, keys)
        con.execute("BEGIN")
        engine.end_of_input()
        engine.refresh()
        con.execute("COMMIT")
        ours = time.process_time() - begun
        plain = duckdb.connect(f"{folder}/plain.duckdb", config={"threads": 1})
        begun = time.process_time()
        for name in engine.sources:
            plain.register("rows", batch(0, 1, keys))
            plain.execute(f"CREATE TABLE {name} AS FROM rows LIMIT 0")
            for start in range(0, events, size):
                plain.register("rows", batch(start, size, keys))
                plain.execute(f"INSERT INTO {name} FROM rows")
        plain.execute(f"CREATE TABLE result AS {query}")
        report(
            (ours, time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        )


def scale(args: argparse.Namespace) -> None:
    """How time per event grows with the keys, and whole logs beside plain DuckDB."""
    few, many = (100_000, 10_000_000) if not args.short else (10_000, 200_000)
    size = 100_000 if not args.short else 10_000
    small, large = (apart(growth, keys=keys, size=size) for keys in (few, many))
    for name, one, other in zip(("groups of events", "latest per key"), small, large, strict=True):
        print(
            f"{name}: {one * 1e6:.2f} us/event at {few:,} keys, {other * 1e6:.2f} at {many:,}: x {other / one:.1f}"
        )
    events = 1_000_000 if not args.short else 20_000
    island = (
        "sum(CASE WHEN ts - before > INTERVAL 1 MINUTE THEN 1 ELSE 0 END) OVER (PARTITION BY k ORDER BY ts)"
    )
    logs = {
        "rebuild of groups": (
            10 * events,
            "groups of events",
            "SELECT k, count(*), sum(p), max(p) FROM e GROUP BY k",
        ),
        "join of two streams": (
            events,
            "inner join",
            "SELECT e.k, e.v, f.p FROM e JOIN f ON e.k = f.k AND e.v = f.v",
        ),
        "sessions": (
            events,
            "sessions per key",
            f"SELECT k, min(ts), count(*) FROM (SELECT *, {island} AS s FROM (SELECT *, lag(ts) OVER "
            "(PARTITION BY k ORDER BY ts) AS before FROM e)) GROUP BY k, s",
        ),
    }
    for name, (count, shape, query) in logs.items():
        ours, plain, peak = apart(
            whole, query=query, program="".join(SHAPES[shape]), events=count, keys=events // 10, size=size
        )
        print(
            f"{name}, {count:,} events: {ours:.1f} s, plain DuckDB {plain:.1f} s: x {ours / plain:.1f}, peak {peak:,} MB"
        )


def main() -> None:
    """Print the comparison, or with `--keys` the growth."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=int, default=2_000_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--state-keys", type=int, default=200_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--keys", action="store_true", help="growth with the keys, and whole logs")
    parser.add_argument("--short", action="store_true", help="40,000 rows of state, and small growth")
    args = parser.parse_args()
    if args.short:
        args.state, args.batch, args.count, args.state_keys = 40_000, 2_000, 1, 4_000
    if not args.keys:
        compare(args)
    if args.keys or args.short:
        scale(args)


if __name__ == "__main__":
    main()
