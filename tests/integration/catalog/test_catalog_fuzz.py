"""Odd requests, many of them: none ends in a 5xx, and the catalog answers afterwards as before."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from hanse_catalog.app import create_app
from hanse_catalog.sql.pool import PoolSettings
from helpers.catalog_mesh import SampleMesh

JUNK = [
    *(
        "",
        "a",
        "%",
        "\0",
        "é" * 50,
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "-1",
        "9" * 20,
    ),
    *("0", "null", '{"a":', "😀", "2026-13-45", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *(
        "A" * 300,
        "\n\r\n",
        "orders.orders",
        "SELECT 1",
        "SELECT * FROM orders.orders",
        "SELECT :x",
        "PIVOT x ON ,",
    ),
    *("EXPLAIN SELECT 1", "(((", '"', "$$", "/*", ":a:b", "SELECT [1,2][:x]", "7001", "2026-11-03"),
]
KEYS = "q domain owner tag state lifecycle page page_size sql as_of asof format limit hops tab from to name x"
PATHS = """
/ /api/products /api/products/orders/orders /api/products/a/b /api/products/orders/orders/snapshots
/api/products/orders/orders/lineage /api/domains /api/domains/x /api/glossary /api/fields /api/search /api/query
/health /ready /products/orders/orders /products/orders/orders/changes /products/orders/salaries /domains
/domains/orders /glossary /fields /sql /docs /static/hanse.css /static/..%2f..%2fapp.py /static/%00 /%ff /api/%2e%2e/
"""
BODIES = [
    *(
        b"",
        b"{}",
        b'{"sql":"SELECT 1"}',
        b'{"sql":1}',
        b"[]",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"sql":"SELECT \\ud800"}',
    ),
    *(
        b'{"sql":"SELECT :a","params":{"a":1e999}}',
        b'{"sql":"SELECT :a","params":{"a":null}}',
        b'{"sql":"\\u0000"}',
    ),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    mesh = SampleMesh(tmp_path_factory.mktemp("mesh"))
    with TestClient(create_app(mesh, settings=PoolSettings(size=1)), raise_server_exceptions=True) as client:
        yield client


def odd_requests(client: TestClient, seed: int, times: int) -> None:
    chance = random.Random(seed)
    for _ in range(times):
        path = chance.choice(PATHS.split())
        params = [(chance.choice(KEYS.split()), chance.choice(JUNK)) for _ in range(chance.randint(0, 4))]
        method = chance.choice(["GET"] * 7 + ["POST", "HEAD", "PUT"])
        body = chance.choice(BODIES) if method == "POST" else None
        headers = {"accept": chance.choice(["text/html", "*/*"]), "content-type": "application/json"}
        answer = client.request(method, path, params=params, content=body, headers=headers)
        assert answer.status_code < 500, (method, path, params, body, answer.text)
        assert "<script>alert" not in answer.text
    assert client.get("/ready").status_code == 200


@pytest.mark.parametrize("seed", range(4))
def test_odd_requests_are_answered(client: TestClient, seed: int) -> None:
    odd_requests(client, seed, 150)


@pytest.mark.slow
def test_very_many_odd_requests_are_answered(client: TestClient) -> None:
    odd_requests(client, 99, 100_000)
