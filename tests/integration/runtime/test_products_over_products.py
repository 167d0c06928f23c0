"""Products that read products: differences of snapshots, chains, restarts, what is gone, who may read."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError, HistoryLost
from hanse.publish import maintenance, positions, write
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.reader import Reader
from hanse.runtime import in_order, lag, rebuild_product, run_product
from helpers.shop_mesh import rows_of, sell, settings_of, write_mesh, write_product


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_mesh(tmp_path / "mesh", ["shop.by_state", "reporting.bands"])


def run_all(root: Path) -> None:
    with Mesh(settings_of(root)) as mesh:
        for product in in_order(mesh.model):
            run_product(mesh, product.full_name)


def sales(root: Path, *found: tuple[str, int], first: int = 0) -> None:
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, found, first)


def bands(sold: list[tuple[str, int]]) -> list[tuple[str, int, int]]:
    totals, counts = Counter[str](), Counter(state for state, _ in sold)
    for state, amount in sold:
        totals[state] += amount
    made: dict[str, tuple[int, int]] = {}
    for state, total in totals.items():
        band = "high" if total >= 100 else "low"
        states, number = made.get(band, (0, 0))
        made[band] = (states + 1, number + counts[state])
    return sorted((band, *found) for band, found in made.items())


def test_a_chain_of_three_follows_inserts_updates_and_deletes(tmp_path: Path) -> None:
    root = write_mesh(tmp_path / "mesh")
    rng, sold = random.Random(5), list[tuple[str, int]]()
    for _ in range(6):
        new = [(rng.choice("ABCDEF"), rng.randrange(1, 40)) for _ in range(7)]
        sales(root, *new, first=len(sold))
        sold += new
        run_all(root)
        assert rows_of(root, "reporting.bands") == bands(sold)
        most = max(states for _, states, _ in bands(sold))
        assert rows_of(root, "board.top") == [("all", most, len(sold))]


def test_a_restart_reads_only_what_is_new(root: Path) -> None:
    sales(root, ("A", 5), ("B", 7))
    run_all(root)
    with Mesh(settings_of(root)) as mesh:
        assert run_product(mesh, "reporting.bands").records == 0
        sell(mesh, [("A", 1)], 2)
        run_product(mesh, "shop.by_state")
        assert lag(mesh, "reporting.bands").records == 1
        run = run_product(mesh, "reporting.bands")
        assert (run.records, run.published) == (1, True)
        assert run.offsets == {"shop.by_state": {0: 2}}
        assert lag(mesh, "reporting.bands").records == 0


def test_an_append_product_gives_inserts_through_merged_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "MAX_SMALL_FILES", 3)
    write_mesh(root, ["shop.lines"])
    write_product(
        root,
        "reporting.count",
        "shop.lines",
        ("state STRING KEY", "lines BIGINT"),
        "SELECT state, COUNT(*) AS lines FROM shop.lines GROUP BY state",
    )
    with Mesh(settings_of(root)) as mesh:
        for number in range(9):
            sell(mesh, [("A", 1), ("B", 1)], 2 * number)
            run_product(mesh, "shop.lines")
            if number % 4 == 0:
                run_product(mesh, "reporting.count")
        run_product(mesh, "reporting.count")
    assert rows_of(root, "reporting.count") == [("A", 9), ("B", 9)]


def test_position_deletes_are_changes_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "LARGE", 10)
    monkeypatch.setattr(positions, "MAX_DELETE_FILES", 2)
    sold = [(f"S{n}", 50) for n in range(40)]
    sales(root, *sold)
    run_all(root)
    for number in range(6):
        new = [(f"S{number}", 60), (f"S{number + 20}", 10)]
        sales(root, *new, first=len(sold))
        sold += new
        run_all(root)
        assert rows_of(root, "reporting.bands") == bands(sold)
    with Mesh(settings_of(root)) as mesh:
        assert Reader(mesh.settings).files("shop.by_state").deletes


def test_an_input_that_was_built_anew_is_followed_by_its_difference(root: Path) -> None:
    sales(root, ("A", 5), ("B", 700))
    run_all(root)
    write_product(
        root,
        "shop.by_state",
        "shop.sales",
        ("state STRING KEY", "sales BIGINT", "total BIGINT"),
        "SELECT state, COUNT(*) AS sales, SUM(amount) AS total FROM sales WHERE amount > 5 GROUP BY state",
    )
    with Mesh(settings_of(root)) as mesh:
        rebuild_product(mesh, "shop.by_state")
        assert run_product(mesh, "reporting.bands").records == 1
    assert rows_of(root, "reporting.bands") == [("high", 1, 1)]


def test_what_a_reader_stands_on_outlives_expiry(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "MAX_SNAPSHOTS", 4)
    monkeypatch.setattr(maintenance, "KEEP_SNAPSHOTS", 2)
    sold = [("A", 5), ("B", 7)]
    sales(root, *sold)
    run_all(root)
    with Mesh(settings_of(root)) as mesh:
        for number in range(12):
            new = [("AB"[number % 2], 20)]
            sell(mesh, new, len(sold))
            sold += new
            run_product(mesh, "shop.by_state")
        metadata = Reader(mesh.settings).moment("shop.by_state").metadata
        assert len(metadata.snapshots) <= 4
        run_product(mesh, "reporting.bands")
    assert rows_of(root, "reporting.bands") == bands(sold)


def test_what_is_gone_is_said_and_a_rebuild_mends_it(root: Path) -> None:
    sales(root, ("A", 5), ("B", 7))
    run_all(root)
    with duckdb.connect(str(settings_of(root).state_path("reporting.bands"))) as con:
        con.execute("UPDATE hanse.projection_product SET snapshot_id = 999")
    sales(root, ("A", 500), first=2)
    with Mesh(settings_of(root)) as mesh:
        run_product(mesh, "shop.by_state")
        with pytest.raises(HistoryLost, match="hanse product rebuild reporting.bands"):
            run_product(mesh, "reporting.bands")
        assert rows_of(root, "reporting.bands") == [("low", 2, 2)]
        rebuild_product(mesh, "reporting.bands")
    assert rows_of(root, "reporting.bands") == [("high", 1, 2), ("low", 1, 1)]


def test_rows_that_a_product_without_a_key_withdraws_stop_its_readers(root: Path) -> None:
    write_mesh(root, ["shop.lines"])
    write_product(
        root,
        "reporting.lines",
        "shop.lines",
        ("sale_id STRING", "state STRING"),
        "SELECT sale_id, state FROM shop.lines",
    )
    sales(root, ("A", 5), ("B", 7))
    run_all(root)
    assert rows_of(root, "reporting.lines") == [("s0", "A"), ("s1", "B")]
    columns = ("sale_id STRING", "state STRING", "amount BIGINT", "sold_at TIMESTAMP")
    write_product(
        root,
        "shop.lines",
        "shop.sales",
        columns,
        "SELECT sale_id, state, amount, sold_at FROM sales WHERE amount > 5",
    )
    with Mesh(settings_of(root)) as mesh:
        rebuild_product(mesh, "shop.lines")
        with pytest.raises(HistoryLost, match="1 gone"):
            run_product(mesh, "reporting.lines")
        rebuild_product(mesh, "reporting.lines")
    assert rows_of(root, "reporting.lines") == [("s1", "B")]


def test_windows_over_a_product_run_on_the_time_that_its_contract_names(root: Path) -> None:
    columns = ("sale_id STRING", "state STRING", "amount BIGINT", "sold_at TIMESTAMP")
    sql = "SELECT sale_id, state, amount, sold_at FROM sales"
    write_product(root, "shop.lines", "shop.sales", columns, sql, eventTime="sold_at", watermark="PT1M")
    write_product(
        root,
        "reporting.hourly",
        "shop.lines",
        ("start TIMESTAMP KEY", "sales BIGINT"),
        "SELECT window_start AS `start`, COUNT(*) AS sales\n"
        "FROM TABLE(TUMBLE(TABLE shop.lines, DESCRIPTOR(sold_at), INTERVAL '1' HOUR))\n"
        "GROUP BY window_start, window_end",
    )
    sales(root, *[("A", 1)] * 90)
    run_all(root)
    assert [count for _, count in rows_of(root, "reporting.hourly")] == [60, 30]


@pytest.mark.parametrize(("access", "refused"), [("private", True), ("protected", False), ("public", False)])
def test_private_products_are_for_their_own_domain(root: Path, access: str, refused: bool) -> None:
    columns = ("state STRING KEY", "sales BIGINT", "total BIGINT")
    sql = "SELECT state, COUNT(*) AS sales, SUM(amount) AS total FROM sales GROUP BY state"
    write_product(root, "shop.by_state", "shop.sales", columns, sql, access=access)
    write_product(root, "shop.states", "shop.by_state", ("state STRING KEY",), "SELECT state FROM by_state")
    sales(root, ("A", 5))
    with Mesh(settings_of(root)) as mesh:
        run_product(mesh, "shop.by_state")
        run_product(mesh, "shop.states")
        if refused:
            with pytest.raises(ConfigError, match="private to shop"):
                run_product(mesh, "reporting.bands")
        else:
            assert run_product(mesh, "reporting.bands").published


def test_a_product_before_anything_was_published_is_empty(root: Path) -> None:
    with Mesh(settings_of(root)) as mesh:
        assert run_product(mesh, "reporting.bands").records == 0
        sell(mesh, [("A", 5)])
        run_product(mesh, "shop.by_state")
        run_product(mesh, "reporting.bands")
        assert rows_of(root, "reporting.bands") == [("low", 1, 1)]
        with Lakehouse(mesh.settings.lakehouse_path) as lakehouse:
            lakehouse.catalog.drop_table(("shop", "by_state"))
        with pytest.raises(HistoryLost, match="the table is gone"):
            run_product(mesh, "reporting.bands")
