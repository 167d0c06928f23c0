"""The catalog over a real lakehouse: Iceberg tables that the publisher wrote."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hanse.bootstrap import Mesh
from hanse_catalog.app import create_app
from hanse_catalog.meshview import HanseView
from publishing import Bench, bench, make_product


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real")
    (root / "hanse.toml").write_text("", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def made(root: Path) -> Iterator[Bench]:
    """Two publications of `d.p`, the second with a change and a deletion, and a rejected third."""
    from hanse.errors import PublicationRejected

    with bench(root, make_product(root)) as made:
        made.feed([("a", 1), ("b", 2), ("c", 3)])
        made.publish()
        made.feed([("b", 20), ("c", None), ("d", 4)])
        made.publish()
        made.feed([("a", -1)])
        with pytest.raises(PublicationRejected):
            made.publish()
        yield made


@pytest.fixture(scope="module")
def client(root: Path, made: Bench) -> Iterator[TestClient]:
    with Mesh.open(root) as mesh, TestClient(create_app(mesh)) as client:
        yield client


def rows(client: TestClient, **more: str) -> list[dict]:
    answer = client.get("/api/query", params={"sql": "SELECT k, n FROM d.p ORDER BY k", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_readers_see_the_last_good_snapshot(client: TestClient) -> None:
    assert rows(client) == [{"k": "a", "n": 1}, {"k": "b", "n": 20}, {"k": "d", "n": 4}]


def test_readers_go_back_to_the_first(client: TestClient, made: Bench) -> None:
    first = [{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "c", "n": 3}]
    entry = made.reader.history("d.p")[0]
    assert rows(client, as_of="1") == first
    assert rows(client, as_of=str(entry.snapshot_id)) == first
    assert rows(client, as_of=entry.committed_at.isoformat()) == first
    gone = client.get("/api/query", params={"sql": "SELECT 1 FROM d.p", "as_of": "2001-01-01"})
    assert gone.status_code == 404


def test_the_rejected_publication_is_told_and_not_served(client: TestClient) -> None:
    body = client.get("/api/products/d/p").json()
    assert [s["status"] for s in body["history"]] == ["rejected", "published", "published"]
    assert any(not c["passed"] and c["name"] == "not_negative" for c in body["verdict"]["checks"])
    assert body["health"]["state"] == "at risk" and body["published"]["seq"] == 2
    rejected = client.get("/api/query", params={"sql": "SELECT 1 FROM d.p", "as_of": "3"})
    assert rejected.status_code == 404


def test_pages_show_it(client: TestClient) -> None:
    for tab in ("overview", "schema", "quality", "lineage", "history"):
        answer = client.get("/products/d/p", params={"tab": tab}, headers={"accept": "text/html"})
        assert answer.status_code == 200 and "not_negative" in answer.text


def test_changes_between_two_snapshots_are_told_by_key(client: TestClient) -> None:
    page = client.get(
        "/products/d/p/changes", params={"from": "1", "to": "2"}, headers={"accept": "text/html"}
    )
    assert page.status_code == 200
    assert "1 added, 1 changed, 1 removed" in page.text
    same = client.get(
        "/products/d/p/changes", params={"from": "2", "to": "2"}, headers={"accept": "text/html"}
    )
    assert "Nothing changed" in same.text


def test_a_new_publication_and_a_changed_descriptor_are_seen(
    root: Path, client: TestClient, made: Bench
) -> None:
    made.feed([("a", 5), ("z", 9)])
    made.publish()
    assert {"k": "z", "n": 9} in rows(client)
    file = root / "domains/d/products/p/product.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("team: {name: D}", "team: {name: Renamed}"), encoding="utf-8")
    until = time.monotonic() + 6
    while time.monotonic() < until:
        if client.get("/api/products/d/p").json()["owner"]["name"] == "Renamed":
            break
        time.sleep(0.3)
    else:
        pytest.fail("the descriptor was not read again")
    file.write_text(text, encoding="utf-8")


def test_a_broken_data_file_is_a_problem_of_that_product_only(root: Path, made: Bench) -> None:
    with Mesh.open(root) as mesh:
        scan = HanseView(mesh).scan("d.p")
        assert scan is not None
        paths = made.reader.files("d.p").data
        kept = Path(paths[0]).read_bytes()
        Path(paths[0]).write_bytes(b"PAR1 nothing PAR1")
        try:
            with TestClient(create_app(mesh)) as client:
                broken = client.get("/api/query", params={"sql": "SELECT sum(n) FROM d.p"})
                assert broken.status_code in (400, 503) and paths[0] not in broken.text
                assert client.get("/api/query", params={"sql": "SELECT 1"}).status_code == 200
        finally:
            Path(paths[0]).write_bytes(kept)


def hanse(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "hanse", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=check)


def test_the_sql_command_in_every_form(root: Path, made: Bench, tmp_path: Path) -> None:
    table = hanse(root, "sql", "SELECT k, n FROM d.p WHERE k = :key", "--param", "key=b").stdout.decode()
    assert "20" in table and "1 row" in table
    assert (
        json.loads(hanse(root, "sql", "SELECT k FROM d.p", "--as-of", "1", "-f", "json").stdout)["row_count"]
        == 3
    )
    assert hanse(root, "sql", "SELECT k FROM d.p ORDER BY k LIMIT 1", "-f", "csv").stdout == b'"k"\n"a"\n'
    file = tmp_path / "out.parquet"
    hanse(root, "sql", "SELECT * FROM d.p", "-f", "parquet", "-o", str(file))
    import pyarrow.parquet as pq

    assert pq.read_table(file).num_rows >= 3


@pytest.mark.parametrize("sql", ["SELECT * FROM read_text('/etc/passwd')", "SELECT nope FROM d.p"])
def test_the_sql_command_fails_with_one_message(root: Path, made: Bench, sql: str) -> None:
    done = hanse(root, "sql", sql, check=False)
    assert done.returncode == 1 and done.stderr.startswith(b"error: ") and b"Traceback" not in done.stderr


def test_serving_ends_when_told_and_a_taken_port_is_one_message(root: Path, made: Bench) -> None:
    code = (
        "import sys; from hanse.bootstrap import Mesh; from hanse_catalog.server import serve;"
        "serve(Mesh.open(), port=int(sys.argv[1]))"
    )
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", code, str(port)]
    server = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.2)
        second = subprocess.run(command, cwd=root, capture_output=True, timeout=30, check=False)
        assert second.returncode != 0 and b"the port is in use" in second.stderr
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)
        assert server.returncode in (0, -signal.SIGTERM)
    finally:
        server.kill()
        server.wait()
