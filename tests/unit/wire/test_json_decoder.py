"""JSON values to Arrow: never rounded, never null in silence, never shifted; the two ways agree."""

from __future__ import annotations

import datetime as dt
import json
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.errors import DecodeError, SchemaError, UnknownSchema
from hanse.ports.event_log import RECORDS
from hanse.ports.schema_registry import RegisteredSchema
from hanse.wire.cloudevents import NO_DATA
from hanse.wire.decoded import NO_VALUE
from hanse.wire.frame import frame, values_of
from hanse.wire.json import rows as by_row
from hanse.wire.json.columns import cut
from hanse.wire.json.decoder import JsonDecoder
from hanse.wire.json.types import parse_json_schema

FLAT = {
    "type": "object",
    "required": ["id", "count"],
    "properties": {
        "id": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"type": "number"},
        "cents": {"type": "number", "multipleOf": 0.01},
        "ok": {"type": ["boolean", "null"]},
        "at": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
    },
}
GOOD = (
    b'{"id":"a","count":1,"price":1.5,"cents":0.10,"ok":true,'
    b'"at":"2020-01-02T03:04:05.6Z","day":"2020-01-02"}'
)


class FakeRegistry:
    """Knows schema 7 as JSON and schema 8 as Avro."""

    def by_id(self, schema_id: int) -> RegisteredSchema:
        if schema_id not in (7, 8):
            raise UnknownSchema(f"no schema {schema_id}")
        return RegisteredSchema("t-value", 1, schema_id, "JSON" if schema_id == 7 else "AVRO", "{}")


def batch(values: list[bytes | None]) -> pa.Table:
    return pa.table({"value": pa.array(values, pa.large_binary())})


def decode(values: list[bytes | None], schema: Any = FLAT) -> Any:
    return JsonDecoder(None, json.dumps(schema)).decode(batch(values))


def test_flat_objects_become_columns() -> None:
    got = decode([GOOD] * 20)
    assert got.poison == []
    assert got.table.num_rows == 20
    assert got.table.to_pylist()[7] == {
        "id": "a",
        "count": 1,
        "price": 1.5,
        "cents": Decimal("0.10"),
        "ok": True,
        "at": dt.datetime(2020, 1, 2, 3, 4, 5, 600000),
        "day": dt.date(2020, 1, 2),
    }


def test_the_usual_shape_is_cut_and_not_read_one_by_one() -> None:
    values = values_of(batch([GOOD, GOOD.replace(b'":', b'": ').replace(b',"', b', "')] * 20).column("value"))
    parts = cut(parse_json_schema(FLAT), values, np.arange(40))
    assert [len(p.places) for p in parts] == [20, 20]


def test_framed_values_and_scattered_ones_are_cut_too() -> None:
    framed = values_of(batch([frame(7, GOOD)] * 20).column("value"))
    assert [len(p.places) for p in cut(parse_json_schema(FLAT), framed, np.arange(20), 5)] == [20]
    mixed = values_of(batch([GOOD, b"\0" * 40 + b'"' * 9, None] * 20).column("value"))
    parts = cut(parse_json_schema(FLAT), mixed, np.arange(0, 60, 3))
    assert [p.places.tolist() for p in parts] == [list(range(0, 60, 3))]


