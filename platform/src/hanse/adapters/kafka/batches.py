"""Kafka's record batches (format v2) into Arrow, whole batches at a time.

A partition's part of a fetch response is a sequence of batches; each carries records as zigzag
varints and length-prefixed bytes. The only loop in Python per record finds where records start;
fields, keys, values and headers of all records are then decoded together.
Specification: Apache Kafka, "Message Format" (kafka.apache.org/documentation/#messageformat).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cramjam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from crc32c import crc32c

from hanse.errors import LogError
from hanse.log.rows import BODY
from hanse.ports.event_log import RECORDS

_HEADER = struct.Struct(">qiibIhiqqqhii")
_CRC_FROM = 21
_CONTROL, _TRANSACTIONAL, _APPEND_TIME = 0x20, 0x10, 0x08
_XERIAL = b"\x82SNAPPY\x00"
MAX_BATCH = 256 * 1024 * 1024

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Aborted:
    """A producer whose records from `first` on are of an aborted transaction."""

    producer: int
    first: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one batch, decompressed. `append_time` replaces the records' own times."""

    base: int
    last: int
    base_time: int
    append_time: int | None
    count: int
    records: bytes


class Damaged(LogError):
    """Bytes from the broker are not what its protocol says."""


def split(data: memoryview, offset: int, aborted: Sequence[Aborted], where: str) -> tuple[list[Batch], int]:
    """The batches with records at and after `offset` that a reader of committed records sees.

    Returns them with the offset to read on: after the last whole batch, gaps included. A cut batch
    at the end is left for the next fetch. Raises Damaged.
    """
    batches: list[Batch] = []
    open_aborts: set[int] = set()
    waiting = sorted(aborted, key=lambda a: a.first, reverse=True)
    at = 0
    while at + _HEADER.size <= len(data):
        base, length, _, magic, crc, attributes, delta, base_time, max_time, producer, _, _, count = (
            _HEADER.unpack_from(data, at)
        )
        end = at + 12 + length
        if magic != 2 or length < _HEADER.size - 12 or count < 0:
            raise Damaged("a record batch has a format that is not read", where=where, got=f"magic {magic}")
        if end > len(data):
            break
        place = f"{where}, offset {base}"
        found = crc32c(data[at + _CRC_FROM : end])
        if found != crc:
            raise Damaged(
                "a record batch is damaged", where=place, expected=f"CRC-32C {crc:08x}", got=f"{found:08x}"
            )
        while waiting and waiting[-1].first <= base + delta:
            open_aborts.add(waiting.pop().producer)
        if attributes & _CONTROL:
            open_aborts.discard(producer)
        elif (
            base + delta >= offset and count and not (attributes & _TRANSACTIONAL and producer in open_aborts)
        ):
            records = _decompressed(data[at + _HEADER.size : end], attributes & 7, place)
            append_time = max_time if attributes & _APPEND_TIME else None
            batches.append(Batch(base, base + delta, base_time, append_time, count, records))
        offset = max(offset, base + delta + 1)
        at = end
    return batches, offset


def _snappy(data: bytes) -> bytes:
    """Raw snappy, or Java's stream of raw blocks behind their lengths."""
    raw = cast(Callable[[bytes], Any], cramjam.snappy.decompress_raw)
    if not data.startswith(_XERIAL):
        return bytes(raw(data))
    parts: list[bytes] = []
    at = 16
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append(bytes(raw(data[at + 4 : at + 4 + size])))
        at += 4 + size
    return b"".join(parts)


_CODECS: dict[int, Callable[[bytes], Any]] = {
    1: cramjam.gzip.decompress,
    2: _snappy,
    3: cramjam.lz4.decompress,
    4: cramjam.zstd.decompress,
}


def _decompressed(data: memoryview, codec: int, where: str) -> bytes:
    if codec == 0:
        return bytes(data)
    if codec not in _CODECS:
        raise Damaged("a record batch has an unknown compression", where=where, got=str(codec))
    try:
        result = bytes(_CODECS[codec](bytes(data)))
    except (cramjam.DecompressionError, ValueError) as error:
        raise Damaged("a record batch cannot be decompressed", where=where, got=str(error)) from error
    if len(result) > MAX_BATCH:
        raise Damaged("a record batch is too large", where=where, got=f"{len(result):,} bytes")
    return result


def decode(batches: list[Batch], partition: int, offset: int, where: str) -> pa.RecordBatch:
    """Rows shaped as `RECORDS` with offsets at and after `offset`. Raises Damaged."""
    joined = b"".join(b.records for b in batches)
    try:
        return _Decoder(joined, where).rows(batches, partition, offset, _ends(joined, batches))
    except IndexError as error:
        raise Damaged("a record batch ends within a record", where=where) from error


def _ends(data: bytes, batches: list[Batch]) -> Ints:
    """Where each record ends: the one thing that must be found record by record."""
    ends: list[int] = []
    append = ends.append
    at = limit = 0
    for batch in batches:
        limit += len(batch.records)
        for _ in range(batch.count):
            size = data[at]
            if size < 0x80:
                at += 1 + (size >> 1)
            elif (second := data[at + 1]) < 0x80:
                at += 2 + ((size & 0x7F | second << 7) >> 1)
            else:
                at = _long_end(data, at)
            append(at)
        if at != limit:
            raise IndexError
    return np.array(ends, dtype=np.int64)


def _long_end(data: bytes, at: int) -> int:
    """The end of a record of 8 KiB or more."""
    size = shift = 0
    while True:
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return at + (size >> 1)
        shift += 7
        if shift > 28:
            raise IndexError


