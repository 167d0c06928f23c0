"""Hanse's projector: from Kafka to the committed window state of a product. `READER` is the fourth argument."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
from shared import Result, race

from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.engine import Engine
from hanse.model.mesh import Column, Contract, Domain, MeshModel, Product, Team, Topic
from hanse.projection import Projector
from hanse.publish.reader import Reader
from hanse.registry.embedded import EmbeddedRegistry
from hanse.settings import Settings
from hanse.wire.json.decoder import JsonDecoder

SCHEMA = {
    "type": "object",
    "required": ["state", "order_id", "items", "amount", "placed_at"],
    "properties": {
        "state": {"type": "string"},
        "order_id": {"type": "string"},
        "items": {"type": "integer"},
        "amount": {"type": "number"},
        "placed_at": {"type": "string", "format": "date-time"},
    },
}
SQL = """
SELECT window_start, window_end, state, COUNT(*) AS orders, SUM(items) AS items
FROM TABLE(TUMBLE(TABLE {topic}, DESCRIPTOR(placed_at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, state
"""
COLUMNS = (
    ("window_start", "TIMESTAMP(6)"),
    ("window_end", "TIMESTAMP(6)"),
    ("state", "STRING"),
    ("orders", "BIGINT"),
    ("items", "BIGINT"),
)
BATCH = 100_000


def project(address: str, topic: str, count: int) -> Result:
    """Run to the head of the topic, each batch one transaction of state and offsets."""
    del count
    with tempfile.TemporaryDirectory(prefix="hanse-race-") as name:
        folder = Path(name)
        (folder / "orders.json").write_text(json.dumps(SCHEMA))
        (folder / "orders.sql").write_text(SQL.format(topic=topic))
        domain, _, short = topic.partition(".")
        team = Team("Race")
        orders = Topic(domain, short, folder / "orders.json", ("state",), event_time="placed_at")
        made = tuple(Column(n, "string", t, primary_key=n not in {"orders", "items"}) for n, t in COLUMNS)
        contract = Contract(domain, "1.0.0", folder / "contract.yaml", made)
        product = Product(
            domain, "report", folder, "1.0.0", "active", "", team, contract, folder / "orders.sql", (topic,)
        )
        model = MeshModel(folder, (Domain(domain, folder, team, topics=(orders,)),), ())
        log = KafkaLog(kafka_settings(f"kafka://{address}?reader={sys.argv[4]}"))
        registry = EmbeddedRegistry(folder / "registry.db")
        con = duckdb.connect(str(folder / "state.duckdb"))
        reader = Reader(Settings(root=folder, data=folder))
        projector = Projector(product, model, log, registry, con, reader=reader)
        marks = [time.perf_counter()]
        projector.run_to_head(lambda *_: marks.append(time.perf_counter()), max_batch=BATCH)
        events, items, rows = total(con, projector.engine)
        log.close()
        con.close()
    return Result(events, items, rows, [b - a for a, b in pairwise(marks)])


def total(con: duckdb.DuckDBPyConnection, engine: Engine) -> tuple[int, int, int]:
    """Events, items and rows of the product."""
    output = engine.output(next(iter(engine.sinks)))
    return con.execute(f"SELECT sum(orders), sum(items), count(*) FROM {output}").fetchall()[0]


JsonDecoder(None, SCHEMA).decode(
    pa.table({"value": pa.array([b"{}"], pa.large_binary())})
)  # loads what it uses
race(project)
