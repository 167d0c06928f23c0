"""Protobuf values to Arrow: the column decoder against the Protobuf library, and frames with indexes."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hanse.errors import DecodeError, SchemaError, UnknownSchema
from hanse.ports.schema_registry import RegisteredSchema
from hanse.wire.avro.columns import PAD
from hanse.wire.decoded import NO_VALUE
from hanse.wire.frame import NO_FRAME, frame
from hanse.wire.protobuf import decoder as protobuf
from hanse.wire.protobuf import rows as by_row
from hanse.wire.protobuf.columns import Messages
from hanse.wire.protobuf.decoder import ProtobufDecoder
from hanse.wire.protobuf.types import columns_of_message, load_message, message_class

SCHEMA = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

message Order {
  string id = 1;
  int64 count = 2;
  double price = 3;
  bool ok = 4;
  optional string note = 5;
  google.protobuf.Timestamp at = 6;
  State state = 7;
  Address to = 8;
  repeated string tags = 9;
  map<string, int32> sizes = 10;
  sint32 delta = 11;
  uint64 big = 12;
  fixed32 small = 13;
  float ratio = 14;
  bytes raw = 15;
  google.protobuf.Int64Value maybe = 16;
  oneof way { string mail = 17; int32 desk = 18; }
  sint64 far = 19;
  sfixed64 place = 20;
  enum State { UNKNOWN = 0; PLACED = 1; PAID = 2; }
  message Address { string city = 1; optional int32 zip = 2; }
}
message Other { message Order { string id = 1; } }
"""
MESSAGE = load_message(SCHEMA)
COLUMNS = columns_of_message(MESSAGE)
Order = message_class(MESSAGE)


class FakeRegistry:
    """The schema under 7, an older one under 6, something else under 8."""

    def __init__(self) -> None:
        older = 'syntax = "proto3"; package shop; message Order { string id = 1; string gone = 40; }'
        self.schemas = {7: ("PROTOBUF", SCHEMA), 6: ("PROTOBUF", older), 8: ("AVRO", "{}")}

    def by_id(self, schema_id: int) -> RegisteredSchema:
        if schema_id not in self.schemas:
            raise UnknownSchema(f"no schema {schema_id}")
        kind, text = self.schemas[schema_id]
        return RegisteredSchema("t-value", 1, schema_id, kind, text)  # type: ignore[arg-type]


def decode(values: list[bytes | None]) -> Any:
    return ProtobufDecoder(FakeRegistry(), SCHEMA).decode(
        pa.table({"value": pa.array(values, pa.large_binary())})
    )


def generated(r: random.Random, *, lists: bool = True) -> Any:
    made = Order()
    setters = {
        "id": lambda: r.choice(["", "a", "é🙂", "x" * 200]),
        "count": lambda: r.choice([0, 1, -1, 2**63 - 1, -(2**63), 300]),
        "price": lambda: r.uniform(-1e9, 1e9),
        "ok": lambda: True,
        "note": lambda: r.choice(["", "n"]),
        "state": lambda: r.choice([0, 1, 2, 99]),
        "delta": lambda: r.choice([0, -1, 2**31 - 1, -(2**31)]),
        "big": lambda: r.choice([0, 2**64 - 1, 7]),
        "small": lambda: 2**32 - 1,
        "ratio": lambda: 0.5,
        "raw": lambda: r.randbytes(r.choice([0, 3, 150])),
        "mail": lambda: "m",
        "desk": lambda: 5,
        "far": lambda: r.choice([-1, 2**63 - 1, -(2**63)]),
        "place": lambda: -5,
    }
    for name, value in setters.items():
        if r.random() < 0.6:
            setattr(made, name, value())
    if r.random() < 0.6:
        made.at.seconds, made.at.nanos = r.choice([(0, 0), (-5, 1_000), (1_700_000_000, 999_999_000), (1, 1)])
    if r.random() < 0.5:
        made.to.city = "Lübeck"
    if r.random() < 0.3:
        made.to.zip = 23552
    if r.random() < 0.5:
        made.maybe.value = r.choice([0, 9])
    if lists and r.random() < 0.3:
        made.tags.extend(["a", "b"])
    if lists and r.random() < 0.3:
        made.sizes["k"] = 4
    return made


def both(data: list[bytes]) -> int:
    """How many the column decoder took; each as the library reads it."""
    ends = np.array([0, *np.cumsum([len(d) for d in data])])
    messages = Messages(pa.py_buffer(b"".join(data) + bytes(PAD)), ends[:-1], ends[1:])
    arrays = messages.read_messages(COLUMNS)
    taken = 0
    for i, datum in enumerate(data):
        if messages.errors[i] != 0:
            continue
        try:
            row = by_row.read_message(Order, COLUMNS, datum)
        except DecodeError as error:
            raise AssertionError(f"taken, but {error}: {datum!r}") from error
        for column, array in zip(COLUMNS, arrays, strict=True):
            got, expected = array.slice(i, 1), pa.array([row[column.name]], column.arrow)
            assert got.equals(expected) or str(got) == str(expected), (column.name, datum)
        taken += 1
    return taken


