"""One event's whole way, command to published snapshot, stage by stage, and start-up.

`python benchmarks/whole_way.py [--days N | --data DIR] [--short]`. The limit in the same run is the bare
serialisation of the commands' rows to JSON lines and back through DuckDB: what moving the data costs at least.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]


def demo(data: str, *arguments: str) -> tuple[dict[str, object], float, float]:
    """The report of a demo, its wall and processor seconds."""
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "hanse", "demo", "--no-serve", "--json", *arguments],
        cwd=ROOT,
        env=os.environ | {"HANSE_DATA": data},
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout), time.perf_counter() - started, used


def limit(rows: int) -> float:
    """Seconds to write so many order-like rows as JSON lines and to add them up with DuckDB."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        with path.open("w", encoding="utf-8") as file:
            for number in range(rows):
                file.write(json.dumps({"order_id": str(number), "state": "SP", "price": "12.90"}) + "\n")
        duckdb.sql(
            f"SELECT state, sum(CAST(price AS DECIMAL(18, 2))) FROM '{path}' GROUP BY state"
        ).fetchall()
    return time.perf_counter() - started


def start_up() -> None:
    for name, arguments in (
        ("import hanse", ["-c", "import hanse"]),
        ("hanse --help", ["-m", "hanse", "--help"]),
    ):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        print(f"{name:24} {sorted(times)[2] * 1000:8.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--short", action="store_true")
    chosen = parser.parse_args()
    start_up()
    source = (
        ["--data", str(chosen.data)] if chosen.data else ["--days", str(10 if chosen.short else chosen.days)]
    )
    with tempfile.TemporaryDirectory() as data:
        report, wall, used = demo(data, *source)
        again, rerun, _ = demo(data, *source)
    commands = 0
    for stage in report["stages"]:  # type: ignore[union-attr]
        commands = commands or stage["count"]
        rate = stage["count"] / stage["seconds"] if stage["seconds"] else 0
        print(
            f"{stage['name']:12} {stage['count']:>9,} {stage['unit']:9} {stage['seconds']:7.1f} s {rate:>10,.0f}/s"
        )
    print(
        f"{'whole way':12} {commands:>9,} commands  {wall:7.1f} s {commands / wall:>10,.0f}/s  cpu {used:.1f} s"
    )
    print(
        f"{'run again':12} {'nothing new':>19} {rerun:7.1f} s  same totals: {again['totals'] == report['totals']}"
    )
    print(f"ratio to the limit (JSON lines through DuckDB): {limit(commands) / wall:.3f}")


if __name__ == "__main__":
    main()
