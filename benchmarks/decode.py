"""Decode a million values to Arrow: a column at a time against one by one, on one core.

    python benchmarks/decode.py [RECORDS | --short]

Prints records a second for Avro, JSON and Protobuf, flat records of seven fields, and how many times as
fast it is as reading each value by itself (fastavro, json.loads, the Protobuf library, then
Table.from_pylist) in the same run.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "order_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "state", "type": "string"},
        {"name": "amount", "type": "double"},
        {"name": "items", "type": "int"},
        {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "coupon", "type": ["null", "string"]},
    ],
}
JSON = {
    "type": "object",
    "required": ["order_id", "customer_id", "state", "amount", "items", "placed_at"],
    "properties": {
        "order_id": {"type": "string"},
        "customer_id": {"type": "string"},
        "state": {"type": "string"},
        "amount": {"type": "number"},
        "items": {"type": "integer"},
        "placed_at": {"type": "string", "format": "date-time"},
        "coupon": {"type": ["string", "null"]},
    },
}
PROTO = """
syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Order {
  string order_id = 1;
  string customer_id = 2;
  string state = 3;
  double amount = 4;
  int32 items = 5;
  google.protobuf.Timestamp placed_at = 6;
  optional string coupon = 7;
}
"""
BATCH = 100_000


class OneSchema:
    """A registry of one schema, id 1."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text

    def by_id(self, schema_id: int) -> Any:
        """The schema."""
        from hanse.ports.schema_registry import RegisteredSchema

        return RegisteredSchema("orders-value", 1, schema_id, self.kind, self.text)  # type: ignore[arg-type]


def values(count: int) -> list[dict[str, Any]]:
    """Orders from a fixed seed."""
    r = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "order_id": f"order-{i:08d}",
            "customer_id": f"customer-{r.randrange(200_000)}",
            "state": r.choice(["SP", "RJ", "MG", "RS", "PR", "BA"]),
            "amount": round(r.uniform(1, 500), 2),
            "items": r.randint(1, 9),
            "placed_at": start + timedelta(milliseconds=37 * i),
            "coupon": f"C{i % 97}" if r.random() < 0.2 else None,
        }
        for i in range(count)
    ]


def avro_values(rows: list[dict[str, Any]]) -> list[bytes]:
    """Framed Avro."""
    import fastavro

    schema = fastavro.parse_schema(json.loads(json.dumps(AVRO)))
    made: list[bytes] = []
    for row in rows:
        out = io.BytesIO(b"\0\0\0\0\1")
        out.seek(5)
        fastavro.schemaless_writer(out, schema, row)
        made.append(out.getvalue())
    return made


def json_values(rows: list[dict[str, Any]]) -> list[bytes]:
    """Plain JSON, compact."""
    return [
        json.dumps(
            {**r, "placed_at": r["placed_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")}, separators=(",", ":")
        ).encode()
        for r in rows
    ]


def proto_values(rows: list[dict[str, Any]]) -> list[bytes]:
    """Framed Protobuf."""
    from hanse.wire.protobuf.types import load_message, message_class

    order = message_class(load_message(PROTO))
    return [b"\0\0\0\0\1\0" + order(**row).SerializeToString() for row in rows]


def rate(step: Callable[[Any], int], batches: list[Any], rounds: int = 1) -> float:
    """Records a second of processor time, the best of the rounds."""
    best = 0.0
    for _ in range(rounds):
        started = time.process_time()
        count = sum(step(batch) for batch in batches)
        best = max(best, count / (time.process_time() - started))
    return best


def by_one_avro(batch: Any) -> int:
    """One call a message, then a table."""
    import fastavro
    import pyarrow as pa

    schema = fastavro.parse_schema(json.loads(json.dumps(AVRO)))
    rows = [fastavro.schemaless_reader(io.BytesIO(v[5:]), schema, schema) for v in batch]
    return pa.Table.from_pylist(rows).num_rows


def by_one_json(batch: Any) -> int:
    """One call a message, then a table."""
    import pyarrow as pa

    return pa.Table.from_pylist([json.loads(v) for v in batch]).num_rows


def by_one_proto(batch: Any) -> int:
    """One call a message, then a table."""
    import pyarrow as pa

    from hanse.wire.protobuf.rows import read_message
    from hanse.wire.protobuf.types import columns_of_message, load_message, message_class

    message = load_message(PROTO)
    order, columns = message_class(message), columns_of_message(message)
    return pa.Table.from_pylist([read_message(order, columns, v[6:]) for v in batch]).num_rows


def main() -> None:
    """Measure and print."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    import pyarrow as pa

    pa.set_cpu_count(1)
    from hanse.wire.decoder import Decoder
    from hanse.wire.json.decoder import JsonDecoder
    from hanse.wire.protobuf.decoder import ProtobufDecoder

    count = 100_000 if "--short" in sys.argv else int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    sample = values(min(count, BATCH))
    repeats = max(1, count // len(sample))
    for name, made, decoder, slow in (
        ("Avro", avro_values(sample), Decoder(OneSchema("AVRO", json.dumps(AVRO)), AVRO), by_one_avro),  # type: ignore[arg-type]
        ("JSON", json_values(sample), JsonDecoder(None, JSON), by_one_json),
        (
            "Protobuf",
            proto_values(sample),
            ProtobufDecoder(OneSchema("PROTOBUF", PROTO), PROTO),
            by_one_proto,
        ),  # type: ignore[arg-type]
    ):
        table = pa.table({"value": pa.array(made, pa.large_binary())})

        def fast(batch: Any, decoder: Any = decoder) -> int:
            got = decoder.decode(batch)
            assert not got.poison, got.poison[:3]
            return got.table.num_rows

        one = rate(slow, [made])
        many = rate(fast, [table] * repeats, rounds=3)
        print(
            f"{name}: {many:,.0f} records/s a column at a time, {one:,.0f} one by one, ratio {many / one:.1f}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{count:,} records of seven fields, one core, peak {peak} MB")


if __name__ == "__main__":
    main()