class _Decoder:
    """Decodes fields of many records at once; `at` arrays point into the joined bytes."""

    def __init__(self, joined: bytes, where: str) -> None:
        self._size = len(joined)
        self._buffer = pa.py_buffer(joined)
        self._data: Bytes = np.frombuffer(joined, dtype=np.uint8)
        self._where = where

    def rows(self, batches: list[Batch], partition: int, offset: int, ends: Ints) -> pa.RecordBatch:
        """All records from the offset on; a field that reaches past its record's end is an IndexError."""
        counts = [b.count for b in batches]
        size, starts = self._varints(np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]))
        if not np.array_equal(starts + size, ends):
            raise IndexError
        time_delta, at = self._varints(starts + 1)
        offset_delta, at = self._varints(at)
        key, key_size, at = self._bytes(at)
        value, value_size, at = self._bytes(at)
        header_count, at = self._varints(at)
        headers, at = self._headers(header_count, at)
        if not np.array_equal(at, ends):
            raise IndexError
        offsets = np.repeat(np.array([b.base for b in batches], dtype=np.int64), counts) + offset_delta
        lasts = np.repeat(np.array([b.last for b in batches], dtype=np.int64), counts)
        if (np.diff(offsets) <= 0).any() or (offset_delta < 0).any() or (offsets > lasts).any():
            raise Damaged("a record batch's offsets do not rise within its range", where=self._where)
        own = np.repeat(np.array([b.base_time for b in batches], dtype=np.int64), counts) + time_delta
        append = np.array([-1 if b.append_time is None else b.append_time for b in batches], dtype=np.int64)
        append = np.repeat(append, counts)
        times = np.where(append >= 0, append, own)
        columns = [
            pa.array(np.full(len(starts), partition, dtype=np.int32)),
            pa.array(offsets),
            pa.array(times).cast(BODY.field("timestamp").type),
            self._column(key, key_size),
            self._column(value, value_size),
            headers,
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=RECORDS)
        return (
            rows.slice(int(np.searchsorted(offsets, offset)))
            if len(offsets) and offsets[0] < offset
            else rows
        )

    def _varints(self, at: Ints) -> tuple[Ints, Ints]:
        """A zigzag varint at each place, and the places after them."""
        byte = self._data[at]
        value = (byte & np.uint8(0x7F)).astype(np.uint64)
        after = at + 1
        longer = np.flatnonzero(byte & np.uint8(0x80))
        shift = 7
        while len(longer):
            if shift > 63:
                raise IndexError
            byte = self._data[after[longer]]
            value[longer] |= (byte & np.uint8(0x7F)).astype(np.uint64) << np.uint64(shift)
            after[longer] += 1
            longer = longer[(byte & np.uint8(0x80)) > 0]
            shift += 7
        signed = (value >> np.uint64(1)).astype(np.int64) ^ -(value & np.uint64(1)).astype(np.int64)
        return signed, after

    def _bytes(self, at: Ints) -> tuple[Ints, Ints, Ints]:
        """Length-prefixed bytes at each place: their starts, lengths (-1: null), and the places after."""
        size, start = self._varints(at)
        after = start + np.maximum(size, 0)
        if len(size) and (
            int(size.min()) < -1 or int(size.max()) > self._size or int(after.max()) > self._size
        ):
            raise IndexError
        return start, size, after

    def _column(self, start: Ints, size: Ints) -> pa.Array[Any]:
        """The bytes at rising places: an array that alternates wanted and unwanted bytes, then a take."""
        count = len(start)
        if count == 0:
            return pa.array([], pa.large_binary())
        bounds = np.empty(2 * count, dtype=np.int64)
        bounds[0::2] = start
        bounds[1::2] = start + np.maximum(size, 0)
        every = pa.Array.from_buffers(
            pa.large_binary(), 2 * count - 1, [None, pa.py_buffer(bounds), self._buffer]
        )
        null = size < 0
        wanted = np.arange(0, 2 * count, 2)
        return every.take(pa.array(wanted, mask=null) if null.any() else pa.array(wanted))

    def _headers(self, count: Ints, at: Ints) -> tuple[pa.Array[Any], Ints]:
        if len(count) and int(count.min()) < 0:
            raise IndexError
        after = at.copy()
        rows: list[Ints] = []
        fields: list[tuple[Ints, Ints, Ints, Ints]] = []
        step = 0
        active = np.flatnonzero(count > 0)
        while len(active):
            name, name_size, following = self._bytes(after[active])
            value, value_size, following = self._bytes(following)
            after[active] = following
            rows.append(active)
            fields.append((name, name_size, value, value_size))
            step += 1
            active = active[count[active] > step]
        bounds = np.zeros(len(count) + 1, dtype=np.int32)
        np.cumsum(count, out=bounds[1:])
        entries = self._entries(rows, fields)
        return pa.ListArray.from_arrays(pa.array(bounds), entries, type=BODY.field("headers").type), after

    def _entries(self, rows: list[Ints], fields: list[tuple[Ints, Ints, Ints, Ints]]) -> pa.Array[Any]:
        """All headers in the order of their records."""
        entry = BODY.field("headers").type.value_type
        if not rows:
            return pa.array([], entry)
        order = np.argsort(np.concatenate(rows), kind="stable")
        name, name_size, value, value_size = (
            np.concatenate(part)[order] for part in zip(*fields, strict=True)
        )
        try:
            names = self._column(name, name_size).cast(pa.large_string()).cast(pa.string())
        except pa.ArrowInvalid as error:
            raise Damaged("a header's name is not UTF-8", where=self._where) from error
        values = self._column(value, value_size).cast(pa.binary())
        return pa.StructArray.from_arrays([names, values], fields=list(entry))
