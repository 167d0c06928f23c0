"""Contracts from other formats, with every type as a product holds it, and into them; and an outside judge."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datacontract.data_contract import DataContract
from typer.testing import CliRunner

from hanse.cli.contract import app
from hanse.descriptors import load_mesh
from hanse.descriptors.types import physical_type
from hanse.errors import ConfigError
from hanse.interchange.exports import exported
from hanse.interchange.imports import imported
from hanse.model.mesh import Product

ROOT = Path(__file__).parents[3]
CONTRACTS = sorted(ROOT.glob("domains/*/products/*/contract.yaml"))

AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "string", "doc": "The order."},
        {"name": "total", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}], "default": None},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "to", "type": {"type": "record", "name": "To", "fields": [{"name": "zip", "type": "string"}]}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
    ],
}  # fmt: skip
JSON_SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "description": "The order."},
        "total": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
PROTOBUF = """syntax = "proto3";
message Order { string id = 1; int64 n = 2; repeated string tags = 3; To to = 4; message To { string zip = 1; } }"""
DDL = """CREATE TABLE orders (id VARCHAR(36), line INT, total NUMERIC(10, 2), at TIMESTAMP WITH TIME ZONE NOT NULL,
 tags TEXT[], PRIMARY KEY (id, line))"""
THRIFT = """enum Kind { A = 1, B = 2 }
struct To { 1: required string zip }
struct Order { 1: required string id, 2: i64 n, 3: list<string> tags, 4: To to, 5: Kind kind, 6: map<string, i32> m }"""
OPENAPI = """openapi: 3.0.0
info: {title: Orders, version: "1"}
servers: [{url: "https://api.example.org"}]
paths:
  /orders:
    get:
      responses:
        "200":
          description: all
          content:
            application/json:
              schema:
                type: array
                items: {type: object, required: [id], properties: {id: {type: string}, n: {type: integer}}}
