"""Decode a million values to Arrow: a column at a time against one by one, on one core.

    python benchmarks/decode.py [RECORDS | --short]

Prints records a second for Avro, JSON and Protobuf, flat records of seven fields, and how many times as
fast that is as each of the ways to read a value by itself and make a table of the rows, in the same run:

message   what one writes by hand: fastavro, the Protobuf library, json.loads with the schema validated by
          jsonschema-rs and the time parsed
client    the deserializer of confluent-kafka for the format, which validates JSON too
exact     the row decoder of Hanse, which refuses the very values that the fast path refuses
bare      json.loads alone: no validation, times stay text, what does not fit is not seen

Targets: 1,000,000 records/s, and 15 times `client` and `exact`, the ways that check as much as the fast
path does; those that check less are shown beside them.
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


def table_of(rows: list[dict[str, Any]]) -> int:
    """The rows as a table; how many there are."""
    import pyarrow as pa

    return pa.Table.from_pylist(rows).num_rows


def client_of(kind: str, text: str) -> Callable[[Any], int]:
    """The deserializer of confluent-kafka, over a registry in this process that knows one schema."""
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.schema_registry.json_schema import JSONDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    registry = SchemaRegistryClient.new_client({"url": "mock://"})
    schema_id = registry.register_schema("orders-value", Schema(text, kind))
    make = (
        AvroDeserializer(registry)
        if kind == "AVRO"
        else JSONDeserializer(text, schema_registry_client=registry)
    )
    context = SerializationContext("orders", MessageField.VALUE)
    frame = b"\0" + schema_id.to_bytes(4, "big")
    skip = 5 if kind == "AVRO" else 0
    return lambda batch: table_of([make(frame + v[skip:], context) for v in batch])


def avro_peers() -> dict[str, Callable[[Any], int]]:
    """Ways to read Avro one by one."""
    import fastavro

    from hanse.wire.avro.resolve import resolve
    from hanse.wire.avro.rows import read_row
    from hanse.wire.avro.schema import parse

    schema: Any = fastavro.parse_schema(json.loads(json.dumps(AVRO)))
    plan = resolve(parse(AVRO), parse(AVRO))
    return {
        "message": lambda batch: table_of(
            [fastavro.schemaless_reader(io.BytesIO(v[5:]), schema, schema) for v in batch]
        ),
        "client": client_of("AVRO", json.dumps(AVRO)),
        "exact": lambda batch: table_of([read_row(plan, v[5:]) for v in batch]),
    }


def json_peers() -> dict[str, Callable[[Any], int]]:
    """Ways to read JSON one by one."""
    import jsonschema_rs

    from hanse.wire.json.rows import load, read_value
    from hanse.wire.json.types import parse_json_schema

    validate = jsonschema_rs.validator_for(JSON, validate_formats=True).validate
    kind = parse_json_schema(JSON)

    def by_hand(value: bytes) -> dict[str, Any]:
        row = json.loads(value)
        validate(row)
        return {**row, "placed_at": datetime.fromisoformat(row["placed_at"])}

    return {
        "message": lambda batch: table_of([by_hand(v) for v in batch]),
        "client": client_of("JSON", json.dumps(JSON)),
        "exact": lambda batch: table_of([read_value(kind, load(v)) for v in batch]),
        "bare": lambda batch: table_of([json.loads(v) for v in batch]),
    }


def proto_peers() -> dict[str, Callable[[Any], int]]:
    """Ways to read Protobuf one by one; the library's message is read into a row by its columns."""
    from hanse.wire.protobuf.rows import read_message
    from hanse.wire.protobuf.types import columns_of_message, load_message, message_class

    message = load_message(PROTO)
    order, columns = message_class(message), columns_of_message(message)

    def by_hand(value: bytes) -> dict[str, Any]:
        made = order.FromString(value)
        return {
            "order_id": made.order_id,
            "customer_id": made.customer_id,
            "state": made.state,
            "amount": made.amount,
            "items": made.items,
            "placed_at": made.placed_at.ToDatetime(),
            "coupon": made.coupon if made.HasField("coupon") else None,
        }

    return {
        "message": lambda batch: table_of([by_hand(v[6:]) for v in batch]),
        "exact": lambda batch: table_of([read_message(order, columns, v[6:]) for v in batch]),
    }


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
    registry: Any = OneSchema
    for name, made, decoder, peers in (
        ("Avro", avro_values(sample), Decoder(registry("AVRO", json.dumps(AVRO)), AVRO), avro_peers()),
        ("JSON", json_values(sample), JsonDecoder(None, JSON), json_peers()),
        (
            "Protobuf",
            proto_values(sample),
            ProtobufDecoder(registry("PROTOBUF", PROTO), PROTO),
            proto_peers(),
        ),
    ):
        table = pa.table({"value": pa.array(made, pa.large_binary())})

        def fast(batch: Any, decoder: Any = decoder) -> int:
            got = decoder.decode(batch)
            assert not got.poison, got.poison[:3]
            return got.table.num_rows

        many = rate(fast, [table] * repeats, rounds=3)
        print(f"{name}: {many:,.0f} records/s a column at a time")
        for peer, slow in peers.items():
            one = rate(slow, [made[:20_000]])
            print(f"  {peer:<8} {one:>9,.0f}/s one by one, ratio {many / one:.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{count:,} records of seven fields, one core, peak {peak} MB")


if __name__ == "__main__":
    main()
