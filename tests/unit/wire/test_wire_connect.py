"""Kafka Connect's JSON and Debezium's change events: what comes out is what stands inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from hanse.errors import SchemaError
from hanse.ports.event_log import RECORDS
from hanse.ports.schema_registry import RegisteredSchema
from hanse.wire.debezium import TRUNCATED, UNKNOWN, DebeziumDecoder
from hanse.wire.decoded import Decoded
from hanse.wire.frame import frame
from hanse.wire.json.connect import unwrapped
from hanse.wire.json.decoder import JsonDecoder

CONNECT = "org.apache.kafka.connect.data."
ROW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "state": {"type": "string"},
        "at": {"type": "integer", "title": f"{CONNECT}Timestamp"},
        "born": {"type": "integer", "title": "io.debezium.time.Date"},
        "paid": {
            "type": "string",
            "title": f"{CONNECT}Decimal",
            "connect.parameters": {"scale": "2", "connect.decimal.precision": "18"},
        },
    },
    "required": ["id"],
}
SCHEMA = {
    "type": "struct",
    "fields": [{"field": "id", "type": "int64", "optional": False}],
    "optional": False,
}


def rows(values: Sequence[bytes | None]) -> pa.Table:
    count = len(values)
    columns = {"partition": [0] * count, "offset": list(range(count)), "timestamp": [0] * count}
    return pa.table({**columns, "key": [None] * count, "value": values, "headers": [None] * count}, RECORDS)


def wrap(payload: Any, schema: Any = SCHEMA) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


def unscaled(digits: int) -> str:
    return base64.b64encode(digits.to_bytes(4, "big", signed=True)).decode()


def test_logical_types_of_connect_and_debezium() -> None:
    values = [
        wrap({"id": 1, "state": "SP", "at": 1_700_000_000_123, "born": 1, "paid": unscaled(-1250)}),
        wrap({"id": 2, "state": None, "at": None, "born": None, "paid": 3.25}),
        b'{"id": 3, "state": "RJ"}',
    ]
    found = JsonDecoder(None, ROW, wrapped=True).decode(rows(values))
    assert found.poison == []
    assert found.table.to_pylist() == [
        {
            "id": 1,
            "state": "SP",
            "at": datetime(2023, 11, 14, 22, 13, 20, 123_000),
            "born": date(1970, 1, 2),
            "paid": Decimal("-12.50"),
        },
        {"id": 2, "state": None, "at": None, "born": None, "paid": Decimal("3.25")},
        {"id": 3, "state": "RJ", "at": None, "born": None, "paid": None},
    ]


FLAT: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "at": ROW["properties"]["at"]},
}


def test_the_beginning_is_cut_off_only_where_it_is_the_same() -> None:
    other = {**SCHEMA, "version": 2}
    values: list[bytes | None] = [wrap({"id": n, "at": n}) for n in range(40)]
    values[10] = wrap({"id": 10, "at": 10}, other)
    values[11] = b" " + wrap({"id": 11, "at": 11}) + b"\n"
    values[12] = wrap({"id": 12})[:-1]
    values[13] = wrap({"id": 13})[:-1] + b',"id":13}'
    values[14] = None
    values[15] = wrap(None)
    values[16] = wrap({"id": 16}).replace(b"}}", b'}, "x": 1}')
    values[17] = wrap({"id": 17})[:-2] + b',"id":18}}'
    found = JsonDecoder(None, FLAT, wrapped=True).decode(rows(values))
    bad = [12, 13, 14, 16, 17]
    assert [p.row for p in found.poison] == bad
    assert found.gone.tolist() == [15]
    assert found.table.column("id").to_pylist() == [n for n in range(40) if n not in (*bad, 15)]
    slow = JsonDecoder(None, FLAT, wrapped=True)
    for n, value in enumerate(values):
        one: Decoded = slow.decode(rows([value]))
        assert one.table.num_rows == (n not in (*bad, 15))


@pytest.mark.parametrize(
    "first", [b"", b"{", b"[1]", b'{"payload":1,"schema":2}', b"\xff", b'{"schema":{"a":']
)
def test_a_first_value_without_wrapping_cuts_nothing(first: bytes) -> None:
    from hanse.wire.frame import values_of

    values = values_of(pa.array([first, wrap({"id": 1})], pa.large_binary()))
    assert unwrapped(values).starts.tolist() == values.starts.tolist()


def change(op: str, before: Any, after: Any, *, bare: bool = False) -> bytes:
    event = {"before": before, "after": after, "source": {"ts_ms": 1, "db": "shop"}, "op": op, "ts_ms": 2}
    return json.dumps(event).encode() if bare else wrap(event)


EVENTS = [
    change("r", None, {"id": 1, "state": "SP"}),
    change("c", None, {"id": 2, "state": "RJ"}, bare=True),
    change("u", {"id": 2, "state": None}, {"id": 2, "state": "MG"}),
    change("d", {"id": 1, "state": "SP"}, None),
    change("d", None, None),
    change("t", None, None),
    change("m", None, None),
    change("u", {"id": 1}, None),
]


def test_changes_become_a_changelog() -> None:
    found = DebeziumDecoder(None, json.dumps(ROW), "JSON", ("id",)).decode(rows([*EVENTS, wrap(None), b"{}"]))
    assert found.table.select(["id", "state"]).to_pylist() == [
        {"id": 1, "state": "SP"},
        {"id": 2, "state": "RJ"},
        {"id": 2, "state": "MG"},
        {"id": 1, "state": None},
    ]
    assert found.deleted is not None
    assert found.deleted.tolist() == [False, False, False, True]
    assert found.indices.tolist() == [0, 1, 2, 3]
    assert found.gone.tolist() == [4, 8]
    assert [(p.row, p.reason) for p in found.poison[:3]] == [(5, TRUNCATED), (6, UNKNOWN), (7, UNKNOWN)]
    assert found.poison[3].row == 9


def test_changes_in_avro() -> None:
    import io

    import fastavro

    value = {
        "type": "record",
        "name": "Value",
        "namespace": "shop.customers",
        "fields": [{"name": "id", "type": "long"}, {"name": "at", "type": "long"}],
    }
    written: dict[str, Any] = {
        "type": "record",
        "name": "Envelope",
        "namespace": "shop.customers",
        "fields": [
            {"name": "before", "type": ["null", value], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
    }

    class Registry:
        def by_id(self, schema_id: int) -> RegisteredSchema:
            return RegisteredSchema("s", 1, schema_id, "AVRO", json.dumps(written))

    row = json.loads(json.dumps(value))
    row["fields"][1]["type"] = {"type": "long", "logicalType": "timestamp-millis"}
    schema = fastavro.parse_schema(json.loads(json.dumps(written)))
    values: list[bytes | None] = []
    for op, before, after in (("c", None, 1), ("u", 1, 2), ("d", 2, None)):
        out = io.BytesIO()
        images = {
            n: None if v is None else {"id": 7, "at": v} for n, v in (("before", before), ("after", after))
        }
        fastavro.schemaless_writer(out, schema, {**images, "op": op, "ts_ms": 5})
        values.append(frame(1, out.getvalue()))
    decoder = DebeziumDecoder(Registry(), json.dumps(row), "AVRO", ("id",))  # type: ignore[arg-type]
    found = decoder.decode(rows(values))
    assert found.poison == []
    assert found.table.column("id").to_pylist() == [7, 7, 7]
    assert found.table.column("at").to_pylist()[:2] == [
        datetime(1970, 1, 1, 0, 0, 0, n * 1000) for n in (1, 2)
    ]
    assert found.deleted is not None
    assert found.deleted.tolist() == [False, False, True]
    assert decoder.decode(rows([])).table.num_rows == 0


def test_changes_in_protobuf_are_refused() -> None:
    with pytest.raises(SchemaError, match="PROTOBUF"):
        DebeziumDecoder(None, "", "PROTOBUF", ())
