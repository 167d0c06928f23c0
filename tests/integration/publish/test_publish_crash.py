"""A publication that dies after each step, and a zombie: nothing lost, nothing doubled, readers unharmed."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from hanse.errors import PublicationError, PublicationRejected, StaleWriter
from hanse.publish import failpoints, positions
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.lease import Lease
from hanse.publish.maintenance import scrub
from hanse.publish.publisher import Publisher
from publishing import Bench, bench, make_product, start

FIRST = [(f"k{i:02}", i) for i in range(12)]
SECOND = [("k01", 100), ("k02", None), ("new", 7)]
PASSING = tuple(p for p in failpoints.PLACES if p != "tagged")
SHAPES = {
    "small": {"large": 200_000, "append": False},
    "large": {"large": 10, "append": False},
    "append": {"large": 200_000, "append": True},
}


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "LARGE", 200_000)
    monkeypatch.setattr(failpoints, "hook", None)


def expected(*batches: list[tuple[str, int | None]], append: bool) -> list[tuple[str, int]]:
    if append:
        return sorted((k, n) for batch in batches for k, n in batch if n is not None)
    rows: dict[str, int | None] = {}
    for batch in batches:
        rows.update(batch)
    return sorted((k, n) for k, n in rows.items() if n is not None)


def prepared(root: Path, *, append: bool) -> None:
    with bench(root, make_product(root, append=append), append=append) as made:
        made.feed(FIRST, batch=0)
        made.publish()


TELLING = ("sealed", "snapshot-made", "main-moved")
"""Places that every shape tries each time; the others of large and append products are the long form."""


@pytest.mark.parametrize(
    ("place", "shape"),
    [
        pytest.param(p, s, marks=[] if s == "small" or p in TELLING else [pytest.mark.slow])
        for p in PASSING
        for s in SHAPES
    ],
)
def test_killed_after_each_step(
    tmp_path: Path, place: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SHAPES[shape]
    append = bool(options["append"])
    second = [(k, n) for k, n in SECOND if n is not None] if append else SECOND
    monkeypatch.setattr(positions, "LARGE", options["large"])
    prepared(tmp_path, append=append)
    process = start(tmp_path, place, second, **options)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    before, after = expected(FIRST, append=append), expected(FIRST, second, append=append)
    with bench(tmp_path, make_product(tmp_path, append=append), append=append) as made:
        moved = place in ("main-moved", "set-aside", "recorded")
        assert made.rows() == (after if moved else before)
        made.feed(second, batch=1)
        made.publish()
        assert made.rows() == after
        made.feed([("later", 1)], batch=2)
        made.publish()
        assert made.rows() == expected(FIRST, second, [("later", 1)], append=append)
        history = made.reader.history("d.p")
        assert [e.seq for e in history] == [1, 2, 3]
        assert {e.state for e in history} == {"published"}
        assert no_strays(made) == []


def no_strays(made: Bench) -> list[str]:
    """Data files that no snapshot holds, and files whose bytes changed."""
    known = set(made.lakehouse.verdicts.digests())
    found = {str(p) for p in (made.settings.lakehouse_path / "warehouse").rglob("*.parquet")}
    return sorted(found - known) + scrub(made.lakehouse)


@pytest.mark.parametrize("place", ["verdict-stored", "tagged"])
def test_killed_while_rejecting(tmp_path: Path, place: str) -> None:
    prepared(tmp_path, append=False)
    process = start(tmp_path, place, [("bad", -1)])
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with bench(tmp_path) as made:
        with pytest.raises(PublicationRejected):
            made.publish()
        assert made.rows() == expected(FIRST, append=False)
        made.feed([("bad", 1)], batch=2)
        made.publish()
        assert made.rows() == expected(FIRST, [("bad", 1)], append=False)


@pytest.mark.parametrize("place", ["audit-set", "sealed", "main-moved", "set-aside", "recorded"])
def test_killed_while_releasing(tmp_path: Path, place: str) -> None:
    """Before main moves the release has not happened and can be repeated; after, it stands with its reason."""
    prepared(tmp_path, append=False)
    with bench(tmp_path) as made:
        for batch, row in enumerate([("bad", -1), ("worse", -2)], 2):
            made.feed([row], batch=batch)
            with pytest.raises(PublicationRejected):
                made.publish()
    process = start(tmp_path, place, [("later", 9)], release=2)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    released = expected(FIRST, [("bad", -1)], append=False)
    with bench(tmp_path) as made:
        if place in ("audit-set", "sealed"):
            assert made.rows() == expected(FIRST, append=False)
            made.publisher.release(made.con, made.sink, 2, "agreed")
        assert made.rows() == released
        made.feed([("bad", 1), ("worse", 2)], batch=4)
        made.publish()
        assert made.rows() == expected(FIRST, [("bad", 1), ("worse", 2), ("later", 9)], append=False)
        states = {e.seq: (e.state, e.note) for e in made.reader.history("d.p")}
        assert states == {
            1: ("published", ""),
            2: ("released", "agreed"),
            3: ("rejected", ""),
            4: ("published", ""),
        }
        assert no_strays(made) == []


@pytest.mark.parametrize("guard", ["lease", "table"])
def test_a_zombie_woken_before_the_move_cannot_publish(
    tmp_path: Path, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both guards refuse: the lease's epoch, and without it the one that the commit asserts."""
    prepared(tmp_path, append=False)
    with bench(tmp_path) as made:
        if guard == "table":
            monkeypatch.setattr(Lease, "check", lambda self: None)
        made.feed(SECOND, batch=1)

        def displace(place: str) -> None:
            if place == "verdict-stored":
                with Lakehouse(made.settings.lakehouse_path) as other:
                    lease = Lease.acquire(other.leases, "d.p", take_over=True)
                    Publisher(other, made.product, lease).table()

        failpoints.hook = displace
        with pytest.raises(StaleWriter):
            made.publish()
        assert made.rows() == expected(FIRST, append=False)
    failpoints.hook = None
    with bench(tmp_path, take_over=True) as made:
        made.publish()
        assert made.rows() == expected(FIRST, SECOND, append=False)


