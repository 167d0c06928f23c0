"""Topics as others write them: Debezium, Kafka Connect, plain JSON, Confluent's serializers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro

from hanse.ports.event_log import Record
from hanse.ports.schema_registry import SchemaRegistry
from hanse.wire.frame import frame

STATES = ("SP", "RJ", "MG")
PEOPLE = 30
CONNECT_FIELDS = [
    {"field": "id", "type": "int64", "optional": False},
    {"field": "email", "type": "string", "optional": True},
    {"field": "state", "type": "string", "optional": True},
    {"field": "updated_at", "type": "int64", "name": "io.debezium.time.MicroTimestamp", "optional": False},
]
VALUE: dict[str, Any] = {
    "type": "record",
    "name": "Value",
    "namespace": "shop.customers",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "email", "type": ["null", "string"], "default": None},
        {"name": "state", "type": ["null", "string"], "default": None},
        {"name": "updated_at", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}},
    ],
}
ENVELOPE: dict[str, Any] = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop.customers",
    "fields": [
        {"name": "before", "type": ["null", VALUE], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"},
    ],
}
KEY = {
    "type": "record",
    "name": "Key",
    "namespace": "shop.customers",
    "fields": [{"name": "id", "type": "long"}],
}


def person(number: int, state: str | None = None) -> dict[str, Any]:
    """A row; `state` by number unless given."""
    at = 1_700_000_000_000_000 + number
    return {"id": number, "email": f"p{number}@x", "state": state or STATES[number % 3], "updated_at": at}


Change = tuple[str, int, dict[str, Any] | None, dict[str, Any] | None]


def changes() -> list[Change]:
    """(op, id, before, after): all are created, 0 moves from SP to RJ, 1 (RJ) is deleted."""
    made: list[Change] = [("c", n, None, person(n)) for n in range(PEOPLE)]
    return [*made, ("u", 0, None, person(0, "RJ")), ("d", 1, person(1), None)]


BY_STATE = {("MG", 10), ("RJ", 10), ("SP", 9)}
"""What `changes` leave, by state."""


def wrapped(payload: Any, fields: list[dict[str, Any]]) -> bytes:
    """As Kafka Connect's JsonConverter writes it with schemas."""
    schema = {"type": "struct", "fields": fields, "optional": False}
    return json.dumps({"schema": schema, "payload": payload}).encode()


def debezium_json() -> list[Record]:
    """Change events with schema and payload, keys too, a tombstone after each delete."""
    image = {"type": "struct", "fields": CONNECT_FIELDS, "optional": True}
    fields = [{**image, "field": "before"}, {**image, "field": "after"}, {"type": "string", "field": "op"}]
    made: list[Record] = []
    for op, number, before, after in changes():
        key = wrapped({"id": number}, CONNECT_FIELDS[:1])
        made.append(Record(wrapped({"before": before, "after": after, "op": op}, fields), key))
        made += [Record(None, key)] if op == "d" else []
    return made


def debezium_avro(registry: SchemaRegistry) -> list[Record]:
    """The same in Avro, as Confluent's converter writes it."""
    value_id = registry.register("shop.customers-value", json.dumps(ENVELOPE)).id
    key_id = registry.register("shop.customers-key", json.dumps(KEY)).id
    made: list[Record] = []
    for op, number, before, after in changes():
        key = framed(key_id, KEY, {"id": number})
        made.append(Record(framed(value_id, ENVELOPE, {"before": before, "after": after, "op": op}), key))
        made += [Record(None, key)] if op == "d" else []
    return made


def framed(schema_id: int, schema: dict[str, Any], value: Any) -> bytes:
    """Avro in Confluent's frame."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return frame(schema_id, out.getvalue())


def upserts(encode: Callable[[dict[str, Any]], bytes], key: Callable[[int], bytes]) -> list[Record]:
    """Rows by key, null for what is deleted."""
    return [
        Record(None if after is None else encode(after), key(number)) for _, number, _, after in changes()
    ]
