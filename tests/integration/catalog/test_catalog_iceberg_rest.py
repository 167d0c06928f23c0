"""pyiceberg's own REST client reads products from the catalog, and sees what was published only."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError, RESTError

from hanse.bootstrap import Mesh
from hanse.errors import PublicationRejected
from hanse_catalog.app import create_app
from hanse_catalog.audit import Audit
from hanse_catalog.sql.pool import PoolSettings
from hanse_catalog.tokens import Tokens
from helpers.live_server import served
from publishing import Bench, bench, make_product


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rest")
    (root / "hanse.toml").write_text("", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def made(root: Path) -> Iterator[Bench]:
    """Two publications of `d.p` and a rejected third."""
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
def address(root: Path, made: Bench) -> Iterator[str]:
    with Mesh.open(root) as mesh, served(create_app(mesh, settings=PoolSettings(size=1))) as address:
        yield f"{address}/iceberg"


def client(address: str, **properties: Any) -> RestCatalog:
    return RestCatalog("hanse", uri=address, **properties)


def test_a_client_finds_and_reads_what_was_published(address: str) -> None:
    catalog = client(address)
    assert catalog.list_namespaces() == [("d",)]
    assert catalog.list_tables("d") == [("d", "p")]
    assert catalog.load_namespace_properties("d")["owner"]
    rows = catalog.load_table("d.p").scan().to_arrow()
    assert sorted(zip(rows["k"].to_pylist(), rows["n"].to_pylist(), strict=True)) == [
        ("a", 1),
        ("b", 20),
        ("d", 4),
    ]


def test_what_the_gate_rejected_is_not_in_the_metadata(address: str, made: Bench) -> None:
    table = client(address).load_table("d.p")
    published = {e.snapshot_id for e in made.reader.history("d.p") if e.state != "rejected"}
    rejected = {e.snapshot_id for e in made.reader.history("d.p") if e.state == "rejected"}
    seen = {s.snapshot_id for s in table.snapshots()}
    assert rejected and seen.isdisjoint(rejected)
    assert seen <= published
    assert set(table.metadata.refs) == {"main"}
    first = min(table.snapshots(), key=lambda s: s.sequence_number or 0)
    assert table.scan(snapshot_id=first.snapshot_id).to_arrow().num_rows == 3


def test_names_that_are_not_there(address: str) -> None:
    catalog = client(address)
    with pytest.raises(NoSuchTableError):
        catalog.load_table("d.nothing")
    with pytest.raises(NoSuchNamespaceError):
        catalog.list_tables("nowhere")
    assert catalog.table_exists("d.p") and not catalog.table_exists("d.q")
    assert catalog.namespace_exists("d") and not catalog.namespace_exists("e")


def test_nothing_can_be_written(address: str) -> None:
    catalog = client(address)
    for attempt in (
        lambda: catalog.create_namespace("mine"),
        lambda: catalog.drop_table("d.p"),
        lambda: catalog.load_table("d.p").append(catalog.load_table("d.p").scan().to_arrow()),
    ):
        with pytest.raises((RESTError, NotImplementedError)):
            attempt()
    assert catalog.load_table("d.p").scan().to_arrow().num_rows == 3


def test_duckdb_reads_the_files_that_the_metadata_names(address: str) -> None:
    tasks = list(client(address).load_table("d.p").scan().plan_files())
    paths = [task.file.file_path for task in tasks]
    assert len(duckdb.read_parquet(paths)) >= 3


def test_a_protected_product_needs_a_grant(root: Path, address: str) -> None:
    file = root / "domains/d/products/p/product.yaml"
    text = file.read_text(encoding="utf-8")
    protected = "customProperties: [{property: access, value: protected}]\n"
    file.write_text(text + protected, encoding="utf-8")
    tokens = Tokens(root / ".hanse" / "catalog.db")
    granted, _ = tokens.issue("Ann", ["d.p"], 1)
    other, _ = tokens.issue("Bob", ["e.*"], 1)
    try:
        until = time.monotonic() + 10
        while client(address).list_namespaces() and time.monotonic() < until:
            time.sleep(0.2)
        assert client(address).list_namespaces() == []
        with pytest.raises(NoSuchTableError):
            client(address, token=other).load_table("d.p")
        assert client(address, token=granted).load_table("d.p").scan().to_arrow().num_rows == 3
        assert Audit(root / ".hanse" / "audit.db").last(50, reader="Ann")[0].products == ("d.p",)
        wrong = urllib.request.Request(
            f"{address}/v1/namespaces", headers={"Authorization": "Bearer hanse_x"}
        )
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(wrong)
    finally:
        file.write_text(text, encoding="utf-8")
