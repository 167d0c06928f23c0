"""The catalog's speed over a product of 1,000,000 x 6 rows, beside DuckDB in the same process.

    python benchmarks/catalog.py [--rows N] [--seconds S] [--workers N]

Prints one table; all figures are of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import pyarrow as pa

from hanse.model.mesh import Column, Contract, Domain, Product, Team
from hanse_catalog.view import Lag, Scan, Snapshot

ROWS_SQL = """
    SELECT i AS id, 'customer-' || (i % 50000) AS customer, (i * 7919 % 1000003) / 100 AS amount,
           TIMESTAMP '2026-01-01' + to_seconds(i) AS at, i % 27 AS state, (i % 97)::INTEGER AS items
    FROM range({rows}) t(i)
"""
AT = datetime(2026, 1, 1, tzinfo=UTC)


class OneTable:
    """A mesh of one product over one Parquet file."""

    def __init__(self, root: Path) -> None:
        self.data_root = root
        self.file = root / "facts.parquet"

    def domains(self) -> tuple[Domain, ...]:
        return (Domain("bench", self.data_root, Team("Bench")),)

    def products(self) -> tuple[Product, ...]:
        columns = tuple(
            Column(n, "string", "varchar") for n in ("id", "customer", "amount", "at", "state", "items")
        )
        contract = Contract("facts", "1.0.0", self.file, columns)
        team = Team("Bench")
        return (Product("bench", "facts", self.data_root, "1", "active", "", team, contract, self.file, ()),)

    def revision(self) -> str:
        return "1"

    def scan(self, full_name: str, as_of: str | None = None) -> Scan | None:
        del full_name, as_of
        return Scan(f"SELECT * FROM read_parquet(['{self.file}'])", "1", AT)

    def history(self, full_name: str) -> list[Snapshot]:
        del full_name
        return [Snapshot("1", AT, 1, "published", 1)]

    def lag(self, full_name: str) -> Lag | None:
        del full_name
        return Lag(0, 0.0)


@contextmanager
def served(root: Path, workers: int) -> Iterator[tuple[int, int]]:
    """A catalog in a process of its own; gives its port and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(Path(__file__).parent)!r}); import catalog;"
        "from hanse_catalog.server import serve;"
        f"serve(catalog.OneTable(pathlib.Path({str(root)!r})), port={port})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "HANSE_QUERY_WORKERS": str(workers)}
    )
    try:
        for _ in range(200):
            try:
                get(port, "/ready")
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(15)


def get(port: int, path: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def query(sql: str, form: str = "json") -> str:
    return "/api/query?" + urlencode({"sql": sql, "format": form})


def latencies(port: int, path: str, seconds: float) -> list[float]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    found: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        found.append(time.perf_counter() - start)
        assert answer.status == 200, body
    return found


def throughput(port: int, path: str, clients: int, seconds: float) -> float:
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(len(latencies(port, path, seconds))))
        for _ in range(clients)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def arrow(port: int, path: str) -> tuple[float, int]:
    """MB/s of the whole result over HTTP, read into Arrow, and its rows."""
    start = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    table = pa.ipc.open_stream(answer).read_all()
    seconds = time.perf_counter() - start
    connection.close()
    return table.nbytes / 1e6 / seconds, table.num_rows


def in_process(file: Path) -> float:
    con = duckdb.connect(config={"threads": 2})
    start = time.perf_counter()
    table = con.sql(f"SELECT * FROM read_parquet('{file}')").to_arrow_table()
    return table.nbytes / 1e6 / (time.perf_counter() - start)


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children; what they share counts once."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
            if str(pid) not in (status.parent.name, fields["PPid"].strip()):
                continue
            rollup = (status.parent / "smaps_rollup").read_text(encoding="ascii")
        except (OSError, ValueError):
            continue
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def best(measure: Callable[[], float], times: int = 3) -> float:
    return max(measure() for _ in range(times))


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="200,000 rows, a second each")
    given = parser.parse_args()
    if given.short:
        given.rows, given.seconds = 200_000, 1.0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        mesh = OneTable(root)
        duckdb.sql(f"COPY ({ROWS_SQL.format(rows=given.rows)}) TO '{mesh.file}' (FORMAT parquet)")
        with served(root, given.workers) as (port, pid):
            one = query("SELECT * FROM bench.facts WHERE id = 77777")
            latencies(port, one, 1)
            times = sorted(latencies(port, one, given.seconds))
            alone = best(lambda: in_process(mesh.file))
            http = best(lambda: arrow(port, query("SELECT * FROM bench.facts", "arrow"))[0])
            figures = {
                "one row, p50 ms": statistics.median(times) * 1e3,
                "one row, p99 ms": times[int(len(times) * 0.99)] * 1e3,
                "16 clients, queries/s": throughput(port, one, 16, given.seconds),
                "constant, p50 ms": statistics.median(latencies(port, query("SELECT 1"), 2)) * 1e3,
                "Arrow over HTTP, MB/s": http,
                "DuckDB in process, MB/s": alone,
                "ratio": http / alone,
                "pages: home, p50 ms": statistics.median(latencies(port, "/", 2)) * 1e3,
                "memory, MB": resident_mb(pid),
            }
    for name, value in figures.items():
        print(f"{name:28} {value:10.2f}")
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
