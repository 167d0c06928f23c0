"""Frames from strangers: cut anywhere, with impossible ids and indexes, or random: named, quick, no crash."""

from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.errors import UnknownSchema
from hanse.ports.event_log import RECORDS
from hanse.ports.schema_registry import RegisteredSchema
from hanse.wire.decoded import ValueDecoder
from hanse.wire.decoder import Decoder
from hanse.wire.frame import frame
from hanse.wire.json.decoder import JsonDecoder
from hanse.wire.protobuf.decoder import ProtobufDecoder

AVRO = json.dumps(
    {
        "type": "record",
        "name": "R",
        "fields": [{"name": "a", "type": ["null", {"type": "array", "items": "string"}]}],
    }
)
PROTO = 'syntax = "proto3"; message Outer { message Inner { int32 b = 1; } string a = 1; Inner i = 2; repeated int64 n = 3; } message Other { int32 c = 1; }'
JSON = json.dumps({"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer"}}})
TYPES = {1: ("AVRO", AVRO), 2: ("PROTOBUF", PROTO), 3: ("JSON", JSON)}


class Registry:
    """Schema ids 1 to 3, one of each format."""

    def by_id(self, schema_id: int) -> RegisteredSchema:
        if schema_id not in TYPES:
            raise UnknownSchema(f"no schema {schema_id}")
        kind, text = TYPES[schema_id]
        return RegisteredSchema("t-value", 1, schema_id, kind, text)  # pyright: ignore[reportArgumentType]


def decoders() -> list[ValueDecoder]:
    registry: Any = Registry()
    return [Decoder(registry, AVRO), ProtobufDecoder(registry, PROTO), JsonDecoder(registry, JSON)]


def decode(decoder: ValueDecoder, values: list[bytes], content_type: bytes | None = None) -> Any:
    headers = [{"name": "content-type", "value": content_type}] if content_type else None
    rows = [(0, i, 0, None, v, headers) for i, v in enumerate(values)]
    columns = dict(zip(RECORDS.names, map(list, zip(*rows, strict=True)), strict=True))
    got = decoder.decode(pa.table(columns, schema=RECORDS))
    assert sorted([*got.indices.tolist(), *(p.row for p in got.poison)]) == list(range(len(values)))
    assert all(p.reason for p in got.poison)
    return got


GOOD = {
    0: frame(1, b"\x02\x04\x02x\x04yz\x00"),
    1: frame(2, b"\x00\x0a\x02xy\x12\x02\x08\x05\x1a\x02\x01\x02"),
    2: frame(3, b'{"a": "x", "n": 1}'),
}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_frame_cut_at_any_byte_is_named_or_is_whole(which: int) -> None:
    decoder, good = decoders()[which], GOOD[which]
    got = decode(decoder, [good[:size] for size in range(len(good) + 1)])
    assert len(good) in got.indices.tolist()
    assert {p.row for p in got.poison} >= set(range(5))


@pytest.mark.parametrize(
    "indexes",
    [
        b"\x02\x08",
        b"\x04\x00\x02",
        b"\x02\x01",
        b"\x01",
        b"\xfe\xff\xff\xff\x0f",
        b"\x02",
        b"\xff" * 9,
        b"\x02\x02",
    ],
)
def test_message_indexes_that_lead_nowhere(indexes: bytes) -> None:
    got = decode(decoders()[1], [frame(2, indexes + b"\x0a\x01x"), GOOD[1]])
    assert got.indices.tolist() == [1]
    assert [p.row for p in got.poison] == [0]


HOSTILE = st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(frame, st.integers(0, 5), st.binary(max_size=40)),
            st.builds(lambda good, at, byte: good[:at] + bytes([byte]) + good[at + 1 :],
                      st.sampled_from(sorted(GOOD.values())), st.integers(0, 20), st.integers(0, 255)),
        ),
        min_size=1,
        max_size=40,
    )  # fmt: skip


def survive(values: list[bytes]) -> None:
    started = time.monotonic()
    for decoder in decoders():
        decode(decoder, values)
        events = [json.dumps({"data_base64": base64.b64encode(v).decode()}).encode() for v in values]
        decode(decoder, [*events, *values], b"application/cloudevents+json")
    assert time.monotonic() - started < 20


@settings(max_examples=150, deadline=None)
@given(HOSTILE)
def test_random_bytes(values: list[bytes]) -> None:
    survive(values)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(HOSTILE)
def test_a_hundred_thousand_random_values(values: list[bytes]) -> None:
    survive(values)


def test_counts_that_promise_gigabytes_cost_nothing() -> None:
    started = time.monotonic()
    many = struct.pack(">Q", 2**63 - 1)
    hostile = [
        frame(1, b"\x02\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + many),
        frame(2, b"\x00\x0a\xff\xff\xff\xff\x07x"),
    ]
    for decoder in decoders():
        assert decode(decoder, hostile * 1_000).indices.tolist() == []
    assert time.monotonic() - started < 20
