"""The governance page: findings by policy and domain, the context map, and nothing of hidden products."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hanse.bootstrap import Mesh
from hanse.descriptors import load_mesh
from hanse_catalog.app import create_app
from hanse_catalog.contexts import HEIGHT, WIDTH, context_map
from hanse_catalog.sql.pool import PoolSettings
from helpers.catalog_mesh import SampleMesh
from helpers.reference_mesh import copy_mesh

BASE = Path(__file__).parents[2] / "unit" / "governance" / "meshes" / "base"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("governance") / "mesh"
    shutil.copytree(BASE, root)
    schema = root / "domains/orders/events/order_placed.avsc"
    schema.write_text(
        schema.read_text(encoding="utf-8").replace("OrderPlaced", "PlaceOrder"), encoding="utf-8"
    )
    with (
        Mesh.open(root) as mesh,
        TestClient(create_app(mesh, settings=PoolSettings(size=1))) as client,
    ):
        yield client


def test_findings_stand_by_policy_and_domain(client: TestClient) -> None:
    body = client.get("/api/governance").json()
    assert "SCH003" in {f["code"] for f in body["findings"]}
    page = client.get("/governance").text
    assert "SCH003" in page and "event-not-in-past-tense" in page
    assert "Nothing found" not in page


def test_the_context_map_says_who_reads_whom(client: TestClient) -> None:
    relations = {(r["source"], r["reader"]) for r in client.get("/api/governance").json()["relations"]}
    assert ("orders", "reporting") in relations
    page = client.get("/governance").text
    assert page.count('class="relation"') == len(relations)
    assert "reads orders." in page


def test_boxes_lie_in_the_picture_and_apart() -> None:
    model = load_mesh(BASE)
    drawn = context_map(model.domains, model.products)
    for box in drawn.boxes:
        assert 66 <= box.x <= WIDTH - 66 and 22 <= box.y <= HEIGHT - 22
    places = {(box.x, box.y) for box in drawn.boxes}
    assert len(places) == len(model.domains)


def test_the_board_is_drawn_from_the_code(tmp_path: Path) -> None:
    root = copy_mesh(tmp_path)
    with Mesh.open(root) as mesh, TestClient(create_app(mesh, settings=PoolSettings(size=1))) as client:
        page = client.get("/board")
        assert page.status_code == 200 and "/board.svg" in page.text
        picture = client.get("/board.svg")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        kinds = {note["kind"] for lane in client.get("/api/board").json()["lanes"] for note in lane["notes"]}
        assert {"command", "event", "aggregate", "read_model"} <= kinds


def test_a_sample_mesh_has_no_board(tmp_path: Path) -> None:
    with TestClient(create_app(SampleMesh(tmp_path / "m"), settings=PoolSettings(size=1))) as client:
        assert client.get("/board").status_code == 403
        assert client.get("/governance").status_code == 403