"""


def parquet(path: Path) -> None:
    rows = pa.table({"id": ["a"], "total": [Decimal("1.20")], "at": [datetime(2026, 1, 1)], "tags": [["x"]]})
    pq.write_table(rows, path)


def columns(text: str) -> dict[str, str]:
    (table,) = yaml.safe_load(text)["schema"]
    return {p["name"]: p["physicalType"] for p in table["properties"]}


@pytest.mark.parametrize(
    ("form", "source", "expected"),
    [
        ("avro", json.dumps(AVRO), {"id": "STRING", "total": "DECIMAL(10, 2)", "tags": "ARRAY<STRING>", "to": "ROW<`zip` STRING>", "counts": "MAP<STRING, BIGINT>"}),
        ("jsonschema", json.dumps(JSON_SCHEMA), {"id": "STRING", "total": "DOUBLE", "tags": "ARRAY<STRING>"}),
        ("protobuf", PROTOBUF, {"id": "STRING", "n": "BIGINT", "tags": "ARRAY<STRING>", "to": "ROW<`zip` STRING>"}),
        ("sql", DDL, {"id": "STRING", "line": "INT", "total": "DECIMAL(10, 2)", "at": "TIMESTAMP_LTZ", "tags": "ARRAY<STRING>"}),
        ("thrift", THRIFT, {"id": "STRING", "n": "BIGINT", "tags": "ARRAY<STRING>", "to": "ROW<`zip` STRING>", "kind": "STRING", "m": "MAP<STRING, INT>"}),
        ("openapi", OPENAPI, {"id": "STRING", "n": "BIGINT"}),
        ("parquet", None, {"id": "STRING", "total": "DECIMAL(3, 2)", "at": "TIMESTAMP(6)", "tags": "ARRAY<STRING>"}),
    ],
)  # fmt: skip
def test_a_schema_becomes_a_contract(
    tmp_path: Path, form: Any, source: str | None, expected: dict[str, str]
) -> None:
    path = tmp_path / "source.thrift"
    if source is None:
        parquet(path)
    else:
        path.write_text(source, encoding="utf-8")
    text = imported(path, form, "orders.imported", "Orders", "postgres")
    assert columns(text) == expected
    for kind in expected.values():
        physical_type(kind)
    assert not _judge(text)


def test_keys_meanings_and_what_must_be_there_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_text(DDL, encoding="utf-8")
    (table,) = yaml.safe_load(imported(path, "sql", "orders.o", "Orders", "postgres"))["schema"]
    keys = {p["name"]: p.get("primaryKeyPosition") for p in table["properties"]}
    assert {n: k for n, k in keys.items() if k} == {"id": 1, "line": 2}
    assert [p["name"] for p in table["properties"] if p.get("required")] == ["id", "line", "at"]
    path.write_text(json.dumps(AVRO), encoding="utf-8")
    (table,) = yaml.safe_load(imported(path, "avro", "orders.o", "Orders"))["schema"]
    assert table["properties"][0]["description"] == "The order."
    assert [p["name"] for p in table["properties"] if p.get("required")] == ["id", "tags", "to", "counts"]


@pytest.mark.parametrize(
    ("form", "source", "what"),
    [
        ("avro", "{", "schema"),
        ("avro", "[" * 100_000, "schema"),
        ("jsonschema", "null", "no object"),
        ("protobuf", "message {", "schema|expected"),
        ("sql", "CREATE TABLE a (x INT); CREATE TABLE b (y INT)", "one table"),
        ("sql", "SELECT 1", "one table"),
        ("sql", "CREATE TABLE a (x GEOGRAPHY)", "a type that a product cannot hold"),
        ("sql", "CREATE TABLE (", "cannot be parsed"),
        ("parquet", "PAR1", "no Parquet"),
        ("thrift", "struct {", "cannot be parsed"),
        ("thrift", "enum A { B = 1 }", "no struct"),
        ("openapi", "openapi: 3.0.0", "cannot be converted"),
    ],
)
def test_what_is_no_schema_is_told(tmp_path: Path, form: Any, source: str, what: str) -> None:
    path = tmp_path / "source.thrift"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(Exception, match=what) as error:
        imported(path, form, "orders.o", "Orders")
    assert type(error.value).__module__ == "hanse.errors", repr(error.value)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        imported(tmp_path / "nothing", "avro", "orders.o", "Orders")


@pytest.fixture(scope="module")
def product() -> Product:
    found = load_mesh(ROOT).product("orders.order_status")
    assert found is not None
    return found


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "mysql", "snowflake", "bigquery", "clickhouse"])
def test_ddl_has_the_tables_own_types(product: Product, dialect: str) -> None:
    text, left_out = exported(product, "sql", dialect)
    assert "order_id" in text and left_out == ()
    if dialect == "duckdb":
        con = duckdb.connect()
        con.execute(f"CREATE SCHEMA orders; {text}")
        made = {row[0]: row[1] for row in con.execute("DESCRIBE orders.order_status").fetchall()}
        assert made == {c.name: physical_type(c.physical_type).duckdb for c in product.contract.columns}


def test_the_other_formats(product: Product) -> None:
    for form, sign in (
        ("avro", '"type": "record"'),
        ("jsonschema", '"properties"'),
        ("protobuf", "message OrderStatus"),
        ("pydantic", "class Order_status"),
        ("dbt", "models:"),
        ("mermaid", "erDiagram"),
        ("html", "<html"),
        ("markdown", "# orders.order_status"),
    ):
        text, left_out = exported(product, form)  # type: ignore[arg-type]
        assert sign in text and left_out == (), form


def test_a_rule_that_a_suite_cannot_say_is_named(product: Product) -> None:
    text, left_out = exported(product, "great-expectations")
    suite = json.loads(text)
    counts = [e for e in suite["expectations"] if e["type"] == "expect_table_row_count_to_be_between"]
    assert [e["kwargs"] for e in counts] == [{"min_value": 1}]
    said = {rule.name for rule in product.contract.quality} - set(left_out)
    assert "totals_add_up" in left_out and "has_rows" in said


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = CliRunner()
    (tmp_path / "a.sql").write_text(DDL, encoding="utf-8")
    target = tmp_path / "contract.yaml"
    made = run.invoke(
        app,
        [
            "import",
            "sql",
            str(tmp_path / "a.sql"),
            "--product",
            "orders.o",
            "--dialect",
            "postgres",
            "-o",
            str(target),
        ],
    )
    assert made.exit_code == 0, made.output
    assert columns(target.read_text(encoding="utf-8"))["total"] == "DECIMAL(10, 2)"
    shown = run.invoke(app, ["export", "mermaid", "orders.order_status"])
    assert shown.exit_code == 0 and "erDiagram" in shown.output


def test_an_outside_judge_accepts_our_contracts() -> None:
    told = {path.parent.name: _judge(path.read_text(encoding="utf-8")) for path in CONTRACTS}
    assert len(told) > 10
    assert not {name: faults for name, faults in told.items() if faults}


def _judge(text: str) -> list[str]:
    run = DataContract(data_contract_str=text, inline_references=False).lint()
    return [f"{c.name}: {c.reason}" for c in run.checks or [] if c.result not in ("passed", "warning")]
