"""A small mesh in memory with a real log and a real registry, for projector tests."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import fastavro

from hanse.adapters.sqlite_log import SqliteLog
from hanse.model.mesh import Column, Contract, Domain, MeshModel, Product, Team, Topic
from hanse.ports.event_log import Record, TopicSpec
from hanse.projection import Projector
from hanse.publish.reader import Reader
from hanse.registry.embedded import EmbeddedRegistry
from hanse.settings import Settings
from hanse.wire.frame import frame

TEAM = Team("Shop")
SALE = {
    "type": "record",
    "name": "Sale",
    "fields": [
        {"name": "sale_id", "type": "string"},
        {"name": "state", "type": "string"},
        {
            "name": "amount",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2},
        },
        {"name": "sold_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
PERSON = {
    "type": "record",
    "name": "Person",
    "fields": [
        {"name": "person_id", "type": "string"},
        {"name": "state", "type": ["null", "string"]},
        {"name": "updated_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
BY_STATE = "SELECT state, COUNT(*) AS sales, SUM(amount) AS total\nFROM sales\nGROUP BY state\n"
BY_STATE_COLUMNS = (("state", "STRING"), ("sales", "BIGINT"), ("total", "DECIMAL(38, 2)"))


class ProjectionMesh:
    """Topics `shop.sales` (events) and `shop.people` (state) on a SQLite log in a folder."""

    def __init__(self, root: Path, *, partitions: int = 3, sync: Any = "normal") -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.log = SqliteLog(root / "log.db", sync=sync)
        self.registry = EmbeddedRegistry(root / "registry.db")
        (root / "sale.avsc").write_text(json.dumps(SALE))
        (root / "person.avsc").write_text(json.dumps(PERSON))
        self.sales = Topic(
            "shop", "sales", root / "sale.avsc", ("sale_id",), event_time="sold_at", partitions=partitions
        )
        self.people = Topic(
            "shop", "people", root / "person.avsc", ("person_id",), kind="state", partitions=partitions
        )
        self.topics = (self.sales, self.people)
        self.ids: dict[str, int] = {}
        for topic, schema in zip(self.topics, (SALE, PERSON), strict=True):
            cleanup: Any = "compact" if topic.kind == "state" else "delete"
            self.log.create_topic(TopicSpec(topic.full_name, partitions, cleanup))
            self.ids[topic.full_name] = self.registry.register(topic.subject, json.dumps(schema)).id

    def product(
        self,
        sql: str = BY_STATE,
        columns: Sequence[tuple[str, str]] = BY_STATE_COLUMNS,
        key: Sequence[str] = ("state",),
        inputs: tuple[str, ...] = ("shop.sales",),
        **custom: Any,
    ) -> Product:
        """A product of the domain `shop`, called `report`."""
        path = self.root / "projection.sql"
        path.write_text(sql)
        made = tuple(Column(n, "string", t, primary_key=n in key) for n, t in columns)
        properties = [{"property": n, "value": v} for n, v in custom.items()]
        contract = Contract(
            "c", "1.0.0", self.root / "contract.yaml", made, document={"customProperties": properties}
        )
        return Product("shop", "report", self.root, "1.0.0", "active", "", TEAM, contract, path, inputs)

    def model(self, *products: Product) -> MeshModel:
        """The mesh with these products."""
        domain = Domain("shop", self.root, TEAM, topics=self.topics)
        return MeshModel(self.root, (domain,), products)

    def projector(
        self, product: Product, con: duckdb.DuckDBPyConnection | None = None, **options: Any
    ) -> Projector:
        """A projector on the product's state file, or on the connection."""
        con = con or duckdb.connect(str(self.root / "state.duckdb"))
        reader = Reader(Settings(root=self.root, data=self.root / ".hanse"))
        model = self.model(product)
        return Projector(product, model, self.log, self.registry, con, reader=reader, **options)

    def value(self, topic: Topic, value: dict[str, Any]) -> bytes:
        """The framed bytes of a value."""
        out = io.BytesIO()
        schema = SALE if topic is self.sales else PERSON
        fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
        return frame(self.ids[topic.full_name], out.getvalue())

    def record(
        self, topic: Topic, value: dict[str, Any], position: int | None = None, source: str = "/shop"
    ) -> Record:
        """A record as the relay makes it; with a position when one is given."""
        headers: tuple[tuple[str, bytes], ...] = ()
        if position is not None:
            headers = (
                ("ce_id", b"x"),
                ("ce_source", source.encode()),
                ("ce_position", str(position).encode()),
            )
        return Record(self.value(topic, value), value[topic.key[0]].encode(), headers)

    def close(self) -> None:
        """Close log and registry."""
        self.log.close()
        self.registry.close()


def sale(number: int, state: str = "SP", amount: str = "10.00", minute: int = 0) -> dict[str, Any]:
    """One sale; `amount` in whole cents of text."""
    from decimal import Decimal

    moment = datetime.fromtimestamp(1_700_000_000 + 60 * minute, UTC)
    return {"sale_id": f"s{number}", "state": state, "amount": Decimal(amount), "sold_at": moment}


def person(name: str, state: str | None) -> dict[str, Any]:
    """One person's state."""
    return {"person_id": name, "state": state, "updated_at": datetime.fromtimestamp(1_700_000_000, UTC)}