@pytest.mark.parametrize("seed", range(20))
def test_columns_equal_the_library(seed: int) -> None:
    r = random.Random(seed)
    assert both([generated(r).SerializeToString() for _ in range(60)]) > 5


@pytest.mark.parametrize("seed", range(20))
def test_columns_equal_the_library_on_damaged_bytes(seed: int) -> None:
    r = random.Random(seed)
    data: list[bytes] = []
    for _ in range(150):
        one = bytearray(generated(r).SerializeToString())
        if one and r.random() < 0.6:
            one[r.randrange(len(one))] = r.randrange(256)
        if r.random() < 0.3:
            del one[r.randint(0, len(one)) :]
        if r.random() < 0.2:
            one += generated(r).SerializeToString()
        data.append(bytes(one))
    both(data + [r.randbytes(r.randint(0, 30)) for _ in range(100)])


def test_usual_messages_are_not_read_one_by_one() -> None:
    r = random.Random(1)
    data = []
    for _ in range(100):
        made = generated(r, lists=False)
        made.state = 1
        made.ClearField("at")
        data.append(made.SerializeToString())
    assert both(data) == 100


def test_values_presence_defaults_and_unknown_names() -> None:
    full = Order(id="a", count=-1, state=99, tags=["x"], sizes={"k": 1}, big=2**64 - 1)
    full.at.FromDatetime(dt.datetime(2026, 1, 2, 3, 4, 5, 6))
    empty = Order()
    got = decode([frame(7, b"\x00" + m.SerializeToString()) for m in (full, empty)])
    first, second = got.table.to_pylist()
    assert (first["id"], first["count"], first["state"], first["tags"]) == ("a", -1, "99", ["x"])
    assert first["at"] == dt.datetime(2026, 1, 2, 3, 4, 5, 6)
    assert int(first["big"]) == 2**64 - 1
    assert (second["id"], second["count"], second["state"], second["tags"]) == ("", 0, "UNKNOWN", [])
    assert [second[n] for n in ("note", "at", "to", "maybe", "mail", "desk")] == [None] * 6


def test_an_older_writer_and_unknown_fields_are_read_by_number() -> None:
    got = decode([frame(6, b"\x00" + b"\x0a\x01a" + b"\xc2\x02\x02zz")] * 3)
    assert got.table.column("id").to_pylist() == ["a"] * 3


def test_bad_values_are_named_and_the_others_go_on() -> None:
    good = frame(7, b"\x00" + Order(id="a").SerializeToString())
    fine = Order(id="p")
    fine.at.nanos = 1
    values: list[bytes | None] = [
        good, None, b"\x08x", frame(9, b"\x00"), frame(8, b"\x00"), frame(7, b""), frame(7, b"\x02\x02"),
        frame(7, b"\x02\x0c"), frame(7, b"\x04\x02\x00\x0a\x01a"), frame(7, b"\x02\x00\x0a\x01b"),
        frame(7, b"\x00\x0a\x05a"), frame(7, b"\xff\xff\xff\xff\xff\xff"),
        frame(7, b"\x00" + fine.SerializeToString()), frame(7, b"\x00\x0a\x01\xff"), good,
    ]  # fmt: skip
    got = decode(values)
    assert got.table.column("id").to_pylist() == ["a", "b", "a"]
    assert got.indices.tolist() == [0, 9, 14]
    found = {p.row: p.reason for p in got.poison}
    assert (found[1], found[2]) == (NO_VALUE, NO_FRAME)
    assert "9" in found[3]
    assert "AVRO" in found[4]
    assert found[5] == found[11] == protobuf.BAD_INDEXES
    assert found[6] == protobuf.OTHER_MESSAGE
    assert found[7] == protobuf.NO_SUCH_MESSAGE
    assert found[8] == protobuf.OTHER_MESSAGE
    assert found[10] == found[13] == by_row.MALFORMED
    assert found[12] == by_row.PRECISION


def test_schemas_without_columns_are_refused() -> None:
    for text in (
        'syntax = "proto3"; message A { A a = 1; }',
        'syntax = "proto3"; enum E { X = 0; }',
        'syntax = "proto3"; message A { Nothing n = 1; }',
        "message {",
    ):
        with pytest.raises(SchemaError):
            ProtobufDecoder(None, text)
