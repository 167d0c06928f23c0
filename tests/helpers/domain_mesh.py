"""A mesh with the reference domains' descriptors and schemas, in a folder of its own, without products."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from hanse.bootstrap import Mesh

ROOT = Path(__file__).resolve().parents[2]
OLIST = ROOT.parent / "shared/data/olist"
CHILDREN = ("order_items", "order_payments", "order_reviews")


def make_mesh(root: Path, *domains: str) -> Mesh:
    root.mkdir(parents=True, exist_ok=True)
    (root / "hanse.toml").write_text("")
    for domain in domains or ("customers", "orders"):
        shutil.copytree(
            ROOT / "domains" / domain,
            root / "domains" / domain,
            ignore=shutil.ignore_patterns("products", "src", "__pycache__"),
            dirs_exist_ok=True,
        )
    return Mesh.open(root)


def needs_olist() -> Path:
    if not OLIST.is_dir():
        reason = f"the Olist sample is not at {OLIST}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return OLIST


def fifth_of_olist(folder: Path) -> Path:
    """Fill the folder with every fifth order of the real rows, and with the rows that belong to it."""
    olist = needs_olist()
    for path in olist.glob("*.csv"):
        shutil.copy(path, folder / path.name)
    options = "header = true, all_varchar = true, quote = '\"'"
    write = "(HEADER, DELIMITER ',')"
    with duckdb.connect() as sql:
        sql.execute(
            f"CREATE TABLE orders AS SELECT * FROM (SELECT *, row_number() OVER () AS n FROM read_csv("
            f"'{olist}/olist_orders_dataset.csv', {options})) WHERE n % 5 = 0"
        )
        sql.execute("ALTER TABLE orders DROP n")
        sql.execute(f"COPY orders TO '{folder}/olist_orders_dataset.csv' {write}")
        for name, key in (*((c, "order_id") for c in CHILDREN), ("customers", "customer_id")):
            file = f"olist_{name}_dataset.csv"
            source = f"FROM read_csv('{olist}/{file}', {options}) SEMI JOIN orders USING ({key})"
            sql.execute(f"COPY ({source}) TO '{folder}/{file}' {write}")
    return folder
