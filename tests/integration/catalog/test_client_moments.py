"""`hanse.client` at a moment and between two, against the catalog's own application."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hanse.bootstrap import Mesh
from hanse.client import Client
from hanse_catalog.app import create_app
from publishing import bench, make_product


class Answer(io.BytesIO):
    """An HTTP answer as the client reads it."""

    headers: Any


class Direct(Client):
    """The client without a network."""

    def __init__(self, server: TestClient) -> None:
        super().__init__()
        self.server = server

    def _open(self, path: str, body: dict[str, Any] | None = None) -> Any:
        got = self.server.get(path) if body is None else self.server.post(path, json=body)
        assert got.status_code == 200, got.text
        answer = Answer(got.content)
        answer.headers = got.headers
        return answer


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "hanse.toml").write_text("", encoding="utf-8")
    with bench(tmp_path, make_product(tmp_path)) as made:
        made.feed([("a", 1), ("b", 2), ("c", 3)])
        made.publish()
        made.feed([("b", 20), ("c", None), ("d", 4)])
        made.publish()
        with Mesh.open(tmp_path) as mesh, TestClient(create_app(mesh)) as server:
            yield Direct(server)


def test_at_and_diff(client: Client) -> None:
    first = client.at("d.p", 1).table.sort_by("k").to_pylist()
    assert first == [{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "c", "n": 3}]
    assert client.at("d/p").table.num_rows == 3
    found = client.diff("d.p", 1, 2)
    assert (found.added, found.removed, found.changed) == (1, 1, 1)
    assert found.rows[-1].before == {"k": "b", "n": 2}
    assert found.rows[-1].after == {"k": "b", "n": 20}
    assert client.diff("d.p", 2, 2).same