TRAPS: list[tuple[str, bytes, str | None]] = [
    ("a fraction where an integer is due", b'{"id":"a","count":1.9}', "integer expected"),
    ("a whole number written with a point", b'{"id":"a","count":2.0}', None),
    ("text where an integer is due", b'{"id":"a","count":"1"}', "integer expected"),
    ("true where an integer is due", b'{"id":"a","count":true}', "integer expected"),
    ("more than 64 bits", b'{"id":"a","count":9223372036854775808}', "64 bits"),
    ("null where something is due", b'{"id":null,"count":1}', "null where string"),
    ("a key that is due is missing", b'{"id":"a"}', "null where integer"),
    ("a number where text is due", b'{"id":5,"count":1}', "string expected"),
    ("a key twice", b'{"id":"a","count":1,"count":2}', by_row.TWICE),
    ("two documents", b'{"id":"a","count":1}{"id":"b","count":2}', by_row.NOT_JSON),
    ("two documents on two lines", b'{"id":"a","count":1}\n{"id":"b","count":2}', by_row.NOT_JSON),
    ("two documents with a comma", b'{"id":"a","count":1},{"id":"b","count":2}', by_row.NOT_JSON),
    ("nothing", b"", by_row.EMPTY),
    ("white space", b" \n ", by_row.EMPTY),
    ("an array", b'[{"id":"a","count":1}]', by_row.NO_OBJECT),
    ("a newline between", b'{"id":"a",\n"count":1}', None),
    ("a newline in a string", b'{"id":"a\nb","count":1}', by_row.NOT_JSON),
    ("an escaped newline", b'{"id":"a\\nb","count":1}', None),
    ("a cut value", GOOD[:-1], by_row.NOT_JSON),
    ("bytes behind", GOOD + b"x", by_row.NOT_JSON),
    ("bytes before", b"x" + GOOD, by_row.NOT_JSON),
    ("a leading zero", b'{"id":"a","count":01}', by_row.NOT_JSON),
    ("a plus", b'{"id":"a","count":+1}', by_row.NOT_JSON),
    ("hexadecimal", b'{"id":"a","count":0x1}', by_row.NOT_JSON),
    ("no digit behind the point", b'{"id":"a","count":1,"price":1.}', by_row.NOT_JSON),
    ("no digit before the point", b'{"id":"a","count":1,"price":-.5}', by_row.NOT_JSON),
    ("an exponent", b'{"id":"a","count":1,"price":1e3}', None),
    ("not a number", b'{"id":"a","count":1,"price":NaN}', by_row.NOT_JSON),
    ("too large a number", b'{"id":"a","count":1,"price":1e999}', "too large"),
    ("more digits than the decimal has", b'{"id":"a","count":1,"cents":0.125}', "digits"),
    ("a decimal with an exponent", b'{"id":"a","count":1,"cents":0.1250e1}', None),
    ("a time without zone", b'{"id":"a","count":1,"at":"2020-01-02T03:04:05"}', "timestamp expected"),
    ("a time with an offset", b'{"id":"a","count":1,"at":"2020-01-02T03:04:05+02:00"}', None),
    ("finer than a microsecond", b'{"id":"a","count":1,"at":"2020-01-02T03:04:05.1234567Z"}', "expected"),
    ("no such day", b'{"id":"a","count":1,"day":"2020-02-30"}', "date expected"),
    ("not UTF-8", b'{"id":"\xff","count":1}', by_row.NOT_JSON),
    ("half a pair", b'{"id":"\\ud800","count":1}', "surrogate"),
    ("two strings", b'{"id":"a" "b","count":1}', by_row.NOT_JSON),
    ("a brace in a string", b'{"id":"}{:,","count":1}', None),
    ("an unread key", b'{"id":"a","count":1,"other":{"x":[1,2]}}', None),
    ("an unread key that is no value", b'{"id":"a","count":1,"other":zz}', by_row.NOT_JSON),
    ("deep", b'{"id":"a","count":1,"other":' + b"[" * 100_000 + b"]" * 100_000 + b"}", by_row.NOT_JSON),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "reason"), TRAPS, ids=[t[0] for t in TRAPS])
@pytest.mark.parametrize("crowd", [1, 30], ids=["alone", "in a crowd"])
def test_traps(name: str, value: bytes, reason: str | None, crowd: int) -> None:
    before = b'{"id":"b","count":7}'
    got = decode([before, *[value] * crowd, before])
    places = [0, crowd + 1] if reason else list(range(crowd + 2))
    assert got.indices.tolist() == places
    assert [p.row for p in got.poison] == (list(range(1, crowd + 1)) if reason else [])
    assert all(reason in p.reason for p in got.poison if reason)
    counts = got.table.column("count").to_pylist()
    assert counts[0] == counts[-1] == 7


