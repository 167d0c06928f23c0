"""From the log to committed state: a stateless product, a keyed upsert and a window, on the embedded log.

    python benchmarks/projector.py [EVENTS | --short]

Prints events a second from the first read to the last commit, processor seconds, and bytes of state.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from decode import AVRO, avro_values, values

from hanse.adapters.sqlite_log import SqliteLog
from hanse.model.mesh import Column, Contract, Domain, MeshModel, Product, Team, Topic
from hanse.ports.event_log import RECORDS, TopicSpec
from hanse.projection import Projector
from hanse.publish.reader import Reader
from hanse.registry.embedded import EmbeddedRegistry
from hanse.settings import Settings

TEAM = Team("Benchmark")
SHAPES: dict[str, tuple[str, str, str, tuple[tuple[str, str], ...], tuple[str, ...]]] = {
    "stateless": (
        "orders",
        "update",
        "SELECT order_id, state, amount FROM orders WHERE items > 1",
        (("order_id", "STRING"), ("state", "STRING"), ("amount", "DOUBLE")),
        (),
    ),
    "keyed upsert": (
        "customers",
        "update",
        "SELECT customer_id, state, amount FROM customers",
        (("customer_id", "STRING"), ("state", "STRING"), ("amount", "DOUBLE")),
        ("customer_id",),
    ),
    "window": (
        "orders",
        "update",
        "SELECT window_start, state, COUNT(*) AS orders, SUM(items) AS items\n"
        "FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(placed_at), INTERVAL '1' HOUR))\n"
        "GROUP BY window_start, window_end, state",
        (("window_start", "TIMESTAMP(6)"), ("state", "STRING"), ("orders", "BIGINT"), ("items", "BIGINT")),
        ("window_start", "state"),
    ),
}


def fill(log: SqliteLog, topic: str, keys: list[str], made: list[bytes]) -> None:
    """Produce in batches, over four partitions, with the headers of a relay."""
    batch = 50_000
    for start in range(0, len(made), batch):
        part = range(start, min(start + batch, len(made)))
        headers = [
            [
                {"name": "ce_source", "value": b"/bench"},
                {"name": "ce_id", "value": b"%d" % i},
                {"name": "ce_position", "value": b"%d" % i},
            ]
            for i in part
        ]
        columns: dict[str, Any] = {
            "partition": [i * 4 // len(made) for i in part],
            "timestamp": [1_767_225_600_000 + i for i in part],
            "key": [keys[i].encode() for i in part],
            "value": [made[i] for i in part],
            "headers": headers,
        }
        log.produce_table(topic, pa.table(columns, schema=RECORDS.remove(RECORDS.get_field_index("offset"))))


def product(folder: Path, name: str) -> tuple[Product, str]:
    """The product of a shape, and its topic."""
    topic, emission, sql, columns, key = SHAPES[name]
    path = folder / f"{name.replace(' ', '_')}.sql"
    path.write_text(sql)
    made = tuple(Column(n, "string", t, primary_key=n in key) for n, t in columns)
    contract = Contract("bench", "1.0.0", folder / "contract.yaml", made)
    return Product(
        "bench",
        "report",
        folder,
        "1.0.0",
        "active",
        "",
        TEAM,
        contract,
        path,
        (f"bench.{topic}",),
        emission=emission,  # type: ignore[arg-type]
    ), topic


def main() -> None:
    """Measure and print."""
    count = 50_000 if "--short" in sys.argv else int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory(prefix="hanse-bench-") as name:
        folder = Path(name)
        (folder / "order.avsc").write_text(json.dumps(AVRO))
        log, registry = SqliteLog(folder / "log.db"), EmbeddedRegistry(folder / "registry.db")
        schema = folder / "order.avsc"
        topics = (
            Topic("bench", "orders", schema, ("order_id",), event_time="placed_at"),
            Topic("bench", "customers", schema, ("customer_id",), kind="state", event_time="placed_at"),
        )
        model = MeshModel(folder, (Domain("bench", folder, TEAM, topics=topics),), ())
        sample = values(min(count, 100_000))
        random.Random(3).shuffle(sample)
        made = avro_values(sample)
        repeats = max(1, count // len(made))
        for topic in topics:
            cleanup: Any = "compact" if topic.kind == "state" else "delete"
            log.create_topic(TopicSpec(topic.full_name, 4, cleanup))
            schema_id = registry.register(topic.subject, schema.read_text()).id
            framed = [v[:1] + schema_id.to_bytes(4, "big") + v[5:] for v in made] * repeats
            fill(log, topic.full_name, [r[topic.key[0]] for r in sample] * repeats, framed)
        reader = Reader(Settings(root=folder, data=folder))
        for shape in SHAPES:
            made_product, _ = product(folder, shape)
            state = folder / f"{shape}.duckdb"
            con = duckdb.connect(str(state))
            projector = Projector(made_product, model, log, registry, con, reader=reader)
            cpu = time.process_time()
            report = projector.run_to_head()
            cpu = time.process_time() - cpu
            con.close()
            assert report.applied == report.records == len(made) * repeats, report
            rate = report.records / report.seconds
            size = state.stat().st_size
            print(
                f"{shape}: {rate:,.0f} events/s, {cpu:.1f} s of processor for {report.records:,} events, "
                f"{report.batches} batches, {size / report.records:.0f} bytes of state an event"
            )
        log.close()
        registry.close()
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
