"""Killed at every place, then run again: the state is what one undisturbed run makes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.ports.event_log import Record
from hanse.projection.dead_letters import letters
from hanse.projection.failpoints import PLACES
from helpers import projector_process
from helpers.projection_mesh import ProjectionMesh, sale

BATCH = 40


def filled(root: Path, seed: int) -> dict[str, tuple[int, Decimal]]:
    """A topic with sales, repeats of a relay and poison; returns the totals that are right."""
    r = random.Random(seed)
    mesh = ProjectionMesh(root)
    values = [sale(i, r.choice(["SP", "RJ", "MG"]), f"{r.randint(1, 9999) / 100:.2f}") for i in range(200)]
    records = [mesh.record(mesh.sales, v, position=i) for i, v in enumerate(values)]
    mesh.log.produce(
        "shop.sales", [*records[:120], Record(b"poison", b"k"), *records[60:], Record(b"poison", b"k")]
    )
    mesh.close()
    totals: dict[str, tuple[int, Decimal]] = {}
    for v in values:
        count, total = totals.get(v["state"], (0, Decimal(0)))
        totals[v["state"]] = (count + 1, total + v["amount"])
    return totals


def run(root: Path, failpoint: str | None) -> int:
    environ = {k: v for k, v in os.environ.items() if k != "HANSE_FAILPOINT"}
    if failpoint:
        environ["HANSE_FAILPOINT"] = failpoint
    command = [sys.executable, projector_process.__file__, str(root), str(BATCH)]
    return subprocess.run(command, env=environ, timeout=60, check=False).returncode


def state_of(root: Path) -> dict[str, tuple[int, Decimal]]:
    mesh = ProjectionMesh(root)
    with duckdb.connect(str(root / "state.duckdb")) as con:
        projector = mesh.projector(mesh.product(), con)
        rows: list[Any] = con.execute(f"SELECT * FROM {projector.engine.output('shop.report')}").fetchall()
        assert projector.lag().records == 0
    assert len(list(letters(mesh.log, "shop.sales"))) == 2
    mesh.close()
    return {state: (count, total) for state, count, total in rows}


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_a_place_in_the_second_batch(tmp_path: Path, place: str) -> None:
    totals = filled(tmp_path, PLACES.index(place))
    assert run(tmp_path, f"{place}:2") == -signal.SIGKILL
    assert run(tmp_path, None) == 0
    assert state_of(tmp_path) == totals


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    r = random.Random(seed)
    totals = filled(tmp_path, seed)
    for _ in range(4):
        run(tmp_path, f"{r.choice(PLACES)}:{r.randint(1, 3)}")
    assert run(tmp_path, None) == 0
    assert state_of(tmp_path) == totals