def test_two_documents_beside_an_empty_value_shift_no_row() -> None:
    values = [
        b'{"id":"a","count":1}',
        b'{"id":"b","count":2}\n{"id":"c","count":3}',
        b"",
        b'{"id":"d","count":4}',
    ] * 10
    got = decode(list(values))
    assert got.table.column("id").to_pylist() == ["a", "d"] * 10
    assert len(got.poison) == 20


def test_nested_values_arrays_maps_and_references() -> None:
    schema = {
        "type": "object",
        "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}}},
        "properties": {
            "to": {"$ref": "#/$defs/address"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
            "kind": {"enum": ["x", "y"]},
            "maybe": {"oneOf": [{"type": "null"}, {"type": "integer"}]},
        },
    }
    value = {"to": {"city": "Lübeck"}, "tags": ["a"], "sizes": {"s": 1}, "kind": "x", "maybe": 3}
    got = decode([json.dumps(value).encode(), b"{}", b'{"kind":"z"}', b'{"tags":[1]}'], schema)
    assert got.table.to_pylist(maps_as_pydicts="strict") == [value, dict.fromkeys(value)]
    assert ["$.kind" in p.reason or "$.tags[0]" in p.reason for p in got.poison] == [True, True]


def test_schemas_without_columns_are_refused_by_place() -> None:
    for schema, place in (
        ({"type": "object", "properties": {"a": {"type": ["string", "integer"]}}}, "#/properties/a"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "#/properties/a"),
        ({"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}, "#/properties/a"),
        ({"type": "object"}, "#"),
        ({"type": "string"}, "#"),
        ({"type": "object", "properties": {"a": {}}}, "#/properties/a"),
    ):
        with pytest.raises(SchemaError) as caught:
            parse_json_schema(schema)
        assert place in str(caught.value)
    with pytest.raises(SchemaError):
        parse_json_schema("{")


def test_framed_and_plain_values_in_one_topic() -> None:
    decoder = JsonDecoder(FakeRegistry(), json.dumps(FLAT))
    got = decoder.decode(batch([frame(7, GOOD)] * 10 + [GOOD] * 10 + [frame(9, GOOD), frame(8, GOOD), None]))
    assert got.indices.tolist() == list(range(20))
    assert [p.row for p in got.poison] == [20, 21, 22]
    assert got.poison[2].reason == NO_VALUE


def test_structured_cloud_events_bring_their_data() -> None:
    event = {"specversion": "1.0", "type": "t", "source": "/s", "id": "1", "data": {"id": "a", "count": 1}}
    header = [{"name": "content-type", "value": b"application/cloudevents+json; charset=UTF-8"}]
    values = [json.dumps(event).encode(), json.dumps({**event, "data": None}).encode(), b'{"id":"1"}', GOOD]
    rows = [(0, i, 0, None, v, None if v is GOOD else header) for i, v in enumerate(values)]
    columns = dict(zip(RECORDS.names, map(list, zip(*rows, strict=True)), strict=True))
    got = JsonDecoder(None, FLAT).decode(pa.table(columns, schema=RECORDS))
    assert got.table.column("id").to_pylist() == ["a", "a"]
    assert [p.reason for p in got.poison] == [by_row.NO_OBJECT, NO_DATA]


def test_structured_cloud_events_bring_binary_data_plain_or_framed() -> None:
    import base64

    header = [{"name": "content-type", "value": b"application/cloudevents+json"}]
    data = [GOOD, frame(7, GOOD), frame(8, GOOD), frame(9, GOOD), b"\x00", b"["]
    texts = [base64.b64encode(d).decode() for d in data]
    values = [json.dumps({"specversion": "1.0", "data_base64": text}).encode() for text in [*texts, "?", 5]]
    rows = [(0, i, 0, None, v, header) for i, v in enumerate(values)]
    columns = dict(zip(RECORDS.names, map(list, zip(*rows, strict=True)), strict=True))
    got = JsonDecoder(FakeRegistry(), FLAT).decode(pa.table(columns, schema=RECORDS))
    assert got.indices.tolist() == [0, 1]
    assert got.table.column("id").to_pylist() == ["a", "a"]
    assert [p.row for p in got.poison] == [2, 3, 4, 5, 6, 7]


# -- the cutter against the strict reader


def generated(r: random.Random) -> bytes:
    texts = ["a", "", "é🙂", "x" * 40, 'q"q', "b\\s", "n\nl", "{:,}", "null", " pad "]
    value: dict[str, Any] = {
        "id": r.choice(texts),
        "count": r.choice([0, -1, 7, 2**63 - 1, -(2**63), 2**63, 1.5, "1", None]),
        "price": r.choice([0.1, -2.5e-7, 12345678.875, 3, None, 1e22, "x"]),
        "cents": r.choice([0.1, 12.25, -0.01, 5, 0.125, None, 10**30]),
        "ok": r.choice([True, False, None, 1]),
        "at": r.choice(["2020-01-02T03:04:05Z", "2020-01-02T03:04:05.123456Z", "2020-01-02 03:04:05Z",
                        "0001-01-01T00:00:00Z", "2020-01-02T24:00:00Z", "2020-01-02T03:04Z", None, 5]),
        "day": r.choice(["2020-01-02", "0001-01-01", "2020-1-2", "2020-02-30", None]),
    }  # fmt: skip
    if r.random() < 0.7:
        usual = {"id": "u", "count": 3, "price": 2.5, "cents": 1.25, "ok": None, "at": "2021-01-01T00:00:00Z"}
        value.update({k: v for k, v in usual.items() if r.random() < 0.9})
    if r.random() < 0.1:
        value["extra"] = r.choice([1, "t", None, True, 1.5, [1]])
    text = json.dumps(value, ensure_ascii=False, separators=r.choice([(",", ":"), (", ", ": ")]))
    data = bytearray(text.encode())
    if r.random() < 0.25:
        at = r.randrange(len(data))
        data[at : at + r.randint(0, 1)] = r.choice(
            [b"", b" ", b'"', b"{", b"}", b",", b":", b"0", b"-", b".", b"\n", b"e"]
        )
    return bytes(data)


def agree(seed: int, count: int) -> int:
    """How many values the cutter took; every one of them as the strict reader reads it."""
    r = random.Random(seed)
    kind = parse_json_schema(FLAT)
    data = [generated(r) for _ in range(count)]
    taken = 0
    for part in cut(kind, values_of(pa.array(data, pa.large_binary())), np.arange(count)):
        for row, place in enumerate(part.places.tolist()):
            try:
                strict = by_row.read_value(kind, by_row.load(data[place]))
            except DecodeError as error:
                raise AssertionError(f"cut, but {error}: {data[place]!r}") from error
            for (name, inner), column in zip(kind.fields.items(), part.columns, strict=True):
                assert column.slice(row, 1).equals(pa.array([strict[name]], inner.arrow)), (name, data[place])
            taken += 1
    return taken


@pytest.mark.parametrize("seed", range(12))
def test_what_is_cut_is_what_is_read(seed: int) -> None:
    assert agree(seed, 200) > 5


# -- any flat schema, any data: the whole decoder against the strict reader alone

TYPES: dict[str, tuple[dict[str, Any], st.SearchStrategy[Any]]] = {
    "string": ({"type": "string"}, st.text(max_size=12)),
    "integer": ({"type": "integer"}, st.integers(-(2**64), 2**64) | st.integers(-9, 9)),
    "number": ({"type": "number"}, st.floats(allow_nan=False) | st.integers(-(2**70), 2**70)),
    "cents": ({"type": "number", "multipleOf": 0.01}, st.integers(-999, 999).map(lambda n: n / 100)),
    "boolean": ({"type": "boolean"}, st.booleans()),
    "symbol": ({"enum": ["a", "b", "c,d"]}, st.sampled_from(["a", "b", "c,d"])),
    "moment": (
        {"type": "string", "format": "date-time"},
        st.datetimes().map(lambda t: t.isoformat() + "Z"),
    ),
    "day": ({"type": "string", "format": "date"}, st.dates().map(str)),
}
ODD = st.sampled_from([None, 1.9, 2.0, 1e400, True, "1", "", 10**25, [1], {"a": 1}, "2020-02-30", "é\n\\"])


@st.composite
def topics(draw: st.DrawFn) -> tuple[dict[str, Any], list[bytes]]:
    """A schema of flat columns, and values of it with some that are odd, mangled or of other shape."""
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6))
    names = draw(st.lists(st.text("abk_é ,:{", min_size=1, max_size=9), min_size=len(kinds),
                          max_size=len(kinds), unique=True))  # fmt: skip
    properties = {n: TYPES[k][0] for n, k in zip(names, kinds, strict=True)}
    required = [n for n in names if draw(st.booleans())]
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]))
    spread = draw(st.sampled_from([0, 1, 4]))
    r = draw(st.randoms(use_true_random=False))
    made: list[bytes] = []
    for row in draw(st.lists(st.tuples(*(TYPES[k][1] for k in kinds)), min_size=1, max_size=6)):
        value = dict(zip(names, row, strict=True))
        made += [
            json.dumps(value, ensure_ascii=False, separators=separators).encode("utf-8", "surrogatepass")
        ] * 8
        for _ in range(spread):
            odd: dict[str, Any] = {**value, r.choice([*names, "other"]): draw(ODD)}
            data = bytearray(json.dumps(odd, ensure_ascii=False, separators=separators).encode())
            if r.random() < 0.5:
                at = r.randrange(len(data))
                data[at : at + r.randint(0, 1)] = r.choice(
                    [b"", b" ", b'"', b"}", b",", b"0", b".", b"\n", b"\xff"]
                )
            made += [bytes(data)] * r.choice([1, 9])
    r.shuffle(made)
    return {"type": "object", "properties": properties, "required": required}, made


