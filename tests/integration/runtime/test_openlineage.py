"""Runs of products tell OpenLineage what they read and wrote, and nothing of that stops a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError, HanseError
from hanse.runtime import run_product
from helpers.shop_mesh import sell, settings_of, write_mesh


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_mesh(tmp_path / "mesh", ["shop.by_state"])


def run(root: Path, target: str, *, sold: int = 3) -> None:
    with Mesh(replace(settings_of(root), openlineage=target)) as mesh:
        if sold:
            sell(mesh, [("A", 1)] * sold, 0)
        run_product(mesh, "shop.by_state")


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    heard: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_run_is_told_to_a_file(root: Path) -> None:
    run(root, "events/lineage.jsonl")
    lines = (root / "events" / "lineage.jsonl").read_text(encoding="utf-8").splitlines()
    start, end = (json.loads(line) for line in lines)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert end["job"]["name"] == "shop.by_state"
    assert [i["name"] for i in end["inputs"]] == ["shop.sales"]
    (output,) = end["outputs"]
    assert "state" in [f["name"] for f in output["facets"]["schema"]["fields"]]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assertions = output["facets"]["dataQualityAssertions"]["assertions"]
    assert assertions and all(a["success"] for a in assertions)


def test_a_run_is_told_over_http(root: Path, endpoint: tuple[str, list[dict[str, Any]]]) -> None:
    address, heard = endpoint
    run(root, address)
    assert [e["eventType"] for e in heard] == ["START", "COMPLETE"]


def test_a_run_that_fails_is_told_with_its_reason(root: Path) -> None:
    (root / "domains/shop/products/by_state/projection.sql").write_text(
        "SELECT nothing FROM sold", encoding="utf-8"
    )
    with pytest.raises(HanseError):
        run(root, "lineage.jsonl")
    end = json.loads((root / "lineage.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert end["eventType"] == "FAIL"
    assert end["run"]["facets"]["errorMessage"]["message"]


def test_an_endpoint_that_does_not_answer_stops_nothing(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(root, "http://127.0.0.1:1")
    assert "was not delivered" in caplog.text
    with Mesh(settings_of(root)) as mesh:
        assert run_product(mesh, "shop.by_state").rows == 1


def test_a_target_that_is_none_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="neither a file nor an address"):
        run(root, "ftp://example.org")
