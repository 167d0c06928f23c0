"""Who gets which rows: public without a token, protected and private with a grant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hanse.errors import ConfigError
from hanse_catalog.app import create_app
from hanse_catalog.sql.pool import PoolSettings
from hanse_catalog.tokens import Tokens
from helpers.catalog_mesh import SampleMesh


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(tmp_path_factory.mktemp("tokens") / "catalog.db")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Iterator[TestClient]:
    mesh = SampleMesh(tmp_path_factory.mktemp("mesh"))
    with TestClient(create_app(mesh, settings=PoolSettings(size=1), tokens=tokens)) as client:
        yield client


def ask(client: TestClient, table: str, text: str | None = None) -> int:
    headers = {"authorization": f"Bearer {text}"} if text else {}
    return client.get("/api/query", params={"sql": f"SELECT * FROM {table}"}, headers=headers).status_code


@pytest.mark.parametrize(
    ("grants", "salaries", "margins"),
    [
        ([], 404, 404),
        (["orders.salaries"], 200, 404),
        (["orders.*"], 200, 200),
        (["*"], 200, 200),
        (["customers.*"], 404, 404),
    ],
)
def test_a_grant_opens_what_it_names(
    client: TestClient, tokens: Tokens, grants: list[str], salaries: int, margins: int
) -> None:
    text, _ = tokens.issue("Ann", grants, 1)
    assert ask(client, "orders.orders", text) == 200
    assert ask(client, "orders.salaries", text) == salaries
    assert ask(client, "orders.margins", text) == margins


def test_rows_of_one_reader_are_not_left_for_the_next(client: TestClient, tokens: Tokens) -> None:
    text, _ = tokens.issue("Ann", ["*"], 1)
    assert ask(client, "orders.salaries", text) == 200
    assert ask(client, "orders.salaries") == 404
    seen = client.get("/api/products/orders/salaries", headers={"authorization": f"Bearer {text}"})
    assert seen.status_code == 200
    assert client.get("/api/products/orders/salaries").status_code == 404
    assert "orders.salaries" not in client.get("/api/products/orders/orders").text


def test_a_token_ends(client: TestClient, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    text, kept = tokens.issue("Bob", ["*"], 1)
    assert ask(client, "orders.salaries", text) == 200
    tokens.revoke(kept.id)
    assert ask(client, "orders.orders", text) == 401
    other, _ = tokens.issue("Bob", ["*"], 1)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86_400)
    assert ask(client, "orders.orders", other) == 401


@pytest.mark.parametrize(
    "given", ["Bearer x", "Bearer hanse_nothing", "Basic abc", "Bearer", "Bearer " + "hanse_" + "y" * 500]
)
def test_a_wrong_token_is_refused_and_not_ignored(client: TestClient, given: str) -> None:
    answer = client.get("/api/products", headers={"authorization": given})
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


def test_the_file_holds_no_token(tokens: Tokens) -> None:
    text, _ = tokens.issue("Eve", ["*"], 1)
    for file in Path(tokens.path.parent).iterdir():
        assert text.encode() not in file.read_bytes()
    assert tokens.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "grants", "days"),
    [("", ["*"], 1), ("x", ["a.b.c"], 1), ("x", ["'; --"], 1), ("x", ["*"], 0), ("x", ["*"], 9_999)],
)
def test_odd_tokens_are_not_issued(tokens: Tokens, name: str, grants: list[str], days: int) -> None:
    with pytest.raises(ConfigError):
        tokens.issue(name, grants, days)
