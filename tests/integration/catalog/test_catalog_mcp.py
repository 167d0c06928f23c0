"""An assistant finds, describes and queries products over the Model Context Protocol."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mcp import Client

from hanse_catalog.access import ANONYMOUS, Reader
from hanse_catalog.audit import Audit
from hanse_catalog.catalog import Catalog
from hanse_catalog.mcp_server import mcp_server
from hanse_catalog.sql.pool import PoolSettings
from helpers.catalog_mesh import SampleMesh


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> SampleMesh:
    return SampleMesh(tmp_path_factory.mktemp("mcp"))


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return Audit(tmp_path_factory.mktemp("audit") / "audit.db")


def play(
    mesh: SampleMesh, audit: Audit, calls: list[tuple[str, dict[str, Any]]], reader: Reader = ANONYMOUS
) -> list[Any]:
    """What each call gives: its value, or the text of its error."""

    async def main() -> list[Any]:
        catalog = Catalog(mesh, PoolSettings(size=1), audit=audit)
        async with Client(mcp_server(catalog, reader)) as client:
            answers = [await client.call_tool(name, arguments) for name, arguments in calls]
        return [a.content[0].model_dump()["text"] if a.is_error else a.structured_content for a in answers]

    return asyncio.run(main())


def test_an_assistant_goes_from_a_word_to_rows(mesh: SampleMesh, audit: Audit) -> None:
    found, product, rows = play(
        mesh,
        audit,
        [
            ("search", {"text": "ordrs"}),
            ("describe", {"product": "orders.orders"}),
            ("query", {"sql": "SELECT count(*) AS n FROM orders.orders"}),
        ],
    )
    assert "orders.orders" in {hit["in"] for hit in found["hits"]}
    assert product["name"] == "orders.orders" and product["schema"]
    assert rows["rows"][0]["n"] > 0
    assert "orders.orders" in rows["snapshots"]
    assert audit.last(1)[0].products == ("orders.orders",)


def test_an_assistant_gets_what_its_token_allows(mesh: SampleMesh, audit: Audit) -> None:
    calls = [
        ("describe", {"product": "orders.salaries"}),
        ("query", {"sql": "SELECT * FROM orders.salaries"}),
    ]
    hidden, refused = play(mesh, audit, calls)
    assert "there is no product orders.salaries" in hidden
    assert "there is no product orders.salaries" in refused
    shown, rows = play(mesh, audit, calls, Reader("Ann", frozenset({"orders.salaries"})))
    assert shown["name"] == "orders.salaries"
    assert rows["row_count"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"sql": "DROP TABLE orders.orders"}, "SELECT"),
        ({"sql": "SELECT * FROM read_csv('/etc/passwd')"}, "read_csv"),
        ({"sql": "SELECT 1", "limit": 100_000}, "less than or equal to 500"),
        ({"sql": "x" * 80_000}, "at most 70000 characters"),
    ],
)
def test_a_bad_query_is_told_with_the_way_out(
    mesh: SampleMesh, audit: Audit, arguments: dict[str, Any], told: str
) -> None:
    (answer,) = play(mesh, audit, [("query", arguments)])
    assert told in (answer if isinstance(answer, str) else json.dumps(answer))