def test_a_stopped_process_wakes_after_another_has_rebuilt(tmp_path: Path) -> None:
    prepared(tmp_path, append=False)
    process = start(tmp_path, "verdict-stored", SECOND, stop=True)
    assert process.pid is not None
    deadline = time.monotonic() + 60
    while not stopped(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    state = tmp_path / ".hanse" / "state" / "d.p.duckdb"
    shutil.move(state, state.with_suffix(".old"))
    for rest in state.parent.glob("d.p.duckdb.wal"):
        shutil.move(rest, rest.with_suffix(".oldwal"))
    with bench(tmp_path, take_over=True) as made:
        made.feed([("other", 5)], batch=1)
        with pytest.raises(PublicationError, match="did not make what its readers see"):
            made.publish()
        made.publish(rebuild=True)
        assert made.rows() == [("other", 5)]
        os.kill(process.pid, signal.SIGCONT)
        process.join(60)
        assert process.exitcode == 3
        assert made.rows() == [("other", 5)]
        made.feed([("more", 6)], batch=2)
        made.publish()
        assert made.rows() == [("more", 6), ("other", 5)]


def stopped(pid: int) -> bool:
    text = Path(f"/proc/{pid}/stat").read_text("ascii")
    return text.rsplit(")", 1)[1].split()[0] == "T"


@pytest.mark.parametrize("place", ["sealed", "files-written", "snapshot-made", "main-moved"])
def test_an_error_leaves_a_publication_that_the_next_one_finishes(tmp_path: Path, place: str) -> None:
    """The disk is full for a while; meanwhile the projection goes on."""
    prepared(tmp_path, append=False)

    def full(reached: str) -> None:
        if reached == place:
            raise OSError(28, "No space left on device")

    with bench(tmp_path) as made:
        made.feed(SECOND, batch=1)
        failpoints.hook = full
        with pytest.raises(OSError, match="No space left"):
            made.publish()
        failpoints.hook = None
        made.feed([("k01", 101), ("k05", None)], batch=2)
        made.publish()
        assert made.rows() == expected(FIRST, SECOND, [("k01", 101), ("k05", None)], append=False)


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    with bench(tmp_path) as made, pytest.raises(PublicationError, match="another process owns") as caught:
        Lease.acquire(made.lakehouse.leases, "d.p")
    assert str(os.getpid()) in str(caught.value)
