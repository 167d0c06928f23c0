"""The HTTP API over a small mesh, with real confined workers."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from hanse.errors import ConfigError
from hanse_catalog.access import ANONYMOUS
from hanse_catalog.app import create_app
from hanse_catalog.catalog import Catalog
from hanse_catalog.sql.pool import PoolSettings, WorkerDied
from hanse_catalog.sql.service import Limits
from hanse_catalog.view import Lag
from helpers.catalog_mesh import SampleMesh


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_app(SampleMesh(tmp_path_factory.mktemp("mesh")), limits=Limits(seconds=2, wait_seconds=5))
    with TestClient(app) as client:
        yield client


def ask(client: TestClient, sql: str, **more: object) -> dict:
    answer = client.get("/api/query", params={"sql": sql, **more})
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def test_products_are_listed_without_private_ones(client: TestClient) -> None:
    body = client.get("/api/products").json()
    names = [p["name"] for p in body["products"]]
    assert "orders.orders" in names and "orders.margins" in names
    assert "orders.salaries" not in names
    assert body["total"] == len(names) == 5


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("state", "orders.orders_by_state"),
        ("custmers", "customers.customers"),
        ("orders by", "orders.orders_by_state"),
    ],
)
def test_search_forgives_typing(client: TestClient, text: str, first: str) -> None:
    assert client.get("/api/products", params={"q": text}).json()["products"][0]["name"] == first


def test_a_search_never_shows_a_private_product(client: TestClient) -> None:
    assert "salaries" not in client.get("/api/search", params={"q": "salaries", "limit": 100}).text
    assert "hidden" not in client.get("/api/search", params={"q": "secret amount"}).text
    assert (
        client.get("/api/fields", params={"name": "secret"}).json()["products"][0]["product"]
        == "orders.margins"
    )


def test_facets_narrow_and_count(client: TestClient) -> None:
    body = client.get("/api/products", params={"domain": "orders", "state": "at risk"}).json()
    assert [p["name"] for p in body["products"]] == ["orders.orders"]
    assert {f["value"]: f["count"] for f in body["facets"]["domain"]} == {"orders": 1}
    assert {f["value"] for f in body["facets"]["state"]} == {"met", "at risk", "unknown"}


def test_pages_of_products_do_not_overlap(client: TestClient) -> None:
    pages = [
        client.get("/api/products", params={"page": n, "page_size": 2}).json()["products"] for n in (1, 2, 3)
    ]
    names = [p["name"] for page in pages for p in page]
    assert len(names) == len(set(names)) == 5


def test_a_product_tells_all(client: TestClient) -> None:
    body = client.get("/api/products/orders/orders").json()
    assert body["owner"]["email"] == "orders@book-box.example"
    assert body["contract"]["version"] == "1.0.0"
    assert {c["name"] for c in body["schema"]} >= {"order_id", "total"}
    assert body["verdict"]["status"] == "rejected" and body["published"]["id"] == "7002"
    assert body["health"]["state"] == "at risk"
    assert body["freshness"] == {
        "state": "met",
        "detail": "5 min behind (120 events), promised within 10 min",
        "lag_records": 120,
        "lag_seconds": 300.0,
    }
    assert body["lineage"] == {"inputs": ["orders.order_placed"], "consumers": ["orders.orders_by_state"]}
    assert [s["seq"] for s in body["history"]] == [3, 2, 1]


@pytest.mark.parametrize("path", ["orders/nothing", "nothing/orders", "orders/salaries", "a/b%00c"])
def test_what_is_not_there_is_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/products/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_json_has_exact_numbers_rows_and_the_snapshot(client: TestClient) -> None:
    body = ask(
        client, "SELECT order_id, total, items, note, boxes FROM orders.orders ORDER BY order_id LIMIT 2"
    )
    assert body["rows"][1] == {
        "order_id": "o00001",
        "total": Decimal("79.19"),
        "items": 2,
        "note": 'note "1", äö',
        "boxes": [1, 1],
    }
    assert body["row_count"] == 2 and body["truncated"] is False
    assert body["snapshots"]["orders.orders"]["snapshot"] == "7002"


def test_csv_arrow_and_parquet_hold_the_same_rows(client: TestClient) -> None:
    sql = "SELECT order_id, total, placed_at FROM orders.orders ORDER BY 1"

    def get(form: str) -> bytes:
        answer = client.get("/api/query", params={"sql": sql, "format": form})
        assert answer.headers["hanse-rows"] == "1000" and answer.headers["hanse-truncated"] == "false"
        return answer.content

    lines = list(csv.reader(io.StringIO(get("csv").decode())))
    reader = pa.ipc.open_stream(get("arrow"))
    arrow, notes = [], {}
    for item in reader.iter_batches_with_custom_metadata():
        arrow.append(item.batch)
        notes = item.custom_metadata
    table = pa.Table.from_batches(arrow)
    parquet = pq.read_table(io.BytesIO(get("parquet")))
    assert lines[0] == ["order_id", "total", "placed_at"]
    assert [(r["order_id"], str(r["total"])) for r in table.to_pylist()] == [(r[0], r[1]) for r in lines[1:]]
    assert parquet.column("total").to_pylist() == table.column("total").to_pylist()
    assert dict(notes) == {b"hanse.rows": b"1000", b"hanse.truncated": b"false"}
    assert parquet.schema.metadata is None or b"hanse.rows" not in parquet.schema.metadata
    assert pq.read_metadata(io.BytesIO(get("parquet"))).metadata[b"hanse.rows"] == b"1000"


def test_a_truncated_answer_says_so(client: TestClient) -> None:
    params = {"sql": "SELECT * FROM orders.orders", "limit": 7}
    answer = client.get("/api/query", params=params)
    body = answer.json()
    assert (
        answer.headers["hanse-truncated"],
        answer.headers["hanse-rows"],
        answer.headers["hanse-limit"],
    ) == ("true", "7", "7")
    assert body["truncated"] is True and body["row_count"] == len(body["rows"]) == 7
    text = client.get("/api/query", params={**params, "format": "csv"}).text
    assert text.endswith("# truncated after 7 rows\n")
    exact = client.get("/api/query", params={"sql": "SELECT * FROM range(7)", "limit": 7}).json()
    assert exact["truncated"] is False


def test_a_large_result_streams_and_ends_with_its_count(client: TestClient) -> None:
    sql = "SELECT i, 'row number ' || i AS text FROM range(300000) t(i)"
    answer = client.get("/api/query", params={"sql": sql, "format": "arrow"})
    assert answer.headers["hanse-truncated"] == "see-end"
    rows, notes = 0, {}
    for item in pa.ipc.open_stream(answer.content).iter_batches_with_custom_metadata():
        rows += item.batch.num_rows
        notes = item.custom_metadata
    assert rows == 300_000 and notes[b"hanse.rows"] == b"300000"
    body = client.get("/api/query", params={"sql": sql, "limit": 100_000}).json()
    assert body["row_count"] == len(body["rows"]) == 100_000 and body["truncated"] is True


@pytest.mark.parametrize(
    ("as_of", "rows"),
    [("7001", 600), ("2026-11-01T09:00:00Z", 600), ("2026-11-02T10:00:00+00:00", 1000), ("2026-11-20", 1000)],
)
def test_as_of_goes_back_in_time(client: TestClient, as_of: str, rows: int) -> None:
    assert ask(client, "SELECT count(*) AS n FROM orders.orders", as_of=as_of)["rows"] == [{"n": rows}]


@pytest.mark.parametrize(
    ("as_of", "status"), [("2020-01-01", 404), ("yesterday", 400), ("7003", 404), ("'; DROP", 400)]
)
def test_a_moment_without_snapshot_is_a_problem(client: TestClient, as_of: str, status: int) -> None:
    answer = client.get("/api/query", params={"sql": "SELECT 1 FROM orders.orders", "as_of": as_of})
    assert answer.status_code == status


def test_parameters_are_bound_and_never_text(client: TestClient) -> None:
    sql = "SELECT count(*) AS n FROM orders.orders WHERE state = :state AND items > :least"
    assert ask(client, sql, state="SP", least="3")["rows"][0]["n"] > 0
    assert ask(client, sql, state="' OR true --", least="0")["rows"][0]["n"] == 0
    assert ask(client, "SELECT 1 + :n AS n", n="41")["rows"] == [{"n": 42}]
    assert (
        ask(client, "SELECT [1, 2, 3][2:3] AS a, {'k':1} AS b, '10:30'::TIME AS c, :x AS d", x="7")["rows"][
            0
        ]["d"]
        == "7"
    )
    posted = client.post("/api/query", json={"sql": sql, "params": {"state": "SP", "least": 3}})
    assert posted.json()["rows"] == ask(client, sql, state="SP", least="3")["rows"]
    missing = client.get("/api/query", params={"sql": sql, "state": "SP"})
    assert missing.status_code == 400 and ":least" in missing.text


@pytest.mark.parametrize(
    ("sql", "status", "says"),
    [
        ("SELECT nope FROM orders.orders", 400, "nope"),
        ("SELECT 1/0 AS x, 'a'::INTEGER", 400, "INT32"),
        ("SELECT * FROM orders.ordres", 404, "orders.orders"),
        ("SELECT * FROM orders.unpublished", 404, "hanse product run orders.unpublished"),
        ("DROP TABLE x", 400, "only SELECT"),
        ("SELECT getenv('HOME')", 400, "getenv"),
    ],
)
def test_errors_are_problem_documents(client: TestClient, sql: str, status: int, says: str) -> None:
    answer = client.get("/api/query", params={"sql": sql})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.text
    assert "/lakehouse" not in answer.text and ".parquet" not in answer.text


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r",
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11",
        "SELECT sum(hash(i)) FROM range(100000000) a(i), range(1000) b",
    ],
)
def test_an_endless_query_is_ended_and_the_next_one_runs(client: TestClient, sql: str) -> None:
    answer = client.get("/api/query", params={"sql": sql})
    assert answer.status_code in (400, 408)
    assert ask(client, "SELECT 1 AS one")["rows"] == [{"one": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(i) FROM range(1000000000) t(i)",
        "SELECT string_agg(i::VARCHAR, ',') FROM range(1000000000) t(i)",
        "WITH RECURSIVE g AS (SELECT 'a' AS s UNION ALL SELECT s || s FROM g) SELECT max(length(s)) FROM g",
        "SELECT range(items * 100000000) FROM orders.orders",
    ],
)
def test_a_memory_hungry_query_is_ended_and_the_next_one_runs(client: TestClient, sql: str) -> None:
    assert client.get("/api/query", params={"sql": sql}).status_code in (400, 408)
    assert ask(client, "SELECT 1 AS one")["rows"] == [{"one": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "(" * 50_000,
        "SELECT " + "-" * 3 + "1" * 70_000,
        "SELECT " + "(" * 500 + "1" + ")" * 500,
        "SELECT " + " + ".join(["1"] * 5_000),
        "SELECT " + "NOT " * 2_000 + "true",
        "SELECT " + "CASE WHEN true THEN " * 200 + "1" + " END" * 200,
        "\ud800",
    ],
)
def test_deep_and_long_texts_are_refused(client: TestClient, sql: str) -> None:
    body = json.dumps({"sql": sql})
    answer = client.post("/api/query", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 408, 422)
    assert client.get("/ready").json()["queries"]["workers"] >= 1


def test_health_names_the_confinement(client: TestClient) -> None:
    body = client.get("/health").json()
    assert body["status"] == "ok" and body["queries"]["confinement"]["complete"] is True
    assert client.get("/ready").status_code == 200


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/api/products", "/nope", "/static/hanse.css", "/api/query?sql=x", "/docs"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_mistake_of_the_catalog_carries_the_security_headers(tmp_path: Path, accept: str) -> None:
    app = create_app(SampleMesh(tmp_path))

    @app.get("/mistake")
    def mistake() -> None:
        raise KeyError("secret detail")

    answer = TestClient(app, raise_server_exceptions=False).get("/mistake", headers={"accept": accept})
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith(("text/html", "application/problem"))
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert "secret" not in answer.text


def test_pages_are_served_when_a_worker_dies_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(*_: object) -> None:
        raise WorkerDied("the query's worker process ended unexpectedly")

    monkeypatch.setattr("hanse_catalog.sql.pool.start_worker", dying)
    with TestClient(create_app(SampleMesh(tmp_path))) as client:
        assert client.get("/").status_code == 200
        assert client.get("/ready").status_code == 503
        answer = client.get("/api/query", params={"sql": "SELECT 1"})
        assert answer.status_code == 503
        assert "ended unexpectedly" in answer.json()["detail"]


def test_the_first_list_knows_the_state_of_slow_products(tmp_path: Path) -> None:
    class Slow(SampleMesh):
        def lag(self, full_name: str) -> Lag | None:
            time.sleep(0.06)
            return super().lag(full_name)

    listing = Catalog(Slow(tmp_path)).listing(ANONYMOUS)
    assert listing.total > 2
    assert all(item.health is not None for item in listing.items)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("localhost.evil.example:80", 421),
        ("", 421),
        ("localhost:8321", 200),
        ("127.0.0.1", 200),
        ("[::1]:8321", 200),
    ],
)
def test_a_foreign_host_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/health", headers={"host": host}).status_code == status


def test_methods_sizes_and_foreign_posts_are_bounded(client: TestClient) -> None:
    assert client.request("DELETE", "/api/products").status_code == 405
    assert client.post("/api/query", content=b"x" * 300_000).status_code == 413
    assert client.get("/api/query", params={"sql": "SELECT '" + "x" * 40_000 + "'"}).status_code == 414
    crossing = client.post("/api/query", json={"sql": "SELECT 1"}, headers={"sec-fetch-site": "cross-site"})
    assert crossing.status_code == 403
    assert client.post("/api/query", json={"sql": "SELECT 1", "other": 1}).status_code == 422
    assert client.get("/api/products", params={"page": "-1"}).status_code == 422
    assert client.get("/api/query", params={"sql": "SELECT 1", "format": "exe"}).status_code == 400
    assert client.get("/api/query", params={"sql": "SELECT 1", "limit": -1}).status_code == 400


def test_the_api_describes_itself_without_foreign_assets(client: TestClient) -> None:
    spec = client.get("/openapi.json").json()
    page = client.get("/docs", headers={"accept": "text/html"}).text
    assert "/api/query" in spec["paths"]
    assert all(path in page for path in spec["paths"])
    assert "http://" not in page.replace("http://testserver", "") and "https://" not in page


def test_workers_that_cannot_be_shut_in_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hanse_catalog.sql import pool

    real = pool.start_worker

    async def weak(root: Path, settings: PoolSettings) -> pool.WorkerHandle:
        worker = await real(root, PoolSettings(require_sandbox=False))
        worker.confinement = {**worker.confinement, "landlock": 0, "complete": False}
        try:
            pool.require(worker, settings)
        except ConfigError:
            await worker.close()
            raise
        return worker

    monkeypatch.setattr(pool, "start_worker", weak)
    with TestClient(create_app(SampleMesh(tmp_path), settings=PoolSettings(size=1))) as client:
        assert client.get("/ready").status_code == 503
        assert client.get("/health").json()["status"] == "degraded"
        answer = client.get("/api/query", params={"sql": "SELECT 1"})
        assert answer.status_code == 503 and "HANSE_QUERY_SANDBOX" in answer.text
        assert client.get("/api/products").status_code == 200
