"""Dagster shows what live products publish, and starts no runs of its own meanwhile."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from hanse.bootstrap import Mesh
from hanse.orchestration import definitions
from hanse.orchestration.live import reporting
from hanse.runtime import run_product
from helpers.shop_mesh import sell, settings_of, write_mesh

NAME = "shop.by_state"


def test_publications_become_events_of_the_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, home = write_mesh(tmp_path / "mesh", [NAME]), tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with Mesh(settings_of(root)) as mesh:
        with reporting(mesh, home) as told:
            for number in range(3):
                sell(mesh, [("A", 1)] * 5, 5 * number)
                told(run_product(mesh, NAME))
        key = dg.AssetKey(NAME.split("."))
        with dg.DagsterInstance.get() as instance:
            events = instance.fetch_materializations(key, limit=10).records
            assert [e.asset_materialization.metadata["records read"].value for e in events] == [10, 5]  # type: ignore[union-attr]
            checks = instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(key, "schema"), limit=5
            )
            assert len(checks) == 2


def test_live_products_have_no_automation_and_the_sensor_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_mesh(tmp_path / "mesh", [NAME])
    place = root / "domains/shop/src/shop/definitions.py"
    place.parent.mkdir(parents=True)
    place.write_text("", encoding="utf-8")
    monkeypatch.setenv("HANSE_LIVE", "1")
    defs = definitions(str(place))
    asset = next(a for a in defs.assets or [] if isinstance(a, dg.AssetsDefinition))
    assert list(asset.automation_conditions_by_key.values()) == []
    sensor = next(s for s in defs.sensors or [] if s.name == "shop_lag")
    assert isinstance(sensor, dg.SensorDefinition)
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1)])
    found = sensor.evaluate_tick(dg.build_sensor_context())
    assert not found.run_requests
    assert "live" in (found.skip_message or "")
