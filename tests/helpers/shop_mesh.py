"""A mesh on disk whose products read each other: shop → reporting → board; fed record by record."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fastavro

from hanse.bootstrap import Mesh
from hanse.ports.event_log import Record, TopicSpec
from hanse.publish.reader import Reader
from hanse.settings import Settings
from hanse.wire.frame import frame

START = datetime(2026, 1, 1, tzinfo=UTC)
SALE: dict[str, Any] = {
    "type": "record",
    "name": "Sale",
    "fields": [
        {"name": "sale_id", "type": "string"},
        {"name": "state", "type": "string"},
        {"name": "amount", "type": "long"},
        {"name": "sold_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
BY_STATE = "SELECT state, COUNT(*) AS sales, SUM(amount) AS total FROM sales GROUP BY state"
LINES = "SELECT sale_id, state, amount, sold_at FROM sales"
BANDS = (
    "SELECT CASE WHEN total >= 100 THEN 'high' ELSE 'low' END AS band, COUNT(*) AS states, SUM(sales) AS sales\n"
    "FROM shop.by_state GROUP BY CASE WHEN total >= 100 THEN 'high' ELSE 'low' END"
)
TOP = "SELECT 'all' AS scope, MAX(states) AS most, SUM(sales) AS sales FROM reporting.bands"
PRODUCTS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "shop.by_state": ("shop.sales", ("state STRING KEY", "sales BIGINT", "total BIGINT"), BY_STATE),
    "shop.lines": (
        "shop.sales",
        ("sale_id STRING", "state STRING", "amount BIGINT", "sold_at TIMESTAMP"),
        LINES,
    ),
    "reporting.bands": ("shop.by_state", ("band STRING KEY", "states BIGINT", "sales BIGINT"), BANDS),
    "board.top": ("reporting.bands", ("scope STRING KEY", "most BIGINT", "sales BIGINT"), TOP),
}


def write_product(
    root: Path,
    name: str,
    inputs: str | Sequence[str],
    columns: Sequence[Any],
    sql: str,
    *,
    access: str = "public",
    version: str = "1.0.0",
    quality: Sequence[Mapping[str, Any]] = (),
    **custom: Any,
) -> None:
    """Descriptors of a product; a column is `name TYPE [KEY]`, or its ODCS property as a mapping."""
    domain, short = name.split(".")
    folder = root / "domains" / domain / "products" / short
    folder.mkdir(parents=True, exist_ok=True)
    ports = [{"name": i} for i in ([inputs] if isinstance(inputs, str) else inputs)]
    product = {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": name,
        "name": short,
        "version": version,
        "status": "active",
        "inputPorts": ports,
        "outputPorts": [{"name": short, "version": version, "contractId": name}],
        "team": {"name": domain.title()},
        "customProperties": [{"property": "access", "value": access}],
    }
    table = {"name": short, "properties": _properties(columns), "quality": list(quality)}
    contract = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": name,
        "version": version,
        "status": "active",
        "team": {"name": domain.title()},
        "schema": [table],
        "customProperties": [{"property": k, "value": v} for k, v in custom.items()],
    }
    (folder / "product.yaml").write_text(json.dumps(product), encoding="utf-8")
    (folder / "contract.yaml").write_text(json.dumps(contract), encoding="utf-8")
    (folder / "projection.sql").write_text(sql + "\n", encoding="utf-8")


def _properties(columns: Sequence[Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for column in columns:
        if not isinstance(column, str):
            made.append(dict(column))
            continue
        name, kind, *key = column.split(" ")
        logical = {"STRING": "string", "BIGINT": "integer", "INT": "integer", "TIMESTAMP": "timestamp"}[kind]
        spec: dict[str, Any] = {"name": name, "logicalType": logical, "physicalType": kind}
        if key:
            position = sum(bool(p.get("primaryKey")) for p in made) + 1
            spec |= {"primaryKey": True, "primaryKeyPosition": position}
        made.append(spec)
    return made


def write_mesh(root: Path, products: Sequence[str] = tuple(PRODUCTS)) -> Path:
    """The mesh with these of PRODUCTS; returns its root."""
    (root / "hanse.toml").parent.mkdir(parents=True, exist_ok=True)
    (root / "hanse.toml").write_text('log = "sqlite:?sync=normal"\n', encoding="utf-8")
    for domain in ("shop", "reporting", "board"):
        folder = root / "domains" / domain
        (folder / "events").mkdir(parents=True, exist_ok=True)
        topics: dict[str, Any] = {}
        if domain == "shop":
            (folder / "events/sale.avsc").write_text(json.dumps(SALE), encoding="utf-8")
            topics = {
                "sales": {
                    "schema": "events/sale.avsc",
                    "key": ["sale_id"],
                    "event_time": "sold_at",
                    "partitions": 2,
                }
            }
        text = {"domain": domain, "team": {"name": domain.title()}, "topics": topics}
        (folder / "domain.yaml").write_text(json.dumps(text), encoding="utf-8")
    for name in products:
        inputs, columns, sql = PRODUCTS[name]
        write_product(root, name, inputs, columns, sql)
    return root


def settings_of(root: Path) -> Settings:
    """Settings of the mesh at `root`."""
    return Settings(root=root, data=root / ".hanse", log="sqlite:?sync=normal")


def sell(
    mesh: Mesh,
    sales: Sequence[tuple[str, int]],
    first: int = 0,
    topic: str = "shop.sales",
    partitions: int = 2,
) -> None:
    """Produce sales of (state, amount), numbered from `first`, a minute apart."""
    schema = fastavro.parse_schema(json.loads(json.dumps(SALE)))
    schema_id = mesh.registry.register(f"{topic}-value", json.dumps(SALE)).id
    mesh.log.create_topic(TopicSpec(topic, partitions))
    records: list[Record] = []
    for number, (state, amount) in enumerate(sales, first):
        out = io.BytesIO()
        moment = START + timedelta(minutes=number)
        fastavro.schemaless_writer(
            out, schema, {"sale_id": f"s{number}", "state": state, "amount": amount, "sold_at": moment}
        )
        records.append(Record(frame(schema_id, out.getvalue()), f"s{number}".encode()))
    mesh.log.produce(topic, records)


def rows_of(root: Path, name: str, as_of: Any = None) -> list[tuple[Any, ...]]:
    """What readers see of a product, sorted."""
    with duckdb.connect() as con:
        return sorted(con.execute(Reader(settings_of(root)).scan(name, as_of).sql).fetchall(), key=repr)
