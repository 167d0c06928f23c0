"""The demo as its user runs it: one command, real processes, totals against plain SQL over the input."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from helpers.domain_mesh import fifth_of_olist, needs_olist

ROOT = Path(__file__).resolve().parents[2]
HANSE = [sys.executable, "-m", "hanse"]
KILLS = 20


def hanse(data: Path, *arguments: str, check: bool = True, timeout: float = 600) -> str:
    done = subprocess.run(
        [*HANSE, *arguments],
        cwd=ROOT,
        env=os.environ | {"HANSE_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def query(data: Path, sql: str) -> list[dict[str, Any]]:
    return json.loads(hanse(data, "sql", sql, "--format", "json"))["rows"]


@pytest.fixture(scope="module", params=["a fifth", pytest.param("all", marks=pytest.mark.slow)])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real rows, or of every fifth order."""
    return needs_olist() if request.param == "all" else fifth_of_olist(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def olist(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    data = tmp_path_factory.mktemp("olist")
    return data, json.loads(hanse(data, "demo", "--data", str(rows), "--no-serve", "--json"))


def test_every_row_read_is_accounted_for(olist: tuple[Path, dict[str, Any]]) -> None:
    report = olist[1]
    assert report["rows"], "no file was read"
    for file, rows in report["rows"].items():
        assert rows["accepted"] + rows["rejected"] + rows["set_aside"] == rows["read"], file


def test_the_demo_reconciles_its_own_totals(olist: tuple[Path, dict[str, Any]]) -> None:
    totals = olist[1]["totals"]
    assert len(totals) >= 30
    assert all(total["expected"] == total["got"] for total in totals)
    assert any(Decimal(str(total["got"])) > 1_000_000 for total in totals), "no money was counted"


def test_orders_by_state_equals_plain_sql_over_the_csv_files(
    olist: tuple[Path, dict[str, Any]], rows: Path
) -> None:
    published = query(olist[0], "SELECT state, order_count FROM orders.orders_by_state ORDER BY state")
    expected = duckdb.sql(
        f"""SELECT customer_state, count(*) FROM '{rows}/olist_orders_dataset.csv'
            JOIN '{rows}/olist_customers_dataset.csv' USING (customer_id)
            WHERE order_id IN (SELECT order_id FROM '{rows}/olist_order_items_dataset.csv')
            GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert [(row["state"], row["order_count"]) for row in published] == expected


def totals_of(data: Path) -> list[dict[str, Any]]:
    return json.loads(hanse(data, "demo", "--days", "4", "--no-serve", "--json"))["totals"]


def test_killed_at_twenty_random_moments_the_rerun_gives_the_same_totals(tmp_path: Path) -> None:
    expected = totals_of(tmp_path / "whole")
    moments = random.Random(20)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [*HANSE, "demo", "--days", "4", "--no-serve", "--json"],
            cwd=ROOT,
            env=os.environ | {"HANSE_DATA": str(tmp_path / "killed")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.5, 6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert totals_of(tmp_path / "killed") == expected
