"""A product's table follows its contract in place, by field id; the state is rebuilt and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError
from hanse.publish.reader import Reader
from hanse.runtime import rebuild_product, run_product
from hanse.runtime.moments import product_diff
from helpers.shop_mesh import rows_of, sell, settings_of, write_mesh, write_product

NAME = "shop.by_state"


def ids(mesh: Mesh) -> dict[str, int]:
    return {f.name: f.field_id for f in Reader(mesh.settings).moment(NAME).schema.fields}


def renamed(name: str, kind: str, before: str) -> dict[str, Any]:
    return {
        "name": name,
        "logicalType": "integer",
        "physicalType": kind,
        "customProperties": [{"property": "renamedFrom", "value": before}],
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_mesh(tmp_path / "mesh", [])
    sql = "SELECT state, CAST(COUNT(*) AS INT) AS sales, SUM(amount) AS total FROM sales GROUP BY state"
    write_product(made, NAME, "shop.sales", ("state STRING KEY", "sales INT", "total BIGINT"), sql)
    with Mesh(settings_of(made)) as mesh:
        sell(mesh, [("A", 5), ("B", 7), ("A", 6)])
        run_product(mesh, NAME)
    return made


def test_columns_are_added_widened_and_renamed_by_their_ids(root: Path) -> None:
    with Mesh(settings_of(root)) as mesh:
        before = ids(mesh)
    columns = ("state STRING KEY", "sales BIGINT", renamed("revenue", "BIGINT", "total"), "largest BIGINT")
    sql = (
        "SELECT state, COUNT(*) AS sales, SUM(amount) AS revenue, MAX(amount) AS largest\n"
        "FROM sales GROUP BY state"
    )
    write_product(root, NAME, "shop.sales", columns, sql, version="2.0.0")  # type: ignore[arg-type]
    with Mesh(settings_of(root)) as mesh:
        with pytest.raises(ConfigError, match="rebuild") as caught:
            run_product(mesh, NAME)
        assert "`revenue` BIGINT" in str(caught.value)
        assert rows_of(root, NAME) == [("A", 2, 11), ("B", 1, 7)]
        rebuild_product(mesh, NAME)
        after = ids(mesh)
        assert (after["state"], after["sales"], after["revenue"]) == (
            before["state"],
            before["sales"],
            before["total"],
        )
        assert rows_of(root, NAME) == [("A", 2, 11, 6), ("B", 1, 7, 7)]
        assert rows_of(root, NAME, 1) == [("A", 2, 11), ("B", 1, 7)]
        scan = Reader(mesh.settings).scan(NAME, 1)
        assert [n for n, _ in scan.schema] == ["state", "sales", "total"]
        found = product_diff(mesh, NAME, 1, 2, 10)
        assert found.rows[0].before == {"state": "A", "sales": 2, "revenue": 11, "largest": None}
        sell(mesh, [("C", 1)], 3)
        run_product(mesh, NAME)
    assert ("C", 1, 1, 1) in rows_of(root, NAME)


def test_a_rebuild_may_change_a_type_altogether(root: Path) -> None:
    sql = "SELECT state, CAST(COUNT(*) AS INT) AS sales, CAST(SUM(amount) AS STRING) AS total FROM sales GROUP BY state"
    write_product(root, NAME, "shop.sales", ("state STRING KEY", "sales INT", "total STRING"), sql)
    with Mesh(settings_of(root)) as mesh:
        before = ids(mesh)
        rebuild_product(mesh, NAME)
        assert ids(mesh)["total"] > max(before.values())
    assert rows_of(root, NAME) == [("A", 2, "11"), ("B", 1, "7")]
    assert rows_of(root, NAME, 1) == [("A", 2, 11), ("B", 1, 7)]
