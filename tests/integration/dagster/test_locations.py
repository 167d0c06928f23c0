"""Dagster loads each domain, and materialising an asset runs the projection and publishes."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.reference_mesh import copy_mesh


def hanse(mesh: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hanse", *arguments], cwd=mesh, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mesh with a day of business on its log, and nothing published of it yet."""
    folder = copy_mesh(tmp_path_factory.mktemp("dagster") / "mesh")
    hanse(folder, "demo", "--days", "1", "--no-serve")
    for name in ("lakehouse", "state"):
        shutil.rmtree(folder / ".hanse" / name)
    return folder


@pytest.fixture(scope="module")
def locations(mesh: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in yaml.safe_load((mesh / "workspace.yaml").read_text())["load_from"]:
        name = entry["python_file"]["location_name"]
        spec = importlib.util.spec_from_file_location(
            f"location_{name}", mesh / entry["python_file"]["relative_path"]
        )
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
        found[name] = module.defs
    return found


def test_the_workspace_lists_every_domain(mesh: Path, locations: dict[str, Any]) -> None:
    assert locations.keys() == {path.parent.name for path in (mesh / "domains").glob("*/domain.yaml")}


def test_every_product_is_an_asset_with_a_blocking_check_per_rule(
    mesh: Path, locations: dict[str, Any]
) -> None:
    from hanse.descriptors import load_mesh
    from hanse.runtime import check_names

    for product in load_mesh(mesh).products:
        graph = locations[product.domain].resolve_asset_graph()
        key = next(k for k in graph.get_all_asset_keys() if k.path == [product.domain, product.name])
        assert {p.to_user_string().replace("/", ".") for p in graph.get(key).parent_keys} == set(
            product.inputs
        )
        checks = {c.name: graph.get(c).blocking for c in graph.get(key).check_keys}
        assert checks == dict.fromkeys(check_names(product.contract), True)


@pytest.mark.filterwarnings("ignore")
def test_materialising_publishes_and_a_second_run_finds_nothing_new(
    mesh: Path, locations: dict[str, Any]
) -> None:
    first = materialise(locations, "orders_by_state")
    assert first["dagster/row_count"].value > 0
    assert first["records read"].value > 0
    assert first["lag"].value == 0
    assert "| state | order_count |" in first["preview"].value
    assert materialise(locations, "orders_by_state")["records read"].value == 0
    shown = json.loads(hanse(mesh, "product", "show", "orders.orders_by_state", "--json"))
    assert shown["rows"] == first["dagster/row_count"].value


@pytest.mark.filterwarnings("ignore")
def test_a_contract_that_fails_blocks_and_names_the_rule(mesh: Path, locations: dict[str, Any]) -> None:
    contract = mesh / "domains/orders/products/placed_orders/contract.yaml"
    text = contract.read_text()
    rule = "    quality:\n      - name: nothing_at_all\n        metric: rowCount\n        mustBe: 0\n"
    assert "    quality:\n" in text
    contract.write_text(text.replace("    quality:\n", rule, 1))
    try:
        definitions = mesh / "domains/orders/src/orders/definitions.py"
        spec = importlib.util.spec_from_file_location("location_broken", definitions)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        result = run(module.defs, "placed_orders")
    finally:
        contract.write_text(text)
    assert not result.success
    failed = (
        [
            e.asset_check_evaluation_data.check_name
            for e in result.get_asset_check_evaluations_events()
            if not e.asset_check_evaluation_data.passed
        ]
        if hasattr(result, "get_asset_check_evaluations_events")
        else [c.check_name for c in result.get_asset_check_evaluations() if not c.passed]
    )
    assert failed == ["nothing_at_all"]
    assert not result.asset_materializations_for_node("orders__placed_orders")


@pytest.mark.filterwarnings("ignore")
def test_the_lag_sensor_asks_for_products_behind_their_streams(locations: dict[str, Any]) -> None:
    import dagster as dg

    sensor = locations["customers"].get_sensor_def("customers_lag")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        requests = list(sensor(context))
    assert {r.asset_selection[0].path[-1] for r in requests} == {
        "customer_directory",
        "customer_value",
        "customers_by_state",
    }


def run(definitions: Any, product: str) -> Any:
    import dagster as dg

    job = definitions.resolve_implicit_global_asset_job_def()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            asset_selection=[dg.AssetKey(["orders", product])], raise_on_error=False, instance=instance
        )


def materialise(locations: dict[str, Any], product: str) -> dict[str, Any]:
    result = run(locations["orders"], product)
    assert result.success
    return result.asset_materializations_for_node(f"orders__{product}")[0].metadata


def test_lineage_crosses_domains(locations: dict[str, Any]) -> None:
    graph = locations["customers"].resolve_asset_graph()
    key = next(k for k in graph.get_all_asset_keys() if k.path == ["customers", "customer_value"])
    assert {parent.path[0] for parent in graph.get(key).parent_keys} == {"orders"}
