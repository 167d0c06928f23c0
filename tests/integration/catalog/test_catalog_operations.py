"""Measurements, the audit of readings, rates, ETags, and a queue that is fair."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from rdflib import DCTERMS, RDF, Graph, URIRef

from hanse.errors import ConfigError
from hanse_catalog.app import create_app
from hanse_catalog.audit import Audit
from hanse_catalog.rates import Rates
from hanse_catalog.sql.fair import MAX_WAITING, FairQueue, TooManyWaiting
from hanse_catalog.sql.pool import PoolSettings
from hanse_catalog.tokens import Tokens
from helpers.catalog_mesh import SampleMesh

SQL = "SELECT count(*) AS n FROM orders.orders"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operations")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    app = create_app(
        SampleMesh(folder / "mesh"),
        settings=PoolSettings(size=1),
        tokens=Tokens(folder / "catalog.db"),
        audit=Audit(folder / "audit.db"),
    )
    with TestClient(app) as client:
        yield client


def samples(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_metrics_count_queries_and_tell_of_products(client: TestClient) -> None:
    before = samples(client)
    assert client.get("/api/query", params={"sql": SQL}).status_code == 200
    assert client.get("/api/query", params={"sql": "SELECT 1 FROM nowhere.at_all"}).status_code == 404
    after = samples(client)
    for outcome in ("answered", "UnknownProduct"):
        key = ("hanse_queries_total", (("outcome", outcome),))
        assert after[key] == before.get(key, 0) + 1
    routes = {dict(labels).get("route") for name, labels in after if name == "hanse_http_requests_total"}
    assert "/api/query" in routes
    assert after["hanse_query_workers", ()] == 1
    products = {dict(labels)["product"] for name, labels in after if name.startswith("hanse_product_")}
    assert "orders.orders" in products
    assert not any("salaries" in name for name in products), "a private product is not told of"


def test_an_address_never_becomes_a_label(client: TestClient) -> None:
    client.get("/secret-path-of-somebody")
    assert "secret-path" not in client.get("/metrics").text


def test_the_audit_keeps_who_and_what_and_never_the_text(folder: Path) -> None:
    tokens, audit = Tokens(folder / "two.db"), Audit(folder / "two-audit.db")
    text, _ = tokens.issue("Ann", ["orders.*"], 1)
    app = create_app(SampleMesh(folder / "m2"), settings=PoolSettings(size=1), tokens=tokens, audit=audit)
    with TestClient(app) as client:
        sql = "SELECT count(*) FROM orders.orders WHERE 'maria@example.org' = 'x'"
        client.get("/api/query", params={"sql": sql}, headers={"authorization": f"Bearer {text}"})
        client.get("/api/query", params={"sql": "SELECT * FROM orders.salaries"})
    newest, older = audit.last(10)
    assert (older.reader, older.products, older.rows, older.outcome) == (
        "Ann",
        ("orders.orders",),
        1,
        "answered",
    )
    assert newest.reader.startswith("anonymous@")
    assert newest.outcome == "UnknownProduct"
    assert b"maria" not in b"".join(p.read_bytes() for p in folder.glob("two-audit.db*"))
    assert [r.reader for r in audit.last(10, product="orders.orders")] == ["Ann"]
    assert audit.last(10, reader="Bob") == []
    assert (folder / "two-audit.db").stat().st_mode & 0o077 == 0


def test_who_asks_too_often_is_told_when_to_come_back(folder: Path) -> None:
    app = create_app(SampleMesh(folder / "m3"), settings=PoolSettings(size=1), rates=Rates(3))
    with TestClient(app) as client:
        answers = [client.get("/api/domains") for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert answers[3].headers["content-type"] == "application/problem+json"


def test_a_bucket_fills_again_and_persons_do_not_share_it() -> None:
    now = [0.0]
    rates = Rates(60, clock=lambda: now[0])
    assert [rates.wait("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait("a") == pytest.approx(1.0)
    assert rates.wait("b") == 0.0
    now[0] = 0.5
    assert rates.wait("a") == pytest.approx(0.5)
    now[0] = 1.01
    assert rates.wait("a") == 0.0


@pytest.mark.parametrize("text", ["-1", "many", "1e9", "10000000"])
def test_a_rate_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANSE_CATALOG_RATE", text)
    with pytest.raises(ConfigError, match="HANSE_CATALOG_RATE"):
        Rates.from_environment()


@pytest.mark.parametrize("address", ["/api/products", "/api/domains", "/api/products/orders/orders"])
def test_an_answer_that_is_known_is_not_sent_again(client: TestClient, address: str) -> None:
    first = client.get(address)
    again = client.get(address, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get(address, headers={"if-none-match": '"other"'}).content == first.content


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")  # inside rdflib
def test_the_catalog_is_linked_data(client: TestClient) -> None:
    answer = client.get("/dcat")
    assert answer.headers["content-type"].startswith("application/ld+json")
    graph = Graph().parse(data=answer.text, format="json-ld")
    dcat, dprod = "http://www.w3.org/ns/dcat#", "https://ekgf.github.io/dprod/"
    kinds = {str(kind) for kind in graph.objects(None, RDF.type)}
    assert {dcat + "Catalog", dcat + "Dataset", dcat + "DataService", dprod + "DataProduct"} <= kinds
    names = {str(n) for n in graph.objects(None, DCTERMS.identifier)}
    assert "orders.orders" in names and "orders.salaries" not in names
    products = set(graph.subjects(RDF.type, URIRef(dprod + "DataProduct")))
    assert all(len(list(graph.objects(p, URIRef(dprod + "outputPort")))) == 1 for p in products)


def test_persons_are_served_in_turn() -> None:
    async def play() -> list[str]:
        queue: FairQueue[int] = FairQueue()
        served: list[str] = []

        async def ask(person: str) -> None:
            thing = await queue.get(person)
            served.append(person)
            queue.put(thing)

        tasks = [asyncio.create_task(ask(p)) for p in "aaaabbc"]
        await asyncio.sleep(0)
        queue.put(1)
        await asyncio.gather(*tasks)
        return served

    assert asyncio.run(play()) == ["a", "b", "c", "a", "b", "a", "a"]


def test_one_person_cannot_fill_the_queue() -> None:
    async def play() -> None:
        queue: FairQueue[int] = FairQueue()
        tasks = [asyncio.create_task(queue.get("a")) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaiting):
            await queue.get("a")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert queue.waiting == 0

    asyncio.run(play())


def test_a_thing_given_to_somebody_who_left_goes_on() -> None:
    async def play() -> int:
        queue: FairQueue[int] = FairQueue()
        gone, stays = (asyncio.create_task(queue.get(p)) for p in "ab")
        await asyncio.sleep(0)
        queue.put(7)  # it is a's now, and a leaves before it runs again
        gone.cancel()
        return await stays

    assert asyncio.run(asyncio.wait_for(play(), 5)) == 7


def test_the_audit_command_prints_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer import Typer
    from typer.testing import CliRunner

    from hanse_catalog.cli import audit

    (folder / "hanse.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(folder)
    app = Typer()
    app.command()(audit)
    kept = Audit(folder / ".hanse" / "audit.db")
    kept.start()
    kept.note("Ann", "query", ["orders.orders"], SQL, "answered", 1, 0.01)
    kept.close()
    (row,) = json.loads(CliRunner().invoke(app, ["--json"]).output)
    assert (row["reader"], row["products"], row["rows"]) == ("Ann", ["orders.orders"], 1)
