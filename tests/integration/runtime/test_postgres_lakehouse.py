"""The Iceberg catalog on a real PostgreSQL: runs, rebuilds, history, readers, a chain, four writers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.bootstrap import Mesh
from hanse.errors import PublicationError, StaleWriter
from hanse.publish import snapshots
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.reader import Reader
from hanse.runtime import rebuild_product, run_product
from hanse.settings import Settings
from helpers.shop_mesh import PRODUCTS, sell, settings_of, write_mesh

FOUR = ("shop.by_state", "shop.lines", "reporting.bands", "board.top")


@pytest.fixture
def settings(tmp_path: Path, postgres_address: str) -> Settings:
    import psycopg

    with psycopg.connect(postgres_address, autocommit=True) as con:
        con.execute("DROP TABLE IF EXISTS iceberg_tables, iceberg_namespace_properties")
    return replace(settings_of(write_mesh(tmp_path / "mesh", FOUR)), lakehouse=postgres_address)


def rows(settings: Settings, name: str, as_of: Any = None) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        return sorted(con.execute(Reader(settings).scan(name, as_of).sql).fetchall(), key=repr)


def test_products_live_on_a_catalog_in_postgresql(settings: Settings) -> None:
    assert Reader(settings).products() == []
    with Mesh(settings) as mesh:
        for number in range(3):
            sell(mesh, [("A", 60)], number)
            for name in FOUR:
                run_product(mesh, name)
        assert rows(settings, "shop.by_state") == [("A", 3, 180)]
        assert rows(settings, "shop.by_state", 1) == [("A", 1, 60)]
        assert rows(settings, "board.top") == [("all", 1, 3)]
        assert rebuild_product(mesh, "shop.by_state").published
        assert len(Reader(settings).products()) == len(PRODUCTS)
    assert not (settings.lakehouse_path / "catalog.db").exists()


def test_owners_of_different_products_publish_side_by_side(settings: Settings) -> None:
    with Mesh(settings) as mesh:
        sell(mesh, [("A", 60)] * 20)
    failed: list[BaseException] = []

    def run(name: str) -> None:
        try:
            with Mesh(settings) as own:
                for _ in range(3):
                    run_product(own, name)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(name,)) for name in FOUR]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(settings, "shop.by_state") == [("A", 20, 1200)]


def test_a_stale_handle_is_refused(settings: Settings) -> None:
    with Mesh(settings) as mesh:
        sell(mesh, [("A", 60)])
        run_product(mesh, "shop.by_state")
        with Lakehouse.of(settings) as lakehouse:
            stale = lakehouse.load("shop.by_state")
            assert stale is not None
            epoch = int(stale.properties[snapshots.EPOCH])
            sell(mesh, [("A", 60)], 1)
            run_product(mesh, "shop.by_state")
            with pytest.raises(StaleWriter):
                snapshots.commit(stale, epoch, [], [snapshots.set_properties({"x": "y"})])


def test_a_catalog_that_is_away_is_one_message(settings: Settings) -> None:
    away = replace(settings, lakehouse="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(PublicationError, match="does not answer"):
        Reader(away).products()
    with Mesh(away) as mesh, pytest.raises(PublicationError):
        sell(mesh, [("A", 1)])
        run_product(mesh, "shop.by_state")
