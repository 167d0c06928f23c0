"""Incremental maintenance against recomputation, in events per CPU second: `python benchmarks/engine.py [--events N]`.

Each shape takes the same batches twice: by its incremental maintainer and by the universal one.
"""

from __future__ import annotations

import argparse
import time

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from hanse.engine import Engine

EVENTS = "CREATE TABLE e (k BIGINT, v INT, p DECIMAL(10,2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('changelog-mode' = 'I');"
STATES = "CREATE TABLE e (k BIGINT PRIMARY KEY NOT ENFORCED, v INT, p DECIMAL(10,2), ts TIMESTAMP(3)) WITH ('changelog-mode' = 'I,UA,D');"
SHAPES = {
    "filter and project": (
        EVENTS,
        "CREATE TABLE r (k BIGINT, w INT); INSERT INTO r SELECT k, v * 2 FROM e WHERE v > 10",
    ),
    "latest per key": (
        STATES,
        "CREATE TABLE r (k BIGINT, v INT, PRIMARY KEY (k) NOT ENFORCED); INSERT INTO r SELECT k, v FROM e",
    ),
    "group of events": (
        EVENTS,
        "SELECT v, COUNT(*) AS n, SUM(p) AS s, AVG(v) AS a, MAX(p) AS m FROM e GROUP BY v",
    ),
    "group of state": (STATES, "SELECT v, COUNT(*) AS n, SUM(p) AS s FROM e GROUP BY v"),
    "tumbling window": (
        EVENTS,
        "SELECT window_start, v, COUNT(*) AS n, SUM(p) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), "
        "INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, v",
    ),
    "hopping window": (
        EVENTS,
        "SELECT window_start, v, COUNT(*) AS n FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE, "
        "INTERVAL '3' MINUTE)) GROUP BY window_start, window_end, v",
    ),
}


def batch(start: int, size: int) -> pa.Table:
    """Events with 100,000 keys, 100 values, and a thousand of them a second."""
    number = pa.array(range(start, start + size), pa.int64())
    mixed = pc.multiply(number, 7919)
    key = pc.subtract(mixed, pc.multiply(pc.divide(mixed, 100_000), 100_000))
    value = pc.subtract(number, pc.multiply(pc.divide(number, 100), 100)).cast(pa.int32())
    price = value.cast(pa.decimal128(12, 2))
    moment = pc.add(number, 1_700_000_000_000).cast(pa.timestamp("ms"))
    return pa.table({"k": key, "v": value, "p": price, "ts": moment})


def run(ddl: str, query: str, *, fast: bool, events: int, size: int) -> float:
    """Events per CPU second, one thread."""
    con = duckdb.connect(config={"threads": 1})
    engine = Engine(con, ddl + query, fast=fast)
    batches = [batch(start, size) for start in range(0, events, size)]
    begun = time.process_time()
    for rows in batches:
        con.execute("BEGIN")
        engine.feed("e", rows)
        con.execute("COMMIT")
    return events / (time.process_time() - begun)


def main() -> None:
    """Print a line a shape."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--short", action="store_true", help="200,000 events")
    args = parser.parse_args()
    if args.short:
        args.events = 200_000
    print(f"{'shape':<20}{'incremental':>14}{'recompute':>14}{'ratio':>8}")
    for name, (ddl, query) in SHAPES.items():
        fast = run(ddl, query, fast=True, events=args.events, size=args.batch)
        full = run(ddl, query, fast=False, events=args.events, size=args.batch)
        print(f"{name:<20}{fast:>12,.0f}/s{full:>12,.0f}/s{fast / full:>8.1f}")


if __name__ == "__main__":
    main()
