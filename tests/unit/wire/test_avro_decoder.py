"""Avro values to Arrow: the column decoder against fastavro, against the row decoder, and on bad bytes."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
import random
import uuid
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pytest

from hanse.errors import DecodeError, SchemaError, UnknownSchema
from hanse.ports.schema_registry import RegisteredSchema
from hanse.wire.avro import reasons
from hanse.wire.avro.columns import PAD, SLOW, Columns
from hanse.wire.avro.resolve import resolve
from hanse.wire.avro.rows import read_row
from hanse.wire.avro.schema import parse
from hanse.wire.avro.types import arrow_schema
from hanse.wire.decoded import NO_VALUE
from hanse.wire.decoder import Decoder
from hanse.wire.frame import NO_FRAME, frame
from helpers.avro_topics import Topics, encoded

UTC = dt.UTC
D = decimal.Decimal


class FakeRegistry:
    """Schemas by id, nothing more."""

    def __init__(self, schemas: dict[int, Any], schema_type: str = "AVRO") -> None:
        self.schemas = schemas
        self.schema_type = schema_type

    def by_id(self, schema_id: int) -> RegisteredSchema:
        if schema_id not in self.schemas:
            raise UnknownSchema(f"no schema {schema_id}")
        return RegisteredSchema(
            "t-value", 1, schema_id, self.schema_type, json.dumps(self.schemas[schema_id])
        )


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def rows(values: list[bytes | None]) -> pa.Table:
    return pa.table({"value": pa.array(values, pa.large_binary())})


def decode(writer: Any, reader: Any, datums: list[bytes]) -> Any:
    decoder = Decoder(FakeRegistry({7: writer}), json.dumps(reader))
    return decoder.decode(rows([frame(7, d) for d in datums]))


TYPED: list[tuple[Any, list[Any]]] = [
    ("null", [None]),
    ("boolean", [True, False]),
    ("int", [0, -1, 2**31 - 1, -(2**31)]),
    ("long", [0, 63, 64, -65, 2**62, 2**63 - 1, -(2**63), 2**56, -(2**55)]),
    ("float", [1.5, -0.0, float("inf")]),
    ("double", [1e300, -2.25]),
    ("string", ["", "a", "é🙂", "line\nbreak", "x" * 5000]),
    ("bytes", [b"", b"\x00\xff", b"y" * 300]),
    (["null", "int"], [None, 3]),
    (["int", "null"], [None, 3]),
    (["string"], ["x"]),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["A", "B"]),
    ({"type": "fixed", "name": "F", "size": 4}, [b"abcd"]),
    ({"type": "array", "items": "string"}, [["a", "bb"], [], ["c"] * 700]),
    ({"type": "array", "items": ["null", "long"]}, [[None, 5], [7, None, 9]]),
    ({"type": "map", "values": "int"}, [{"a": 1, "b": 2}, {}]),
    ({"type": "map", "values": {"type": "array", "items": "int"}}, [{"a": [1, 2], "b": []}]),
    ({"type": "record", "name": "N", "fields": [{"name": "b", "type": "int"}]}, [{"b": 1}]),
    (["null", {"type": "record", "name": "N", "fields": [{"name": "b", "type": "int"}]}], [{"b": 1}, None]),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2},
        [D("1.20"), D("-9999999999999999.99"), D("0.00"), D("-0.01")],
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 4},
        [D("1.2000"), D(-(10**33)), D("12345678901234567890.1234")],
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 0},
        [D("12345678901234567890123456789012345678901234567890"), D("-1")],
    ),
    (
        {"type": "fixed", "name": "F", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 3},
        [D("1.200"), D("-99999999999999.123")],
    ),
    ({"type": "int", "logicalType": "date"}, [dt.date(1960, 1, 1), dt.date(2026, 11, 24)]),
    ({"type": "int", "logicalType": "time-millis"}, [dt.time(23, 59, 59, 999000)]),
    ({"type": "long", "logicalType": "time-micros"}, [dt.time(1, 2, 3, 4)]),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, [dt.datetime(2020, 1, 1, 1, 1, 1, 5000)]),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, [dt.datetime(1919, 1, 1, 1, 1, 1, 5)]),
    ({"type": "long", "logicalType": "no-such-thing"}, [5]),
    ({"type": "string", "hanse.personal": "customer_id"}, ["enc:v1:abc"]),
]


@pytest.mark.parametrize(("kind", "values"), TYPED, ids=lambda v: json.dumps(v, default=str)[:60])
def test_every_type_comes_back_as_it_was_written(kind: Any, values: list[Any]) -> None:
    schema = record(a=kind, z="int")
    got = decode(schema, schema, [encoded(schema, {"a": v, "z": i}) for i, v in enumerate(values)])
    assert got.poison == []
    assert got.table.schema.equals(arrow_schema(parse(schema)))
    assert got.table.column("a").to_pylist(maps_as_pydicts="strict") == values
    assert got.table.column("z").to_pylist() == list(range(len(values)))


def test_zoned_timestamps_become_utc_without_zone() -> None:
    moment = dt.datetime(2020, 1, 1, 1, 2, 3, 456000, tzinfo=UTC)
    for unit, name in (("ms", "timestamp-millis"), ("us", "timestamp-micros")):
        schema = record(a={"type": "long", "logicalType": name})
        got = decode(schema, schema, [encoded(schema, {"a": moment})])
        assert got.table.schema.field("a").type == pa.timestamp(unit)
        assert got.table.column("a").to_pylist() == [moment.replace(tzinfo=None)]


def test_uuid_of_text_and_of_sixteen_bytes_are_text() -> None:
    one = uuid.UUID("a3193293-e9ab-4093-be7f-f128ad956ac6")
    text = record(a={"type": "string", "logicalType": "uuid"})
    raw = record(a={"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"})
    assert decode(text, text, [encoded(text, {"a": one})]).table.column("a").to_pylist() == [str(one)]
    assert decode(raw, raw, [one.bytes]).table.column("a").to_pylist() == [str(one)]


def test_durations_are_intervals() -> None:
    schema = record(a={"type": "fixed", "name": "Du", "size": 12, "logicalType": "duration"})
    got = decode(schema, schema, [bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]), b"\xff" * 12])
    assert got.table.column("a").to_pylist() == [pa.MonthDayNano([1, 2, 3_000_000])]
    assert [p.reason for p in got.poison] == [reasons.DURATION]


def test_a_union_of_several_types_is_a_struct_of_its_branches() -> None:
    schema = record(a=["null", "int", "string"])
    got = decode(schema, schema, [encoded(schema, {"a": v}) for v in (1, "x", None)])
    assert got.table.column("a").to_pylist() == [
        {"int": 1, "string": None},
        {"int": None, "string": "x"},
        None,
    ]


def test_block_sizes_and_several_blocks_are_read() -> None:
    schema = record(a={"type": "array", "items": "int"}, z="int")
    sized = bytes([3, 4, 2, 4, 2, 6, 0, 10])  # two items in two bytes, one item, the end, z
    got = decode(schema, schema, [sized])
    assert got.table.to_pylist() == [{"a": [1, 2, 3], "z": 5}]


RESOLUTIONS: list[tuple[str, Any, Any, Any, Any]] = [
    ("int to long", "int", "long", 5, 5),
    ("int to double", "int", "double", 5, 5.0),
    ("long to float", "long", "float", 5, 5.0),
    ("float to double", "float", "double", 1.5, 1.5),
    ("string to bytes", "string", "bytes", "é", "é".encode()),
    ("bytes to string", "bytes", "string", b"ok", "ok"),
    ("into a union", "int", ["null", "int"], 5, 5),
    ("promoted into a union", "int", ["null", "double"], 5, 5.0),
    ("into a union of several", "string", ["null", "int", "string"], "x", {"int": None, "string": "x"}),
    ("out of a union", ["null", "int"], "long", 5, 5),
    ("enum to an enum with a default", {"type": "enum", "name": "E", "symbols": ["A", "B"]},
     {"type": "enum", "name": "E", "symbols": ["A", "Z"], "default": "Z"}, "B", "Z"),
    ("millis to micros", {"type": "long", "logicalType": "timestamp-millis"},
     {"type": "long", "logicalType": "timestamp-micros"}, dt.datetime(2020, 1, 1, tzinfo=UTC),
     dt.datetime(2020, 1, 1)),
    ("array items promote", {"type": "array", "items": "int"},
     {"type": "array", "items": "double"}, [1], [1.0]),
    ("map values promote", {"type": "map", "values": "int"},
     {"type": "map", "values": "long"}, {"k": 1}, [("k", 1)]),
    ("decimal of bytes to fixed", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
     {"type": "fixed", "name": "F", "size": 8, "logicalType": "decimal", "precision": 18, "scale": 2},
     D("1.25"), D("1.25")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "value", "expected"), RESOLUTIONS, ids=[r[0] for r in RESOLUTIONS]
)
def test_resolution(name: str, old: Any, new: Any, value: Any, expected: Any) -> None:
    writer, reader = record(a=old, z="int"), record(a=new, z="int")
    got = decode(writer, reader, [encoded(writer, {"a": value, "z": 1})])
    assert got.poison == []
    assert got.table.to_pylist() == [{"a": expected, "z": 1}]
    row = read_row(resolve(parse(writer), parse(reader)), encoded(writer, {"a": value, "z": 1}))
    assert pa.array([row["a"]], arrow_schema(parse(reader)).field("a").type).to_pylist() == [expected]


NEVER: list[tuple[str, Any, Any, Any, str]] = [
    ("string to int", "string", "int", "x", "string cannot be read as int"),
    ("long to int", "long", "int", 1, "long cannot be read as int"),
    ("no branch", "string", ["null", "int"], "x", "no branch"),
    ("null to int", ["null", "int"], "int", None, "null cannot be read as int"),
    ("another scale", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
     {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}, D("1.25"), "scale"),
    ("symbol without default", {"type": "enum", "name": "E", "symbols": ["A", "B"]},
     {"type": "enum", "name": "E", "symbols": ["A"]}, "B", reasons.SYMBOL),
    ("micros to millis with a rest", {"type": "long", "logicalType": "timestamp-micros"},
     {"type": "long", "logicalType": "timestamp-millis"}, dt.datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
     reasons.PRECISION_LOST),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "value", "reason"), NEVER, ids=[r[0] for r in NEVER])
def test_what_does_not_resolve_is_poison_with_its_reason(
    name: str, old: Any, new: Any, value: Any, reason: str
) -> None:
    got = decode(record(a=old), record(a=new), [encoded(record(a=old), {"a": value})])
    assert got.table.num_rows == 0
    assert reason in got.poison[0].reason


def test_defaults_aliases_and_dropped_fields() -> None:
    writer = record(old_name="string", dropped={"type": "map", "values": "string"}, kept="int")
    reader = {
        "type": "record",
        "name": "R2",
        "aliases": ["R"],
        "fields": [
            {"name": "added", "type": ["null", "string"], "default": None},
            {"name": "kept", "type": "long"},
            {"name": "money", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
             "default": "\u0000\u007d"},
            {"name": "new_name", "aliases": ["old_name"], "type": "string"},
            {"name": "tags", "type": {"type": "array", "items": "string"}, "default": ["a"]},
        ],
    }  # fmt: skip
    got = decode(writer, reader, [encoded(writer, {"old_name": "o", "dropped": {"x": "y"}, "kept": 3})] * 2)
    wanted = {"added": None, "kept": 3, "money": D("1.25"), "new_name": "o", "tags": ["a"]}
    assert got.table.to_pylist() == [wanted, wanted]


def test_a_missing_field_without_default_is_poison_naming_it() -> None:
    got = decode(record(a="int"), record(a="int", b="int"), [b"\x02"])
    assert "'b'" in got.poison[0].reason


def test_a_recursive_writer_field_can_be_skipped_but_not_read() -> None:
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    writer = record(a="int", tree=node, z="int")
    datum = encoded(writer, {"a": 1, "tree": {"next": {"next": None}}, "z": 2})
    got = decode(writer, record(a="int", z="int"), [datum, b"\x02" + b"\x02" * 5000 + b"\x00\x04"])
    assert got.table.to_pylist() == [{"a": 1, "z": 2}]
    assert [p.reason for p in got.poison] == [reasons.DEPTH]
    with pytest.raises(SchemaError, match="recursive"):
        Decoder(FakeRegistry({}), json.dumps(writer))


def test_several_versions_in_one_batch_stay_in_order() -> None:
    v1, v2 = record(a="int"), record(a="long", b=["null", "string"])
    reader = json.loads(json.dumps(v2))
    reader["fields"][1]["default"] = None
    decoder = Decoder(FakeRegistry({1: v1, 2: v2}), json.dumps(reader))
    values = [
        frame(1, encoded(v1, {"a": i})) if i % 3 else frame(2, encoded(v2, {"a": i, "b": str(i)}))
        for i in range(60)
    ]
    got = decoder.decode(rows(values))
    assert got.table.column("a").to_pylist() == list(range(60))
    assert got.table.column("b").to_pylist() == [None if i % 3 else str(i) for i in range(60)]


def test_each_bad_record_is_named_and_the_others_go_on() -> None:
    schema = record(a="string", b="boolean")
    good = encoded(schema, {"a": "fine", "b": True})
    values: list[bytes | None] = [
        frame(7, good), None, b"", b"\x01\x00\x00\x00\x07" + good, frame(8, good), frame(7, good[:-1]),
        frame(7, good + b"\x00"), frame(7, b"\x02\xff\x01"), frame(7, b"\x01\x01"), frame(7, b"\x02a\x02"),
        frame(7, b"\xff" * 11), frame(7, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"), frame(7, good),
    ]  # fmt: skip
    got = Decoder(FakeRegistry({7: schema}), json.dumps(schema)).decode(rows(values))
    assert got.indices.tolist() == [0, 12]
    assert got.table.to_pylist() == [{"a": "fine", "b": True}] * 2
    found = {p.row: p.reason for p in got.poison}
    assert found[1] == NO_VALUE
    assert found[2] == found[3] == NO_FRAME
    assert "8" in found[4]
    assert found[5] == reasons.TRUNCATED
    assert found[6] == reasons.TRAILING
    assert found[7] == reasons.UTF8
    assert found[8] == reasons.LENGTH
    assert found[9] == reasons.BOOLEAN
    assert found[10] == reasons.VARINT
    assert found[11] == reasons.TRUNCATED


def test_an_outage_of_the_registry_poisons_nothing() -> None:
    class Down(FakeRegistry):
        def by_id(self, schema_id: int) -> RegisteredSchema:
            raise SchemaError("the registry does not answer")

    with pytest.raises(SchemaError, match="does not answer"):
        Decoder(Down({}), json.dumps(record(a="int"))).decode(rows([frame(7, b"\x02")]))


def test_bytes_that_swap_between_records_are_not_read_on() -> None:
    """One record holds two datums, the next none: the right number of rows, and all of them wrong."""
    schema = record(a="int", b="string")
    one = encoded(schema, {"a": 1, "b": "x"})
    got = decode(schema, schema, [one, one + one, b"", one])
    assert got.indices.tolist() == [0, 3]
    assert [p.reason for p in got.poison] == [reasons.TRAILING, reasons.TRUNCATED]


def test_sliced_and_chunked_batches_are_read_in_place() -> None:
    schema = record(a="int")
    values = [frame(7, encoded(schema, {"a": i})) for i in range(10)]
    decoder = Decoder(FakeRegistry({7: schema}), json.dumps(schema))
    table = pa.concat_tables([rows(values[:4]), rows(values[4:])]).slice(2, 7)
    assert decoder.decode(table).table.column("a").to_pylist() == list(range(2, 9))
    assert decoder.decode(rows(values).slice(3, 4)).table.column("a").to_pylist() == [3, 4, 5, 6]
    assert decoder.decode(rows([])).table.num_rows == 0


def test_timestamps_that_no_column_can_hold_are_poison() -> None:
    schema = record(a={"type": "long", "logicalType": "timestamp-millis"})
    raw = record(a="long")
    got = decode(schema, schema, [encoded(raw, {"a": 2**63 - 1}), encoded(raw, {"a": 0})])
    assert [p.reason for p in got.poison] == [reasons.TIMESTAMP]
    assert got.indices.tolist() == [1]


def test_hostile_counts_cost_little() -> None:
    schema = record(a={"type": "array", "items": "null"})
    huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00"
    got = decode(schema, schema, [huge, b"\x00"])
    assert got.indices.tolist() == [1]
    assert [p.reason for p in got.poison] == [reasons.ELEMENTS]


# -- generated schemas and data: one seed, one topic


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_equal_fastavro_on_generated_topics(seed: int) -> None:
    schema, values = Topics(seed).topic()
    datums = [encoded(schema, v) for v in values]
    got = decode(schema, schema, datums)
    assert got.poison == []
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    expected = [fastavro.schemaless_reader(io.BytesIO(d), parsed, parsed) for d in datums]
    assert got.table.to_pylist(maps_as_pydicts="strict") == expected


def both(schema: Any, datums: list[bytes]) -> None:
    """The column decoder takes and refuses what the row decoder does, with equal values."""
    plan = resolve(parse(schema), parse(schema))
    lengths = np.array([0, *np.cumsum([len(d) for d in datums])])
    columns = Columns(pa.py_buffer(b"".join(datums) + bytes(PAD)), lengths[:-1], lengths[1:])
    arrays = columns.read(plan)
    wanted = arrow_schema(parse(schema))
    for i, datum in enumerate(datums):
        try:
            row = read_row(plan, datum)
        except DecodeError as error:
            assert columns.errors[i] != 0, (error, datum)
            continue
        if columns.errors[i] == SLOW:
            continue
        assert columns.errors[i] == 0, (columns.reasons[columns.errors[i]], datum)
        for field, array in zip(wanted, arrays, strict=True):
            got, expected = array.slice(i, 1), pa.array([row[field.name]], field.type)
            assert got.equals(expected) or str(got) == str(expected)  # text: NaN is not equal to itself


def damaged(datum: bytes, r: random.Random) -> bytes:
    data = bytearray(datum)
    match r.randint(0, 3):
        case 1 if data:
            data[r.randrange(len(data))] = r.randrange(256)
        case 2:
            del data[r.randint(0, len(data)) :]
        case 3:
            data += r.randbytes(r.randint(0, 12))
        case _:
            pass
    return bytes(data)


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_equal_rows_on_damaged_and_on_random_bytes(seed: int) -> None:
    schema, values = Topics(seed).topic()
    r = random.Random(seed)
    datums = [damaged(encoded(schema, v), r) for v in values for _ in range(5)]
    both(schema, datums + [r.randbytes(r.randint(0, 40)) for _ in range(60)])


@pytest.mark.slow
def test_a_hundred_thousand_damaged_records() -> None:
    for seed in range(1_000, 2_000):
        test_columns_equal_rows_on_damaged_and_on_random_bytes(seed)


def test_truncation_at_every_byte_is_found() -> None:
    schema = record(a="string", b=["null", "long"], c={"type": "map", "values": "double"}, d="bytes")
    whole = encoded(schema, {"a": "abc", "b": 2**60, "c": {"k": 1.5}, "d": b"\x01\x02"})
    got = decode(schema, schema, [whole[:i] for i in range(len(whole))] + [whole])
    assert got.indices.tolist() == [len(whole)]
