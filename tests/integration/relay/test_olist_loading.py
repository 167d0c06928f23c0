"""The real rows as commands: every row is accounted for, and the totals are those of plain SQL."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.bootstrap import Mesh
from hanse.domain import ApplicationService, load
from hanse.domain.demo import DemoReport, olist_streams, run, simulated_streams
from hanse.errors import ConfigError
from helpers.domain_mesh import fifth_of_olist, make_mesh, needs_olist
from orders import Order


@pytest.fixture(scope="module", params=["a fifth", pytest.param("all", marks=pytest.mark.slow)])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real rows, or of every fifth order with the rows that belong to it."""
    olist = needs_olist()
    if request.param == "all":
        return olist
    return fifth_of_olist(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def loaded(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mesh, DemoReport]]:
    with make_mesh(tmp_path_factory.mktemp("olist")) as mesh:
        yield mesh, run(mesh, olist_streams(mesh, rows))


@pytest.fixture(scope="module")
def sql(rows: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for path in rows.glob("*.csv"):
        name = path.stem.removeprefix("olist_").removesuffix("_dataset")
        connection.execute(
            f"CREATE VIEW {name} AS FROM read_csv('{path}', header = true, all_varchar = true, quote = '\"')"
        )
    connection.execute("CREATE VIEW usable AS FROM orders SEMI JOIN order_items USING (order_id)")
    return connection


def one(sql: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = sql.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_every_row_is_accepted_rejected_or_set_aside(
    loaded: tuple[Mesh, DemoReport], sql: duckdb.DuckDBPyConnection
) -> None:
    report = loaded[1]
    assert report.balanced
    assert report.accepted + report.rejected + report.set_aside == report.rows
    for name in ("orders", "order_items", "order_payments", "order_reviews"):
        file = report.domains["orders"].files[f"olist_{name}_dataset.csv"]
        assert file.rows == one(sql, f"SELECT count(*) FROM {name}")
    file = report.domains["customers"].files["olist_customers_dataset.csv"]
    assert file.rows == one(sql, "SELECT count(*) FROM customers")


def test_the_known_faults_surface_under_their_rules(
    loaded: tuple[Mesh, DemoReport], sql: duckdb.DuckDBPyConnection
) -> None:
    rejected = loaded[1].domains["orders"].rejected
    files = loaded[1].domains["orders"].files
    without_items = one(sql, "SELECT count(*) FROM orders ANTI JOIN order_items USING (order_id)")
    assert rejected["PlaceOrder", "order-not-empty"] == without_items > 0
    delivered = "order_delivered_customer_date IS NOT NULL"
    assert rejected["CancelOrder", "cancel-after-delivery"] == one(
        sql, f"SELECT count(*) FROM usable WHERE order_status = 'canceled' AND {delivered}"
    )
    carried = "order_delivered_carrier_date"
    assert rejected["ShipOrder", "order-known"] == one(
        sql,
        f"SELECT count(*) FROM orders ANTI JOIN order_items USING (order_id) WHERE {carried} IS NOT NULL",
    ) + one(sql, f"SELECT count(*) FROM usable WHERE {carried} < order_purchase_timestamp")
    aside = files["olist_orders_dataset.csv"].set_aside
    assert aside["delivered without a time of approval"] == one(
        sql, "SELECT count(*) FROM usable WHERE order_status = 'delivered' AND order_approved_at IS NULL"
    )
    assert files["olist_order_payments_dataset.csv"].set_aside["payment was never approved"] == one(
        sql,
        "SELECT count(*) FROM order_payments SEMI JOIN "
        "(FROM orders WHERE order_approved_at IS NULL) USING (order_id)",
    )


def test_examples_name_file_and_line(loaded: tuple[Mesh, DemoReport], rows: Path) -> None:
    examples = loaded[1].domains["orders"].examples
    line = int(examples["order-not-empty"][0].removeprefix("olist_orders_dataset.csv:"))
    order = (rows / "olist_orders_dataset.csv").read_text().splitlines()[line - 1].split(",")[0]
    assert order not in (rows / "olist_order_items_dataset.csv").read_text()


def test_totals_are_those_of_plain_sql(
    loaded: tuple[Mesh, DemoReport], sql: duckdb.DuckDBPyConnection
) -> None:
    database = sqlite3.connect(loaded[0].settings.store_path("orders"))
    counts = dict(database.execute("SELECT topic, count(*) FROM stored_events GROUP BY topic"))
    items = database.execute(
        "SELECT count(*), sum(round(100 * (i.value ->> '$.price.amount'))), "
        "sum(round(100 * (i.value ->> '$.freight.amount'))) FROM stored_events, "
        "json_each(CAST(state AS TEXT), '$.body.items') i WHERE topic = 'OrderPlaced'"
    ).fetchone()
    paid = database.execute(
        "SELECT sum(round(100 * (CAST(state AS TEXT) ->> '$.body.total.amount'))) "
        "FROM stored_events WHERE topic = 'PaymentConfirmed'"
    ).fetchone()
    database.close()
    expected = sql.execute(
        "SELECT count(*), sum(price::DECIMAL(18, 2)) * 100, sum(freight_value::DECIMAL(18, 2)) * 100 "
        "FROM order_items SEMI JOIN orders USING (order_id)"
    ).fetchone()
    assert expected is not None
    assert [int(n) for n in items] == [int(n) for n in expected]
    assert counts["OrderPlaced"] == one(sql, "SELECT count(*) FROM usable")
    payments = (
        "FROM order_payments SEMI JOIN (FROM usable WHERE order_approved_at IS NOT NULL) USING (order_id) "
        "WHERE payment_type <> 'not_defined'"
    )
    assert int(paid[0]) == int(one(sql, f"SELECT sum(payment_value::DECIMAL(18, 2)) * 100 {payments}"))
    assert counts["PaymentConfirmed"] == one(sql, f"SELECT count(DISTINCT order_id) {payments}")
    assert counts["OrderReviewed"] == one(
        sql,
        "SELECT count(*) FROM order_reviews JOIN usable USING (order_id) "
        "WHERE review_answer_timestamp >= order_purchase_timestamp",
    )


def test_customers_are_persons(loaded: tuple[Mesh, DemoReport], sql: duckdb.DuckDBPyConnection) -> None:
    accepted = loaded[1].domains["customers"].accepted
    assert accepted["RegisterCustomer"] == one(
        sql, "SELECT count(DISTINCT customer_unique_id) FROM customers"
    )


def test_review_texts_are_encrypted_and_readable_by_their_domain(loaded: tuple[Mesh, DemoReport]) -> None:
    mesh = loaded[0]
    database = sqlite3.connect(mesh.settings.store_path("orders"))
    bodies = "FROM stored_events WHERE topic = 'OrderReviewed'"
    texts = [r[0] for r in database.execute(f"SELECT CAST(state AS TEXT) ->> '$.body.comment' {bodies}")]
    identity = database.execute(
        "SELECT CAST(state AS TEXT) ->> '$.body.order_id' FROM stored_events WHERE topic = 'OrderReviewed' "
        "AND CAST(state AS TEXT) ->> '$.body.comment' IS NOT NULL LIMIT 1"
    ).fetchone()[0]
    database.close()
    assert all(text is None or text.startswith("enc:v1:") for text in texts)
    domain = mesh.model.domain("orders")
    application = load(domain) if domain else None
    assert application is not None
    service = ApplicationService(application, mesh.store("orders"), mesh.keys)
    reviewed = [r.event for r in service.history(Order, identity) if hasattr(r.event, "comment")]
    assert any(event.comment and not event.comment.startswith("enc:") for event in reviewed)  # pyright: ignore[reportAttributeAccessIssue]


def small_copy(target: Path) -> Path:
    """The first orders of the sample with broken lines among them, and the first rows of the other files."""
    olist = needs_olist()
    target.mkdir()
    for path in olist.glob("*.csv"):
        lines = path.read_bytes().splitlines(keepends=True)
        (target / path.name).write_bytes(b"".join(lines if "customers" in path.name else lines[:1_501]))
    orders = (target / "olist_orders_dataset.csv").read_bytes().splitlines(keepends=True)
    orders[10] = b"only,three,columns\n"
    orders[20] = orders[20].replace(b"2016-", b"last year ", 1)
    orders[30] = b"\xff" + orders[30]
    (target / "olist_orders_dataset.csv").write_bytes(b"".join(orders))
    return target


def test_broken_lines_are_set_aside_by_name_and_nothing_else_is_lost(tmp_path: Path) -> None:
    with make_mesh(tmp_path / "mesh") as mesh:
        report = run(mesh, olist_streams(mesh, small_copy(tmp_path / "in")))
    assert report.balanced
    file = report.domains["orders"].files["olist_orders_dataset.csv"]
    assert file.rows == 1_500
    assert file.set_aside["wrong number of columns"] == 1
    assert file.set_aside["not UTF-8"] == 1
    assert sum(n for reason, n in file.set_aside.items() if reason.endswith("is not a time")) == 1
    examples = report.domains["orders"].examples
    assert examples["wrong number of columns"] == ["olist_orders_dataset.csv:11"]
    items = report.domains["orders"].files["olist_order_items_dataset.csv"]
    assert items.set_aside["no usable order row"] > 0


def test_a_missing_file_or_folder_is_one_clear_error(tmp_path: Path) -> None:
    with make_mesh(tmp_path / "mesh") as mesh:
        with pytest.raises(ConfigError, match="does not exist"):
            olist_streams(mesh, tmp_path / "nowhere")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigError, match="cannot be read"):
            run(mesh, olist_streams(mesh, tmp_path / "empty"))


def content(mesh: Mesh) -> dict[str, list[tuple[Any, ...]]]:
    """The stores as far as they are the same in every run: all but ciphertexts."""
    tables: dict[str, list[tuple[Any, ...]]] = {}
    for name in ("customers", "orders"):
        database = sqlite3.connect(mesh.settings.store_path(name))
        tables[name] = database.execute(
            "SELECT rowid, originator_id, originator_version, topic, CAST(state AS TEXT) -> '$.meta', "
            "CAST(state AS TEXT) ->> '$.body.items' FROM stored_events ORDER BY rowid"
        ).fetchall()
        tables[f"{name} verdicts"] = database.execute(
            "SELECT * FROM command_verdicts ORDER BY command_id"
        ).fetchall()
        database.close()
    return tables


def test_the_simulation_is_the_same_in_every_run_and_every_rerun(tmp_path: Path) -> None:
    with make_mesh(tmp_path / "one") as one_mesh, make_mesh(tmp_path / "two") as two_mesh:
        first = run(one_mesh, simulated_streams(one_mesh, seed=11, days=6))
        run(two_mesh, simulated_streams(two_mesh, seed=11, days=6))
        assert content(one_mesh) == content(two_mesh)
        before = content(one_mesh)
        again = run(one_mesh, simulated_streams(one_mesh, seed=11, days=6))
        assert content(one_mesh) == before
        assert again == first
        assert first.balanced
        assert first.rejected > 0
        assert first.domains["orders"].duplicates > 0


SCRIPT = """
import sys
from pathlib import Path
from hanse.bootstrap import Mesh
from hanse.domain.demo import run, simulated_streams
with Mesh.open(Path(sys.argv[1])) as mesh:
    print("ready", flush=True)
    run(mesh, simulated_streams(mesh, seed=11, days=6), lambda *_: print(".", end="", flush=True), batch=100)
"""


@pytest.mark.parametrize("batches", [1, 7, 18])
def test_a_run_that_is_killed_and_started_again_ends_the_same(tmp_path: Path, batches: int) -> None:
    with make_mesh(tmp_path / "whole") as whole:
        run(whole, simulated_streams(whole, seed=11, days=6), batch=100)
        expected = content(whole)
    with make_mesh(tmp_path / "killed") as mesh:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(mesh.settings.root)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdout.read(batches)
        time.sleep(0.003 * batches)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert content(mesh) != expected, "the process was killed too late to prove anything"
        run(mesh, simulated_streams(mesh, seed=11, days=6), batch=100)
        assert content(mesh) == expected
