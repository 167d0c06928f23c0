"""Killed round after round, at named places and at random, while a reader looks on.

One partition carries numbered sales, so what readers may see is known exactly: the counts of some prefix of
the log, never a shorter one than before, and never one that was not published. The second product reads the
first, so its prefix is one that the first has shown.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.bootstrap import Mesh
from hanse.errors import PublicationError
from hanse.projection import failpoints as projecting
from hanse.publish import failpoints as publishing
from hanse.publish.reader import Reader
from hanse.runtime.upkeep import maintain_product, scrub_products
from helpers.crash_work import work
from helpers.shop_mesh import sell, settings_of, write_mesh

FIRST, SECOND = BOTH = ("shop.by_state", "reporting.bands")
STATES = 5
PLACES = [*projecting.PLACES, *(p for p in publishing.PLACES if p not in ("tagged", "set-aside"))]


def expected(first: int) -> dict[str, list[tuple[Any, ...]]]:
    """Both products over the first sales."""
    counts = Counter(f"S{n % STATES}" for n in range(first))
    bands: dict[str, tuple[int, int]] = {}
    for count in counts.values():
        band = "high" if count >= 100 else "low"
        states, sales = bands.get(band, (0, 0))
        bands[band] = (states + 1, sales + count)
    return {
        FIRST: sorted((state, count, count) for state, count in counts.items()),
        SECOND: sorted((band, *found) for band, found in bands.items()),
    }


class Onlooker(threading.Thread):
    """Reads both products until told to stop; `wrong` has what it must not see."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.reader = Reader(settings_of(root))
        self.done = threading.Event()
        self.wrong: list[str] = []
        self.looks = 0
        self.seen: dict[str, int] = {FIRST: 0, SECOND: 0}

    def run(self) -> None:
        """Look, and look again."""
        while not self.done.is_set():
            for name in (SECOND, FIRST):
                self._look(name)
            self.done.wait(0.02)

    def _look(self, name: str) -> None:
        try:
            scan = self.reader.scan(name)
        except PublicationError:
            return  # nothing was published yet
        with duckdb.connect() as con:
            rows = sorted(con.execute(scan.sql).fetchall())
        prefix = sum(row[1 if name == FIRST else 2] for row in rows)
        if rows != expected(prefix)[name] or prefix < self.seen[name]:
            self.wrong.append(f"{name}: {rows} after {self.seen[name]} sales")
        self.seen[name] = prefix
        self.looks += 1


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    made = write_mesh(tmp_path / "mesh", [FIRST, SECOND])
    domain = made / "domains/shop/domain.yaml"
    domain.write_text(domain.read_text(encoding="utf-8").replace('"partitions": 2', '"partitions": 1'))
    yield made


def rounds(root: Path, count: int, seed: int) -> None:
    """So many deaths, then one undisturbed run."""
    rng = random.Random(seed)
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["helpers.crash_work", "hanse.publish.publisher", "hanse.projection.projector"]
    )
    order = rng.sample(PLACES, len(PLACES))
    onlooker = Onlooker(root)
    sold, killed = 0, 0
    with Mesh(settings_of(root)) as mesh:
        sold = more(mesh, sold, rng)
        onlooker.start()
        for number in range(count):
            named = number % 3 != 2
            place = f"{order[number % len(order)]}" if named else ""
            anew = number % 7 == 6
            process = context.Process(target=work, args=(str(root), place, BOTH), kwargs={"anew": anew})
            process.start()
            if not named:
                process.join(rng.uniform(0.2, 1.5))
                process.kill()
            sold = more(mesh, sold, rng)
            process.join(60)
            killed += process.exitcode == -signal.SIGKILL
        work(str(root), "", BOTH, anew=False)
        for name in (FIRST, SECOND):
            maintain_product(mesh, name)
        time.sleep(0.2)
        onlooker.done.set()
        onlooker.join()
        assert onlooker.wrong == []
        assert onlooker.seen == {FIRST: sold, SECOND: sold}
        assert onlooker.looks > count
        assert killed >= count * 0.6
        assert scrub_products(mesh) == []


def more(mesh: Mesh, sold: int, rng: random.Random) -> int:
    """Some more sales; returns how many there are."""
    count = rng.randint(1, 60)
    sell(mesh, [(f"S{n % STATES}", 1) for n in range(sold, sold + count)], sold, partitions=1)
    return sold + count


def test_twenty_deaths(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANSE_FAILPOINT", "")
    rounds(root, 20, seed=20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_deaths(root: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setenv("HANSE_FAILPOINT", "")
    rounds(root, 50, seed)
