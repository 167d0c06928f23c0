"""What goes wrong ends in one clear message, a non-zero exit, and nothing lost or doubled."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PRODUCT = "domains/orders/products/orders_by_state"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def one_message(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    printed = done.stdout + done.stderr
    assert done.returncode != 0, printed
    assert "Traceback" not in printed, printed
    for part in parts:
        assert part in printed, printed


BROKEN: dict[str, tuple[str, Callable[[Path], None], tuple[str, ...]]] = {
    "malformed YAML": (
        "check",
        lambda mesh: (mesh / PRODUCT / "product.yaml").write_text("name: [1,\n"),
        ("product.yaml", "2"),
    ),
    "malformed SQL": (
        "check",
        lambda mesh: (mesh / PRODUCT / "projection.sql").write_text("SELECT state,,\nFROM orders"),
        ("projection.sql:1",),
    ),
    "SQL outside the subset": (
        "check",
        lambda mesh: (mesh / PRODUCT / "projection.sql").write_text(
            "SELECT customer_state AS state,\n  COUNT(*) AS order_count FROM orders\nTABLESAMPLE (10 PERCENT)"
            " GROUP BY customer_state"
        ),
        ("projection.sql:3",),
    ),
    "an unknown topic": (
        "check",
        lambda mesh: edit(mesh / PRODUCT / "projection.sql", "FROM orders", "FROM ordres"),
        ("ordres",),
    ),
    "a contract without owner": (
        "check",
        lambda mesh: (mesh / PRODUCT / "contract.yaml").write_text(
            "\n".join(
                line
                for line in (mesh / PRODUCT / "contract.yaml").read_text().splitlines()
                if not line.startswith(
                    ("team:", "  name: Orders", "  members", "    - username", "      role")
                )
            )
        ),
        ("owner",),
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_mesh_fails_its_check(fault: str, mesh: Path, hanse: Callable[..., object]) -> None:
    command, break_it, parts = BROKEN[fault]
    break_it(mesh)
    one_message(hanse(mesh, command), *parts)  # type: ignore[arg-type]


def test_a_sound_mesh_passes_its_check(mesh: Path, hanse) -> None:
    done = hanse(mesh, "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_projection_runs_nothing(mesh: Path, hanse) -> None:
    (mesh / PRODUCT / "projection.sql").write_text("SELECT RAND() AS state, 1 AS order_count FROM orders")
    one_message(hanse(mesh, "product", "run", "orders.orders_by_state"), "RAND", "line 1")


def test_an_unknown_product_is_named_beside_those_that_exist(mesh: Path, hanse) -> None:
    one_message(hanse(mesh, "product", "show", "orders.nope"), "orders.nope", "orders.orders_by_state")


def test_outside_a_mesh_the_way_in_is_told(tmp_path: Path, hanse) -> None:
    one_message(hanse(tmp_path, "product", "list"), "hanse init")


def test_a_csv_with_broken_lines_sets_them_aside(mesh: Path, hanse, tmp_path: Path) -> None:
    source = tmp_path / "input"
    source.mkdir()
    write_input(source)
    done = hanse(mesh, "demo", "--data", str(source), "--no-serve", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    orders = next(
        v for k, v in report["rows"].items() if k.startswith("olist_orders") and k.endswith("orders")
    )
    assert orders == {"read": 4, "accepted": 1, "rejected": 0, "set_aside": 3}
    assert any(
        "olist_orders_dataset.csv:3" in example for r in report["reasons"] for example in r["examples"]
    )


def write_input(folder: Path) -> None:
    files = {
        "olist_orders_dataset.csv": (
            "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
            "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
            "o1,c1,shipped,2018-01-01 10:00:00,2018-01-01 11:00:00,2018-01-02 09:00:00,,2018-01-09 00:00:00\n"
            "o2,c1,shipped,2018-01-01\n"
            "o3,c1,shipped,not a time,,,,\n"
            "o4,c9,shipped,2018-01-01 10:00:00,,,,\n"
        ),
        "olist_customers_dataset.csv": (
            "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
            "c1,p1,01000,sao paulo,SP\n"
        ),
        "olist_marketing_qualified_leads_dataset.csv": "mql_id,first_contact_date,landing_page_id,origin\n",
        "olist_sellers_dataset.csv": "seller_id,seller_zip_code_prefix,seller_city,seller_state\n",
        "olist_closed_deals_dataset.csv": (
            "mql_id,seller_id,sdr_id,sr_id,won_date,business_segment,lead_type,lead_behaviour_profile,has_company,"
            "has_gtin,average_stock,business_type,declared_product_catalog_size,declared_monthly_revenue\n"
        ),
        "olist_order_items_dataset.csv": (
            "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
            "o1,1,x,s,2018-01-03 00:00:00,10.00,1.50\n"
        ),
        "olist_order_payments_dataset.csv": (
            "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
            "o1,1,credit_card,1,11.50\n"
        ),
        "olist_order_reviews_dataset.csv": (
            "review_id,order_id,review_score,review_comment_title,review_comment_message,"
            "review_creation_date,review_answer_timestamp\n"
        ),
        "olist_products_dataset.csv": "product_id,product_category_name\nx,artes\n",
        "product_category_name_translation.csv": (
            "product_category_name,product_category_name_english\nartes,arts\n"
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def test_a_missing_folder_of_input_is_named(mesh: Path, hanse) -> None:
    one_message(hanse(mesh, "demo", "--data", "nowhere", "--no-serve"), "nowhere")


def test_a_full_disk_loses_nothing(mesh: Path, hanse, tmp_path: Path) -> None:
    data = tmp_path / "disk"
    data.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(data)]).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        one_message(hanse(mesh, "demo", "--days", "3", "--no-serve", HANSE_DATA=str(data)), str(data))
        subprocess.run(["mount", "-o", "remount,size=400m", str(data)], check=True)
        done = hanse(mesh, "demo", "--days", "3", "--no-serve", "--json", HANSE_DATA=str(data))
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(total["equal"] for total in json.loads(done.stdout)["totals"])
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_second_up_on_the_same_mesh_is_refused(mesh: Path, hanse) -> None:
    port = free_port()
    first = subprocess.Popen(
        [sys.executable, "-m", "hanse", "up", "--no-products"],
        cwd=mesh,
        env={**os.environ, "HANSE_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        lock = mesh / ".hanse/up.lock"
        wait_until(lambda: lock.exists() and "process" in lock.read_text())
        one_message(hanse(mesh, "up", HANSE_PORT=str(port)), "is up already", f"process {first.pid}")
    finally:
        first.terminate()
        assert first.wait(timeout=30) == 0


def test_a_port_in_use_is_named(mesh: Path, hanse) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        one_message(hanse(mesh, "up", "--no-products", HANSE_PORT=port), port)


def test_state_that_was_lost_stops_instead_of_appending(mesh: Path, hanse) -> None:
    assert hanse(mesh, "demo", "--days", "1", "--no-serve").returncode == 0
    (mesh / ".hanse/state/orders.placed_orders.duckdb").unlink()
    one_message(hanse(mesh, "product", "run", "orders.placed_orders"), "hanse product rebuild")
    before = rows(mesh, hanse)
    assert hanse(mesh, "product", "rebuild", "orders.placed_orders").returncode == 0
    assert rows(mesh, hanse) == before


def rows(mesh: Path, hanse) -> int:
    done = hanse(mesh, "product", "show", "orders.placed_orders", "--json")
    return json.loads(done.stdout)["rows"]


def test_a_broken_contract_keeps_readers_on_the_last_good_snapshot(mesh: Path, hanse) -> None:
    assert hanse(mesh, "demo", "--days", "1", "--no-serve").returncode == 0
    before = rows(mesh, hanse)
    contract = mesh / "domains/orders/products/placed_orders/contract.yaml"
    edit(contract, "version: 1.0.0", "version: 1.1.0")
    text = contract.read_text()
    marker = "    quality:\n"
    assert marker in text
    rule = "      - name: nothing_at_all\n        metric: rowCount\n        mustBe: 0\n"
    contract.write_text(text.replace(marker, marker + rule, 1))
    one_message(hanse(mesh, "product", "run", "orders.placed_orders"), "nothing_at_all", "rejected")
    assert rows(mesh, hanse) == before
    history = json.loads(hanse(mesh, "product", "history", "orders.placed_orders", "--json").stdout)
    assert history[0]["state"] == "rejected"
    released = hanse(
        mesh, "product", "release", "orders.placed_orders", str(history[0]["seq"]), "--reason", "x"
    )
    assert released.returncode == 0, released.stderr


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_demo_of_another_input_is_refused(mesh: Path, hanse) -> None:
    assert hanse(mesh, "demo", "--days", "1", "--no-serve").returncode == 0
    one_message(hanse(mesh, "demo", "--days", "2", "--no-serve"), "already holds another input")
    shutil.rmtree(mesh / ".hanse")
