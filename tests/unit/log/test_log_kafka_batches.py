"""Record batches of Kafka's format v2: what is encoded here, by the specification, is what is decoded."""

from __future__ import annotations

import struct
from typing import Any

import cramjam
import pyarrow as pa
import pytest
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.adapters.kafka.batches import Aborted, Damaged, decode, split
from hanse.errors import LogError

Row = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]

COMPRESS = {
    0: lambda data: data,
    1: lambda data: bytes(cramjam.gzip.compress(data)),
    2: lambda data: bytes(cramjam.snappy.compress_raw(data)),
    3: lambda data: bytes(cramjam.lz4.compress(data)),
    4: lambda data: bytes(cramjam.zstd.compress(data)),
    # Java's stream of snappy blocks, told apart by its magic bytes
    18: lambda data: b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + _blocks(data),
}


def _blocks(data: bytes) -> bytes:
    parts = [bytes(cramjam.snappy.compress_raw(data[at : at + 64])) for at in range(0, len(data), 64)]
    return b"".join(struct.pack(">i", len(part)) + part for part in parts)


def varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number & ~0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def sized(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def batch(
    rows: list[Row],
    base: int = 0,
    codec: int = 0,
    attributes: int = 0,
    producer: int = -1,
    gap: int = 1,
    time: int = 1_000,
) -> bytes:
    """A batch whose records are `gap` offsets apart; a row is key, value, headers, time."""
    body = b""
    for number, (key, value, headers, stamp) in enumerate(rows):
        record = b"\0" + varint(stamp - time) + varint(number * gap) + sized(key) + sized(value)
        record += varint(len(headers)) + b"".join(sized(n.encode()) + sized(v) for n, v in headers)
        body += varint(len(record)) + record
    last = max(0, len(rows) - 1) * gap
    most = max((r[3] for r in rows), default=0)
    after_crc = struct.pack(">hiqqqhii", attributes | codec & 7, last, time, most, producer, 0, 0, len(rows))
    after_crc += COMPRESS[codec](body)
    head = struct.pack(">ibI", 0, 2, crc32c(after_crc))
    return struct.pack(">qi", base, len(head) + len(after_crc)) + head + after_crc


def read(
    data: bytes, offset: int = 0, aborted: list[Aborted] | None = None
) -> tuple[list[dict[str, Any]], int]:
    batches, following = split(memoryview(data), offset, aborted or [], "here")
    return (decode(batches, 3, offset, "here").to_pylist() if batches else []), following


rows_drawn = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=200),
        st.none() | st.binary(max_size=300),
        st.lists(
            st.tuples(st.text(st.characters(codec="utf-8"), max_size=6), st.none() | st.binary(max_size=9)),
            max_size=4,
        ),
        st.integers(1, 2**45),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(
    written=st.lists(st.tuples(rows_drawn, st.sampled_from(sorted(COMPRESS)), st.integers(1, 3)), max_size=4),
    start=st.integers(0, 30),
)
def test_what_is_written_is_read(written: list[tuple[list[Row], int, int]], start: int) -> None:
    data, expected, base = b"", [], 0
    for rows, codec, gap in written:
        data += batch(rows, base, codec, gap=gap)
        for number, (key, value, headers, stamp) in enumerate(rows):
            expected.append((base + number * gap, key, value, headers, stamp))
        base += max(0, len(rows) - 1) * gap + 1
    got, following = read(data, start)
    assert following == max(start, base)
    shown = [
        (
            r["offset"],
            r["key"],
            r["value"],
            [(h["name"], h["value"]) for h in r["headers"]],
            round(r["timestamp"].timestamp() * 1_000),
        )
        for r in got
    ]
    assert shown == [e for e in expected if e[0] >= start]
    assert {r["partition"] for r in got} <= {3}


ROWS: list[Row] = [(b"k%d" % n, b"v" * n, [("h", b"1")] * (n % 3), 1_000 + n) for n in range(20)]


def test_a_cut_batch_waits_for_the_next_fetch() -> None:
    data = batch(ROWS) + batch(ROWS, 20)
    for cut in range(len(batch(ROWS)), len(data)):
        got, following = read(data[:cut])
        assert (len(got), following) == (20, 20)


def test_aborted_transactions_and_markers_are_left_out() -> None:
    abort, commit = (struct.pack(">hh", 0, kind) for kind in (0, 1))
    data = b"".join(
        [
            batch(ROWS[:2], 0, attributes=0x10, producer=7),
            batch(ROWS[:2], 2, attributes=0x10, producer=8),
            batch([(abort, None, [], 1)], 4, attributes=0x30, producer=7),
            batch([(commit, None, [], 1)], 5, attributes=0x30, producer=8),
            batch(ROWS[:2], 6, attributes=0x10, producer=7),
            batch([(commit, None, [], 1)], 8, attributes=0x30, producer=7),
            batch(ROWS[:1], 9, producer=7),
        ]
    )
    got, following = read(data, 0, [Aborted(7, 0)])
    assert [r["offset"] for r in got] == [2, 3, 6, 7, 9]
    assert following == 10


def test_the_brokers_time_replaces_the_records_own() -> None:
    got, _ = read(batch(ROWS, attributes=0x08))
    assert {round(r["timestamp"].timestamp() * 1_000) for r in got} == {1_019}


def test_a_flipped_bit_is_noticed_wherever_it_is() -> None:
    data = batch(ROWS)
    for at in range(16, len(data)):
        broken = bytearray(data)
        broken[at] ^= 4
        with pytest.raises(Damaged):
            read(bytes(broken))


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=80), count=st.integers(0, 2**31 - 1), codec=st.integers(0, 7))
def test_any_bytes_under_a_good_checksum_are_rows_or_one_error(body: bytes, count: int, codec: int) -> None:
    after_crc = struct.pack(">hiqqqhii", codec, 5, 1_000, 1_000, -1, 0, 0, count) + body
    head = struct.pack(">ibI", 0, 2, crc32c(after_crc))
    try:
        rows, _ = read(struct.pack(">qi", 0, len(head) + len(after_crc)) + head + after_crc)
    except LogError:
        return
    assert len(rows) == count


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_changed_record_under_a_good_checksum_is_rows_or_one_error(at: int, byte: int) -> None:
    data = bytearray(batch(ROWS))
    place = 61 + at % (len(data) - 61)
    data[place] = byte
    data[17:21] = struct.pack(">I", crc32c(bytes(data[21:])))
    try:
        rows, _ = read(bytes(data))
    except LogError:
        return
    assert len(rows) == 20
    assert pa.array([r["value"] for r in rows]) is not None