def same_as_by_row(schema: dict[str, Any], data: list[bytes], framed: bool) -> None:
    decoder = JsonDecoder(FakeRegistry(), json.dumps(schema))
    got = decoder.decode(batch([frame(7, v) for v in data] if framed else list(data)))
    good: list[dict[str, Any]] = []
    places: list[int] = []
    for place, value in enumerate(data):
        try:
            good.append(by_row.read_value(decoder.reader, by_row.load(value)))
        except DecodeError:
            continue
        places.append(place)
    assert got.indices.tolist() == places
    assert [p.row for p in got.poison] == sorted(set(range(len(data))) - set(places))
    for name, column in zip(got.table.column_names, got.table.columns, strict=True):
        expected = pa.array([g[name] for g in good], column.type)
        assert column.combine_chunks().equals(expected), name


@settings(max_examples=120, deadline=None)
@given(topics(), st.booleans())
def test_fast_is_slow_for_any_flat_schema(topic: tuple[dict[str, Any], list[bytes]], framed: bool) -> None:
    same_as_by_row(*topic, framed)


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None)
@given(topics(), st.booleans())
def test_fast_is_slow_for_very_many_schemas(topic: tuple[dict[str, Any], list[bytes]], framed: bool) -> None:
    same_as_by_row(*topic, framed)


@pytest.mark.slow
def test_a_hundred_thousand_values_are_cut_as_they_are_read() -> None:
    assert sum(agree(seed, 200) for seed in range(1_000, 1_500)) > 10_000
