"""Commands a second over HTTP, by a load generator of several clients, beside the same commands from Python.

    python benchmarks/edge.py [--clients 16] [--seconds 5]
    python benchmarks/edge.py --short      # one second, for CI
    python benchmarks/edge.py --url http://127.0.0.1:8322    # drive a server that runs already

Each client sends one order after the other on a connection of its own, and counts what was accepted; the
latencies are those of single requests, in milliseconds. One server process, one SQLite file, durable commits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orders
from hanse.bootstrap import Mesh
from hanse.domain import ApplicationService
from hanse.domain.building import build
from hanse.settings import load_settings
from orders.commands import PlaceOrder

ROOT = Path(__file__).resolve().parents[1]
MONEY = {"currency": "BRL"}
ITEM = {
    "number": 1,
    "product_id": "p1",
    "category": "crime",
    "seller_id": "s1",
    "price": {"amount": "59.90", **MONEY},
    "freight": {"amount": "7.90", **MONEY},
}


def order() -> dict[str, Any]:
    """The fields of an order that nobody has placed."""
    return {
        "order_id": uuid.uuid4().hex,
        "customer_id": "c1",
        "customer_state": "SP",
        "placed_at": "2026-03-01T12:00:00Z",
        "items": [ITEM],
    }


class Client(threading.Thread):
    """Sends orders until the moment comes; `took` has the milliseconds of each that was accepted."""

    def __init__(self, address: str, until: float) -> None:
        super().__init__()
        self.connection = HTTPConnection(urlsplit(address).netloc)
        self.until = until
        self.took: list[float] = []
        self.refused: list[str] = []

    def run(self) -> None:
        """One request after the other."""
        token = os.environ.get("HANSE_COMMAND_TOKEN", "")
        while time.perf_counter() < self.until:
            began = time.perf_counter()
            self.connection.request(
                "POST",
                "/orders/commands/PlaceOrder",
                json.dumps(order()),
                {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid.uuid4().hex},
            )
            answer = self.connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                self.took.append((time.perf_counter() - began) * 1_000)
            else:
                self.refused.append(body.decode())
        self.connection.close()


def drive(address: str, clients: int, seconds: float) -> dict[str, float]:
    """Accepted commands a second and latencies. Raises AssertionError when one was refused."""
    until = time.perf_counter() + seconds
    running = [Client(address, until) for _ in range(clients)]
    for client in running:
        client.start()
    for client in running:
        client.join()
    refused = [text for client in running for text in client.refused]
    assert not refused, f"{len(refused)} were refused, first: {refused[0]}"
    took = sorted(t for client in running for t in client.took)
    return {
        f"over HTTP, clients: {clients}; commands/s": len(took) / seconds,
        f"over HTTP, clients: {clients}; p50, ms": statistics.median(took),
        f"over HTTP, clients: {clients}; p99, ms": took[int(len(took) * 0.99)],
    }


def from_python(folder: Path, seconds: float) -> float:
    """The same commands a second, handled one by one in this process."""
    with Mesh(load_settings(ROOT, {"HANSE_DATA": str(folder)})) as mesh:
        service = ApplicationService(orders.application, mesh.store("orders"), mesh.keys)
        count, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            service.handle(build(PlaceOrder, order(), "order"))
            count += 1
    return count / seconds


@contextmanager
def server(folder: Path) -> Generator[str]:
    """A server of the mesh's commands in a process of its own; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hanse", "domain", "serve", "orders", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"HANSE_DATA": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield line.split()[2].rstrip(",")
    finally:
        process.terminate()
        process.wait(timeout=15)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="one second")
    parser.add_argument("--clients", type=int, default=16, help="connections that send at the same time")
    parser.add_argument("--seconds", type=float, default=5.0, help="for so long")
    parser.add_argument("--url", help="a server that runs already")
    arguments = parser.parse_args()
    seconds = 1.0 if arguments.short else arguments.seconds
    if arguments.url:
        figures = drive(arguments.url, arguments.clients, seconds)
    else:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures = {"from Python, one by one; commands/s": from_python(folder, seconds)}
            with server(folder) as address:
                figures |= drive(address, 1, seconds)
                figures |= drive(address, arguments.clients, seconds)
    for name, figure in figures.items():
        print(f"{name:42} {figure:10,.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
