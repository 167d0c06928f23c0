"""Blue/green rebuilds: beside the live product, compared, swapped in one commit, aborted without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.product import app
from hanse.errors import ConfigError, LeaseHeld
from hanse.publish import failpoints
from hanse.publish.publisher import Rejected
from hanse.publish.rebuilt import Compared
from hanse.runtime import rebuild_product, run_product
from helpers.shop_mesh import PRODUCTS, START, rows_of, sell, settings_of, write_mesh, write_product

NAME = "shop.by_state"
SLOWLY = ("rebuilt", "sealed", "recorded")
COLUMNS = ("state STRING KEY", "sales BIGINT", "total BIGINT")
DOUBLED = "SELECT state, COUNT(*) AS sales, SUM(amount) * 2 AS total FROM sales GROUP BY state"
NOT_DOUBLE = {
    "name": "small",
    "type": "sql",
    "mustBe": 0,
    "query": "SELECT count(*) FROM ${table} WHERE total > 20",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_mesh(tmp_path / "mesh", [NAME])
    with Mesh(settings_of(made)) as mesh:
        sell(mesh, [("A", 5), ("B", 7), ("A", 6)])
        run_product(mesh, NAME)
    return made


def change(root: Path, sql: str = DOUBLED, **more: Any) -> None:
    write_product(root, NAME, "shop.sales", COLUMNS, sql, **more)


def states(root: Path) -> list[str]:
    return sorted(p.name for p in (root / ".hanse/state").iterdir())


def test_changed_sql_is_refused_by_a_run_and_taken_by_a_rebuild(root: Path) -> None:
    change(root)
    told: list[Compared] = []
    with Mesh(settings_of(root)) as mesh:
        with pytest.raises(ConfigError, match="hanse product rebuild shop.by_state"):
            run_product(mesh, NAME)
        run = rebuild_product(mesh, NAME, compared=told.append)
        assert (run.published, run.records, run.seq) == (True, 3, 2)
        sell(mesh, [("C", 1)], 3)
        run_product(mesh, NAME)
    found = told[0].difference
    assert found is not None
    assert (found.added, found.removed, found.changed) == (0, 0, 2)
    assert found.rows[0].before == {"state": "A", "sales": 2, "total": 11}
    assert found.rows[0].after == {"state": "A", "sales": 2, "total": 22}
    assert told[0].before is not None
    assert told[0].before[0] == told[0].after[0] == 2
    assert told[0].before[1] != told[0].after[1]
    assert rows_of(root, NAME) == [("A", 2, 22), ("B", 1, 14), ("C", 1, 2)]
    assert states(root) == ["shop.by_state.duckdb"]


def test_comments_and_spaces_need_no_rebuild(root: Path) -> None:
    change(root, "-- who sells what\n" + PRODUCTS[NAME][2].replace(" FROM", "\n  from"))
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("C", 1)], 3)
        assert run_product(mesh, NAME).records == 1
        assert run_product(mesh, NAME).records == 0
    assert ("C", 1, 1) in rows_of(root, NAME)


def test_a_rebuild_without_a_change_gives_the_same_rows_and_checksum(root: Path) -> None:
    told: list[Compared] = []
    with Mesh(settings_of(root)) as mesh:
        rebuild_product(mesh, NAME, compared=told.append)
    assert told[0].before == told[0].after
    assert told[0].difference is not None
    assert told[0].difference.same


def test_a_dry_run_shows_and_leaves(root: Path) -> None:
    change(root, quality=[NOT_DOUBLE])
    before = rows_of(root, NAME)
    with Mesh(settings_of(root)) as mesh:
        run = rebuild_product(mesh, NAME, dry_run=True)
        assert not run.published
        assert [c.name for c in run.checks if not c.passed] == ["small"]
    assert rows_of(root, NAME) == before
    assert states(root) == ["shop.by_state.duckdb"]


def test_a_failing_check_leaves_the_old_version_and_its_state(root: Path) -> None:
    change(root, quality=[NOT_DOUBLE])
    before = rows_of(root, NAME)
    with Mesh(settings_of(root)) as mesh, pytest.raises(Rejected, match="small"):
        rebuild_product(mesh, NAME)
    assert rows_of(root, NAME) == before
    assert states(root) == ["shop.by_state.duckdb"]
    change(root, PRODUCTS[NAME][2], quality=[NOT_DOUBLE])
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1)], 3)
        assert run_product(mesh, NAME).published


def test_from_a_time_counts_what_came_since(root: Path) -> None:
    with Mesh(settings_of(root)) as mesh:
        time.sleep(0.01)
        moment = mesh.log.read("shop.sales", {0: 0, 1: 0}).rows.column("timestamp").to_pylist()
        since = max(moment) + timedelta(milliseconds=1)
        sell(mesh, [("Z", 9)], 3)
        run = rebuild_product(mesh, NAME, since=since)
        assert run.records == 1
    assert rows_of(root, NAME) == [("Z", 1, 9)]


def test_the_live_product_goes_on_while_the_new_one_grows(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(root, PRODUCTS[NAME][2])

    def live(place: str) -> None:
        if place == "rebuilt" and len(seen) == 0:
            seen.append(place)
            with Mesh(settings_of(root)) as other:
                sell(other, [("C", 3)], 3)
                assert run_product(other, NAME).published
                with pytest.raises(LeaseHeld):
                    rebuild_product(other, NAME)

    seen: list[str] = []
    monkeypatch.setattr(failpoints, "hook", live)
    with Mesh(settings_of(root)) as mesh:
        assert rebuild_product(mesh, NAME).records == 4
    assert rows_of(root, NAME) == [("A", 2, 11), ("B", 1, 7), ("C", 1, 3)]


def process(root: Path, **environ: str) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", "hanse", "product", "rebuild", NAME]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=root, env=os.environ | environ, **quiet)


@pytest.mark.parametrize(
    "place",
    [*(pytest.param(p, marks=pytest.mark.slow) for p in SLOWLY), "snapshot-made", "main-moved", "swapping"],
)
def test_a_rebuild_that_is_killed_is_as_if_it_never_was_or_complete(root: Path, place: str) -> None:
    change(root)
    assert process(root, HANSE_FAILPOINT=place).wait(60) == -signal.SIGKILL
    seen = rows_of(root, NAME)
    swapped = place in ("main-moved", "recorded", "swapping")
    assert seen == ([("A", 2, 22), ("B", 1, 14)] if swapped else [("A", 2, 11), ("B", 1, 7)])
    if not swapped:
        change(root, PRODUCTS[NAME][2])
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("C", 1)], 3)
        run_product(mesh, NAME)
    assert rows_of(root, NAME) == sorted([*seen, ("C", 1, 2 if swapped else 1)])
    assert states(root) == ["shop.by_state.duckdb"]


def test_an_interrupted_rebuild_leaves_the_old_one(root: Path) -> None:
    change(root)
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1)] * 20_000, 10)
    running = process(root)
    beside = root / ".hanse/state/shop.by_state.rebuild.duckdb"
    deadline = time.monotonic() + 60
    while not beside.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) in (130, -signal.SIGINT)
    assert rows_of(root, NAME) == [("A", 2, 11), ("B", 1, 7)]
    assert states(root) == ["shop.by_state.duckdb"]


def test_the_commands_show_what_they_did(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "120")
    change(root)
    runner = CliRunner()
    shown = runner.invoke(app, ["rebuild", NAME, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "0 rows added, 0 removed, 2 changed" in shown.output
    assert "11 → 22" in shown.output
    done = json.loads(runner.invoke(app, ["rebuild", NAME, "--json"]).output)
    assert (done["outcome"], done["before"]["rows"], done["difference"]["changed"]) == ("published", 2, 2)


def test_a_product_at_a_time_a_snapshot_and_an_offset(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1), ("C", 2)], 3)
        run_product(mesh, NAME)
        high = mesh.log.ranges("shop.sales")
    runner = CliRunner()

    def at(*arguments: str) -> list[dict[str, Any]]:
        result = runner.invoke(app, ["at", NAME, "--json", *arguments])
        assert result.exit_code == 0, result.output
        return sorted(json.loads(result.output)["rows"], key=str)

    first = [{"state": "A", "sales": 2, "total": 11}, {"state": "B", "sales": 1, "total": 7}]
    assert at("--snapshot", "1") == first
    partition = next(p for p, r in high.items() if r.high)
    assert at("--offset", f"{partition}:0") == first
    assert len(at("--offset", f"shop.sales:{partition}:{high[partition].high - 1}")) in (2, 3)
    assert len(at()) == 3
    gone = runner.invoke(app, ["at", NAME, "--time", (START - timedelta(days=999)).isoformat()])
    assert "had nothing published then" in str(gone.exception)
    for wrong in (["--offset", "9"], ["--time", "never"]):
        assert isinstance(runner.invoke(app, ["at", NAME, *wrong]).exception, ConfigError)
    found = json.loads(runner.invoke(app, ["diff", NAME, "1", "2", "--json"]).output)
    assert (found["added"], found["removed"], found["changed"]) == (1, 0, 1)
    back = json.loads(runner.invoke(app, ["diff", NAME, "2", "1", "--json"]).output)
    assert (back["added"], back["removed"], back["changed"]) == (0, 1, 1)
    assert "Both hold the same rows" in runner.invoke(app, ["diff", NAME, "1", "1"]).output
