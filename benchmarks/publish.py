"""What a publication costs, and that it does not grow with the number of publications before it.

    python benchmarks/publish.py            # 1,000 publications a shape, and 2,000,000 keys
    python benchmarks/publish.py --short    # 120 publications, for CI; fails above twice the tenth
    python benchmarks/publish.py --publications 10000 --shape small

Shapes: a small keyed product (rewritten whole), an append product, a large keyed product (position deletes).
Each publication takes 100 changed rows through seal, files, snapshot, checks, move and record. "The tenth"
and "the last" are medians of ten publications, so that one merge or expiry does not decide. The tenth is that
of a new product, published in turn with the last of the old one, so that the machine's load is the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from hanse.model.mesh import Column, Contract, Product, QualityRule, Team
from hanse.publish import positions
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.lease import Lease
from hanse.publish.publisher import Publisher
from hanse.publish.state import Context, SinkState, transaction

LIMIT = 2.0
ROWS = 100
IN_TURN = 15
"""Publications of a new product that take turns with the last of the old one."""


def product(*, keyed: bool) -> Product:
    """A product with a key, a number and a text, and two quality rules."""
    columns = (
        Column("k", "integer", "BIGINT", required=True, primary_key=keyed),
        Column("n", "integer", "BIGINT"),
        Column("t", "string", "STRING"),
    )
    rules = (
        QualityRule("some", {"metric": "rowCount", "mustBeGreaterThan": 0}),
        QualityRule("text", {"metric": "nullValues", "mustBe": 0}, "t"),
    )
    properties = [{"name": c.name, "logicalType": c.logical_type} for c in columns]
    document = {"schema": [{"name": "p", "properties": properties}]}
    contract = Contract("d.p", "1.0.0", Path("contract.yaml"), columns, rules, None, document)
    team = Team("D")
    return Product("d", "p", Path(), "1.0.0", "active", "", team, contract, Path("projection.sql"), ("d.t",))


class Shape:
    """One product that grows by publications of ROWS changed rows."""

    def __init__(self, root: Path, *, keyed: bool, keys: int) -> None:
        self.keys = keys
        self.con = duckdb.connect(str(root / "state.duckdb"))
        self.con.execute("CREATE TABLE changes (_op TINYINT, _seq BIGINT, k BIGINT, n BIGINT, t VARCHAR)")
        self.con.execute("CREATE TABLE output (k BIGINT, n BIGINT, t VARCHAR)")
        self.lakehouse = Lakehouse(root / "lakehouse")
        lease = Lease.acquire(self.lakehouse.leases, "d.p")
        columns = (("k", "BIGINT"), ("n", "BIGINT"), ("t", "VARCHAR"))
        self.sink = SinkState(
            "changes", "output" if keyed else None, columns, ("k",) if keyed else (), append=not keyed
        )
        self.publisher = Publisher(self.lakehouse, product(keyed=keyed), lease)
        self.seq = 0
        if keyed:
            self.change(f"SELECT i, i, 'row ' || i FROM range({keys}) r(i)", keys)
            self.publisher.publish(self.con, self.sink, {}, Context())

    def change(self, query: str, rows: int) -> None:
        """A micro-batch of upserts."""
        with transaction(self.con):
            self.con.execute(
                f"INSERT INTO changes SELECT 1, {self.seq} + row_number() OVER (), * FROM ({query})"
            )
            if not self.sink.append:
                self.con.execute(
                    f"DELETE FROM output USING changes WHERE output.k = changes.k AND _seq > {self.seq}"
                )
                self.con.execute(f"INSERT INTO output SELECT k, n, t FROM changes WHERE _seq > {self.seq}")
        self.seq += rows

    def publish(self, number: int) -> tuple[float, float]:
        """Seconds of one publication, and those of the processor."""
        keys = f"(i * 7919 + {number} * 104729) % {self.keys}"
        self.change(f"SELECT {keys}, {number}, 'row ' || i FROM range({ROWS}) r(i)", ROWS)
        began, busy = time.perf_counter(), time.process_time()
        done = self.publisher.publish(self.con, self.sink, {"d.t": {"0": number}}, Context())
        assert done is not None
        return time.perf_counter() - began, time.process_time() - busy


def race(name: str, times: int, make: Callable[[Path], Shape]) -> dict[str, object]:
    """Publish `times` times; the medians of the tenth and of the last, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        shape = make(Path(folder))
        runs = [shape.publish(n) for n in range(times - IN_TURN)]
        new = make(Path(other))
        others: list[tuple[float, float]] = []
        for n in range(times - IN_TURN, times):
            others.append(new.publish(n))
            runs.append(shape.publish(n))
        size = sum(f.stat().st_size for f in Path(folder, "lakehouse").rglob("*") if f.is_file())
    seconds, last_cpu = [s for s, _ in runs], statistics.median(c for _, c in runs[-IN_TURN + 5 :])
    tenth, last = statistics.median(s for s, _ in others[5:]), statistics.median(seconds[-IN_TURN + 5 :])
    tenth_cpu = statistics.median(c for _, c in others[5:])
    thousandth = statistics.median(seconds[995:1005]) if times > 1_005 else last
    return {
        "shape": name,
        "publications": times,
        "tenth ms": round(tenth * 1e3, 1),
        "thousandth ms": round(thousandth * 1e3, 1),
        "last ms": round(last * 1e3, 1),
        "worst ms": round(max(seconds[5:]) * 1e3, 1),
        "ratio": round(last / tenth, 2),
        "tenth cpu ms": round(tenth_cpu * 1e3, 1),
        "last cpu ms": round(last_cpu * 1e3, 1),
        "ratio of cpu": round(last_cpu / tenth_cpu, 2),
        "lakehouse MB": round(size / 1e6, 1),
    }


def main() -> int:
    """Run the races; 1 when a ratio is above the limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a minute instead of ten")
    parser.add_argument("--publications", type=int, help="publications a shape")
    parser.add_argument("--shape", action="append", choices=("small", "append", "large"))
    arguments = parser.parse_args()
    times = arguments.publications or (120 if arguments.short else 1_000)
    large = 20_000 if arguments.short else 2_000_000
    if arguments.short:
        positions.LARGE = large
    races: dict[str, tuple[int, Callable[[Path], Shape]]] = {
        "small": (times, lambda root: Shape(root, keyed=True, keys=1_000)),
        "append": (times, lambda root: Shape(root, keyed=False, keys=1_000_000_000)),
        "large": (
            times if arguments.short else times // 10,
            lambda root: Shape(root, keyed=True, keys=large),
        ),
    }
    worst = 0.0
    for name in arguments.shape or races:
        result = race(name, *races[name])
        print(json.dumps(result), flush=True)
        worst = max(worst, float(str(result["ratio"])))
    print(json.dumps({"peak RSS MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
