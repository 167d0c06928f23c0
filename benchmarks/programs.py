"""The sample programs on long logs: `python benchmarks/programs.py [--events N] [--batch B] [--only WORD] [--profile P]`.

Each program of `../shared/cases/projections` gets its own rows many times over, later and with other keys each
time, until a source has N of them; the seconds count from the first batch to the final rows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hanse.engine.arrow import arrow_table
from hanse.sql.types import parse_type
from hanse.testing import ProjectionHarness

SAMPLE = Path(__file__).parents[2] / "shared/cases/projections/sample.jsonl"
PROFILES: dict[str, tuple[Any, Any]] = {
    "flink": ("closed", "drop"),
    "update_drop": ("update", "drop"),
    "update_keep": ("update", "keep"),
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")
ROUND = 6 * 3_600 * 1_000_000  # a repetition is this much later than the one before, in microseconds


def _shift(values: pa.ChunkedArray, turns: np.ndarray[Any, Any]) -> pa.ChunkedArray | pa.Array:
    kind = values.type
    if pa.types.is_timestamp(kind):
        moved = pc.add(values.cast(pa.int64()), pa.array(turns * ROUND))
        return moved.cast(kind)
    if pa.types.is_int32(kind) or pa.types.is_int64(kind):
        return pc.add(values, pa.array(turns * 100).cast(kind))
    if not pa.types.is_string(kind):
        return values
    known = [v for v in pc.unique(values).to_pylist() if v]
    if known and all(MOMENT.fullmatch(v) for v in known):
        times = pc.add(values.cast(pa.timestamp("ms")).cast(pa.int64()), pa.array(turns * (ROUND // 1_000)))
        return pc.strftime(times.cast(pa.timestamp("ms")), "%Y-%m-%d %H:%M:%S")
    if any(v[0] in "{[" for v in known):
        return values
    mark = pa.array(turns).cast(pa.string())
    return pc.if_else(pa.array(turns == 0), values, pc.binary_join_element_wise(values, mark, "~"))


def repeated(source: dict[str, Any], rows: int) -> tuple[pa.Table, list[str]]:
    """The source's rows until there are `rows` of them, and their kinds."""
    given = source["before"] + source["after"]
    columns = [(c["name"], parse_type(c["type"])) for c in source["columns"] if not c.get("computed")]
    base = arrow_table([row[1:] for row in given], columns)
    times = -(-rows // len(given))
    turns = np.repeat(np.arange(times, dtype=np.int64), len(given))
    whole = base.take(pa.array(np.tile(np.arange(len(given)), times)))
    arrays = [_shift(whole.column(name), turns) for name in whole.column_names]
    return pa.table(arrays, names=whole.column_names), [row[0] for row in given] * times


def program(case: dict[str, Any]) -> str:
    """The case as one text."""
    parts = [f"SET '{key}' = '{value}'" for key, value in case["config"].items() if "time-zone" in key]
    for source in case["sources"]:
        parts.append(f"{source['ddl']} WITH ('changelog-mode' = '{source['changelog_mode']}')")
    for sink in case["sinks"]:
        columns = ", ".join(f"`{c['name']}` {c['type']}" for c in sink["columns"])
        keys = ", ".join(f"`{key}`" for key in sink["primary_key"] or [])
        key = f", PRIMARY KEY ({keys}) NOT ENFORCED" if keys else ""
        parts.append(f"CREATE TABLE {sink['name']} ({columns}{key})")
    return ";\n".join([*parts, *case["sql"]])


def batches(
    sources: dict[str, tuple[pa.Table, list[str]]], size: int
) -> Iterator[tuple[str, pa.Table, list[str]]]:
    """Batches of `size` rows, from each source in turn, in step with its length."""
    longest = max(table.num_rows for table, _ in sources.values())
    for start in range(0, longest, size):
        for name, (table, kinds) in sources.items():
            low, high = (at * table.num_rows // longest for at in (start, min(start + size, longest)))
            if high > low:
                yield name, table.slice(low, high - low), kinds[low:high]


def run(case: dict[str, Any], profile: str, events: int, size: int, ask: int) -> dict[str, float]:
    """Seconds, processor seconds, peak MB and rows of a program. `ask`: also read the rows every so many batches."""
    emission, late = PROFILES[profile]
    used = [s for s in case["sources"] if s["used"]]
    most = max(len(s["before"] + s["after"]) for s in used)
    sources = {s["name"]: repeated(s, events * len(s["before"] + s["after"]) // most) for s in used}
    begun, busy = time.perf_counter(), time.process_time()
    with ProjectionHarness(program(case), emission=emission, late=late) as harness:
        for number, (name, table, kinds) in enumerate(batches(sources, size)):
            harness.feed(name, table, kinds)
            if ask and number % ask == ask - 1:
                for sink in case["sinks"]:
                    harness.table(sink["name"])
        fed = time.perf_counter() - begun
        harness.end_of_input()
        rows = sum(harness.table(sink["name"]).num_rows for sink in case["sinks"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = time.perf_counter() - begun, time.process_time() - busy
    return {"wall": wall, "fed": fed, "cpu": cpu, "peak": peak, "rows": rows}


def _measure(case: dict[str, Any], profile: str, args: argparse.Namespace, found: Any) -> None:
    found.send(run(case, profile, args.events, args.batch, args.ask))


def main() -> None:
    """Print a line a program and profile."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--ask", type=int, default=0, help="read the results after every so many batches")
    parser.add_argument("--limit", type=float, default=60, help="seconds after which a program is given up")
    parser.add_argument("--only", default="")
    parser.add_argument("--profile", choices=PROFILES)
    parser.add_argument("--short", action="store_true", help="2,000 events")
    args = parser.parse_args()
    if args.short:
        args.events, args.batch, args.profile = 2_000, 500, "flink"
    if not SAMPLE.exists():
        print("the sample of programs is not beside the repository")
        return
    cases = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    print(f"{'program':<62}{'profile':<12}{'seconds':>9}{'feeding':>9}{'cpu':>8}{'peak MB':>9}{'rows':>10}")
    spawn = multiprocessing.get_context("fork")
    for case in cases:
        for profile in [args.profile] if args.profile else PROFILES:
            if args.only not in case["id"]:
                continue
            ours, theirs = spawn.Pipe()
            child = spawn.Process(target=_measure, args=(case, profile, args, theirs))
            child.start()
            theirs.close()
            there = ours.poll(args.limit)
            try:
                got = ours.recv() if there else {}
            except EOFError:
                got = {}
            child.terminate()
            child.join()
            line = (
                "".join(f"{got[name]:>9.1f}" for name in ("wall", "fed", "cpu"))
                if got
                else "  gave up or failed"
            )
            more = f"{got['peak']:>9,.0f}{got['rows']:>10,.0f}" if got else ""
            print(f"{case['id']:<62}{profile:<12}{line}{more}", flush=True)


if __name__ == "__main__":
    main()
