"""Live products: what comes is published at once, a stop publishes what was read, a rejection is not the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hanse.bootstrap import Mesh
from hanse.errors import LeaseHeld
from hanse.runtime import ProductRun, run_product
from hanse.runtime.live import follow, following
from helpers.shop_mesh import PRODUCTS, rows_of, sell, settings_of, write_mesh, write_product

NAME = "shop.by_state"
FEW = {"name": "few", "type": "sql", "mustBe": 0, "query": "SELECT count(*) FROM ${table} WHERE sales > 2"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_mesh(tmp_path / "mesh", [NAME, "reporting.bands"])


def until(seen: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def test_what_comes_is_seen_through_the_chain_and_one_owner_holds_it(root: Path) -> None:
    told: list[ProductRun] = []
    stop = threading.Event()
    with Mesh(settings_of(root)) as mesh, following(mesh, stop, told.append):
        sell(mesh, [("A", 5)])
        until(lambda: any(r.product == "reporting.bands" and r.published for r in told))
        assert rows_of(root, "reporting.bands") == [("low", 1, 1)]
        with pytest.raises(LeaseHeld):
            run_product(mesh, NAME, wait=0)
        sell(mesh, [("A", 500), ("B", 1)], 1)
        until(lambda: ("high", 1, 2) in rows_of(root, "reporting.bands"))
    assert rows_of(root, NAME) == [("A", 2, 505), ("B", 1, 1)]
    assert all(r.lag == 0 for r in told if r.product == NAME)


def test_a_rejected_publication_is_told_and_tried_again_with_what_comes(root: Path) -> None:
    inputs, columns, sql = PRODUCTS[NAME]
    write_product(root, NAME, inputs, columns, sql, quality=[FEW])
    told: list[ProductRun] = []
    stop = threading.Event()
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1), ("A", 1)])
        thread = threading.Thread(target=follow, args=(mesh, NAME, stop, told.append))
        thread.start()
        until(lambda: any(r.published for r in told))
        with Mesh(settings_of(root)) as other:
            sell(other, [("A", 1)], 2)
        until(lambda: told[-1].rejected is not None)
        count = len(told)
        time.sleep(1)
        assert len(told) == count
        stop.set()
        thread.join()
    assert rows_of(root, NAME) == [("A", 2, 2)]


def test_sigterm_publishes_what_was_read_and_ends_well(root: Path) -> None:
    command = [sys.executable, "-m", "hanse", "product", "run", NAME, "--follow", "--json"]
    piped: Any = {"stdout": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONUNBUFFERED": "1"}, **piped)
    assert running.stdout is not None
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1)] * 100)
        first = json.loads(running.stdout.readline())
        assert (first["product"], first["lag"]) == (NAME, 0)
        sell(mesh, [("B", 1)] * 100, 100)
    until(lambda: ("B", 100, 100) in rows_of(root, NAME))
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0
    with Mesh(settings_of(root)) as mesh:
        assert run_product(mesh, NAME).records == 0
