"""Decode many Avro datums at once, a column at a time, with one cursor a record.

Every record keeps its own position in the shared bytes, so a malformed record spoils nothing but
itself and is known by name of what was wrong. A step reads one field of all records with a few numpy
operations; strings and bytes are gathered by Arrow, without a Python object a value. What has no
useful column form (recursive types, long arrays) is marked slow and left to `rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hanse.wire.avro import reasons
from hanse.wire.avro.resolve import Plan
from hanse.wire.avro.schema import AvroType
from hanse.wire.avro.types import arrow_type

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
PAD = 16
SLOW = -1
MAX_STEPS = 256
_EXACT = Context(prec=100)


class Cursor:
    """Some records, each with its position and its end in the shared bytes."""

    __slots__ = ("end", "pos", "rows")

    def __init__(self, rows: Ints, pos: Ints, end: Ints) -> None:
        self.rows = rows
        self.pos = pos
        self.end = end

    def only(self, which: Any) -> Cursor:
        """The cursor of a part; its positions are to be written back with `put`."""
        return Cursor(self.rows[which], self.pos[which], self.end[which])

    def __len__(self) -> int:
        return len(self.rows)


class Columns:
    """Datums of one writer's schema, read by a plan.

    `data` must have at least PAD bytes after the last end. After `read`, `errors[i]` is 0 for a good
    record, SLOW for one that only `rows` reads, else an index into `reasons`.
    """

    def __init__(self, data: pa.Buffer, starts: Ints, ends: Ints) -> None:
        self.buffer = data
        self.bytes = np.frombuffer(data, dtype=np.uint8)
        self.errors = np.zeros(len(starts), dtype=np.int32)
        self.reasons: list[str] = ["", reasons.TRUNCATED]
        self.cursor = Cursor(np.arange(len(starts)), starts.copy(), ends)
        self._types: dict[int, pa.DataType] = {}

    def read(self, plan: Plan) -> list[pa.Array]:
        """The columns of the reader's record, one row a datum, garbage where `errors` says so."""
        arrays = self._record_fields(plan, self.cursor) if plan.op == "record" else self._failed_record(plan)
        self.fail(self.cursor, self.cursor.pos != self.cursor.end, reasons.TRAILING)
        return arrays

    def _failed_record(self, plan: Plan) -> list[pa.Array]:
        self.fail(self.cursor, np.ones(len(self.cursor), dtype=bool), plan.reason or reasons.NO_RECORD)
        record = plan.reader
        assert record is not None, "the top of a plan has a reader"
        return [pa.nulls(len(self.cursor), arrow_type(f.type)) for f in record.fields]

    # -- errors

    def fail(self, at: Cursor, which: Mask, reason: str) -> None:
        """Mark the records; they stay at their end, where later steps read nothing that counts."""
        if not which.any():
            return
        rows = at.rows[which]
        fresh = rows[self.errors[rows] == 0]
        if len(fresh):
            self.errors[fresh] = self._code(reason)
        at.pos[which] = at.end[which]

    def _code(self, reason: str) -> int:
        if reason == reasons.SLOW:
            return SLOW
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason)

    def _inside(self, at: Cursor) -> None:
        self.fail(at, at.pos > at.end, reasons.TRUNCATED)

    def _type(self, reader: AvroType | None) -> pa.DataType:
        assert reader is not None, "skipped values have no type"
        if id(reader) not in self._types:
            self._types[id(reader)] = arrow_type(reader)
        return self._types[id(reader)]

    # -- steps

    def step(self, plan: Plan, at: Cursor) -> pa.Array | None:
        """Read one value a record and move on. None when the plan skips."""
        made = _STEPS[plan.op](self, plan, at)
        return None if plan.reader is None else made

    def read_null(self, plan: Plan, at: Cursor) -> pa.Array | None:
        return None if plan.reader is None else pa.nulls(len(at), self._type(plan.reader))

    def read_fail(self, plan: Plan, at: Cursor) -> pa.Array | None:
        self.fail(at, np.ones(len(at), dtype=bool), plan.reason)
        return self.read_null(plan, at)

    def read_slow(self, plan: Plan, at: Cursor) -> pa.Array | None:
        self.fail(at, np.ones(len(at), dtype=bool), reasons.SLOW)
        return self.read_null(plan, at)

    def read_boolean(self, _plan: Plan, at: Cursor) -> pa.Array | None:
        values = self.bytes[at.pos]
        at.pos += 1
        self._inside(at)
        self.fail(at, values > 1, reasons.BOOLEAN)
        return pa.array(values == 1)

    def read_float(self, plan: Plan, at: Cursor) -> pa.Array | None:
        width = 4 if plan.op == "float" else 8
        values = self._numbers("<f4" if width == 4 else "<f8", at.pos)
        at.pos += width
        self._inside(at)
        if plan.reader is None:
            return None
        return pa.array(values.astype(np.float32 if plan.reader.kind == "float" else np.float64, copy=False))

    def _numbers(self, dtype: str, pos: Ints) -> npt.NDArray[Any]:
        size = np.dtype(dtype).itemsize
        view = np.ndarray((len(self.bytes) - size + 1,), dtype, self.bytes.data, strides=(1,))
        return view[pos]

    def varint(self, at: Cursor) -> Ints:
        """Zigzag variable-length integers of 64 bits (at most ten bytes)."""
        values = self.unsigned(at)
        return (values >> np.uint64(1)).view(np.int64) ^ -(values & np.uint64(1)).view(np.int64)

    def unsigned(self, at: Cursor) -> npt.NDArray[np.uint64]:
        """Variable-length integers as they are written."""
        first = self.bytes[at.pos]
        values = (first & 0x7F).astype(np.uint64)
        long = np.flatnonzero(first & 0x80)
        if len(long) == len(first) and len(long):
            values = self._long_varint(at, slice(None))
        else:
            if len(long):
                values[long] = self._long_varint(at, long)
            short = first < 0x80
            at.pos[short] += 1
        self._inside(at)
        return values

    def _long_varint(self, at: Cursor, which: Any) -> npt.NDArray[np.uint64]:
        pos = at.pos[which]
        word = self._numbers("<u8", pos)
        stop = ~word & np.uint64(0x8080808080808080)
        lowest = stop & (~stop + np.uint64(1))
        word &= lowest - np.uint64(1)
        length = (np.bitwise_count(lowest - np.uint64(1)) + np.uint8(1)).astype(np.int64) >> 3
        value = _squeeze(word)
        beyond = np.flatnonzero(stop == 0)
        moved = pos + length
        if len(beyond):
            value[beyond], moved[beyond] = self._huge_varint(at, which, beyond, pos[beyond], value[beyond])
        at.pos[which] = moved
        return value

    def _huge_varint(self, at: Cursor, which: Any, beyond: Ints, pos: Ints, value: Any) -> tuple[Any, Ints]:
        """Nine or ten bytes: the last carries at most one bit."""
        ninth = self.bytes[pos + 8].astype(np.uint64)
        tenth = self.bytes[pos + 9].astype(np.uint64)
        ten = ninth >= 0x80
        value = value | ((ninth & np.uint64(0x7F)) << np.uint64(56))
        value = np.where(ten, value | (tenth << np.uint64(63)), value)
        end = at.end[which][beyond]
        wrong = ten & (tenth > 1) & (pos + 10 <= end)
        if wrong.any():
            rows = np.zeros(len(at), dtype=bool)
            rows[np.arange(len(at))[which][beyond[wrong]]] = True
            self.fail(at, rows, reasons.VARINT)
        return value, np.where(wrong, end, pos + 9 + ten)

    def read_integer(self, plan: Plan, at: Cursor) -> pa.Array | None:
        values = self.varint(at)
        if plan.op == "int":
            self.fail(at, (values < -(1 << 31)) | (values >= 1 << 31), reasons.INT)
        return None if plan.reader is None else self._typed_integer(plan, plan.reader, values, at)

    def _typed_integer(self, plan: Plan, reader: AvroType, values: Ints, at: Cursor) -> pa.Array:
        kind = self._type(reader)
        if reader.kind in ("float", "double"):
            return (
                pa.array(values.astype(np.float64), kind)
                if reader.kind == "double"
                else pa.array(values.astype(np.float32))
            )
        if plan.divide > 1:
            self.fail(at, values % plan.divide != 0, reasons.PRECISION_LOST)
            values = values // plan.divide
        if plan.multiply > 1:
            limit = (1 << 63) // plan.multiply - 1
            self.fail(at, (values > limit) | (values < -limit), reasons.TIMESTAMP)
            values = np.clip(values, -limit, limit) * plan.multiply
        limits = reasons.limits(reader)
        if limits is not None:
            self.fail(at, (values < limits[0]) | (values > limits[1]), limits[2])
        if reader.kind == "int":
            return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values.astype(np.int32))])
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])

    # -- bytes, strings and what is written as them

    def _lengths(self, at: Cursor) -> tuple[Ints, Ints]:
        """Where the bytes start and how many; nothing for a record that fails."""
        length = self.varint(at)
        self.fail(at, length < 0, reasons.LENGTH)
        self.fail(at, length > at.end - at.pos, reasons.TRUNCATED)
        length = np.minimum(length, at.end - at.pos)
        start = at.pos.copy()
        length = np.where(length < 0, 0, length)
        at.pos += length
        return start, length

    def _gather(self, start: Ints, length: Ints) -> pa.Array:
        """The byte strings, copied together by Arrow: they rise in the buffer, gaps between them."""
        count = len(start)
        if count == 0:
            return pa.array([], pa.large_binary())
        offsets = np.empty(2 * count, dtype=np.int64)
        offsets[0::2] = start
        np.add(start, length, out=offsets[1::2])
        every = pa.Array.from_buffers(
            pa.large_binary(), 2 * count - 1, [None, pa.py_buffer(offsets), self.buffer]
        )
        return every.take(pa.array(np.arange(0, 2 * count, 2)))

    def read_bytes(self, plan: Plan, at: Cursor) -> pa.Array | None:
        start, length = self._lengths(at)
        if plan.reader is None:
            return None
        if plan.reader.logical == "decimal":
            return self._decimal(plan.reader, start, length, at)
        values = self._gather(start, length)
        return self._text(values, at) if plan.reader.kind == "string" else values.cast(pa.binary())

    def _text(self, values: pa.Array, at: Cursor) -> pa.Array:
        try:
            return values.cast(pa.string())
        except pa.ArrowInvalid:
            wrong = np.array([not _is_utf8(v) for v in values.to_pylist()])
            if not wrong.any():
                raise
            self.fail(at, wrong, reasons.UTF8)
            kept = pa.array([b"" if bad else v for v, bad in zip(values.to_pylist(), wrong, strict=True)])
            return kept.cast(pa.string())

    def read_fixed(self, plan: Plan, at: Cursor) -> pa.Array | None:
        size = plan.writer.size
        start = at.pos.copy()
        at.pos += size
        self._inside(at)
        reader = plan.reader
        if reader is None:
            return None
        length = np.minimum(size, at.end - start)
        if reader.logical == "decimal":
            return self._decimal(reader, start, length, at)
        flat = np.zeros((len(start), size), dtype=np.uint8)
        full = length == size
        flat[full] = self.bytes[start[full, None] + np.arange(size)]
        if reader.logical == "uuid":
            return _uuid_text(flat)
        if reader.logical == "duration":
            return self._duration(flat, at)
        return pa.Array.from_buffers(pa.binary(size), len(start), [None, pa.py_buffer(flat)])

    def _duration(self, flat: npt.NDArray[np.uint8], at: Cursor) -> pa.Array:
        parts = flat.view("<u4").astype(np.int64)
        self.fail(at, (parts[:, 0] >= 1 << 31) | (parts[:, 1] >= 1 << 31), reasons.DURATION)
        out = np.zeros(len(flat), dtype=[("m", "<i4"), ("d", "<i4"), ("n", "<i8")])
        out["m"], out["d"], out["n"] = parts[:, 0], parts[:, 1], parts[:, 2] * 1_000_000
        return pa.Array.from_buffers(pa.month_day_nano_interval(), len(flat), [None, pa.py_buffer(out)])

    def _decimal(self, reader: AvroType, start: Ints, length: Ints, at: Cursor) -> pa.Array:
        """Big-endian two's complement, at most 16 bytes here; longer ones go through Python's integers."""
        self.fail(at, length == 0, reasons.EMPTY_DECIMAL)
        widest = int(length.max(initial=0))
        if widest > 16 or reader.precision > 38:
            return self._long_decimal(reader, start, length, at)
        negative = (self.bytes[start] >= 0x80) & (length > 0)
        low = np.where(negative, np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0))
        high = low.copy()
        for i in range(widest):
            here = length > i
            byte = self.bytes[start + np.where(here, i, 0)].astype(np.uint64)
            if widest > 8:
                high = np.where(here, (high << np.uint64(8)) | (low >> np.uint64(56)), high)
            low = np.where(here, (low << np.uint64(8)) | byte, low)
        self.fail(at, _too_large(high, low, negative, reader.precision), reasons.DECIMAL)
        out = np.empty((len(start), 2), dtype=np.uint64)
        out[:, 0], out[:, 1] = low, high
        return pa.Array.from_buffers(self._type(reader), len(start), [None, pa.py_buffer(out)])

    def _long_decimal(self, reader: AvroType, start: Ints, length: Ints, at: Cursor) -> pa.Array:
        limit = 10**reader.precision
        raw = self._gather(start, length).to_pylist()
        values = [int.from_bytes(v, "big", signed=True) if len(v) <= 64 else limit for v in raw]
        wrong: Mask = np.array([abs(v) >= limit for v in values], dtype=np.bool_)
        self.fail(at, wrong, reasons.DECIMAL)
        made = [
            None if bad else Decimal(v).scaleb(-reader.scale, _EXACT)
            for v, bad in zip(values, wrong, strict=True)
        ]
        return pa.array(made, self._type(reader))

    def read_enum(self, plan: Plan, at: Cursor) -> pa.Array | None:
        index = self.varint(at)
        wrong = (index < 0) | (index >= len(plan.symbols))
        self.fail(at, wrong, reasons.ENUM)
        if plan.reader is None:
            return None
        index = np.where(wrong, 0, index)
        unknown = np.array([s is None for s in plan.symbols])
        self.fail(at, unknown[index] & ~wrong, reasons.SYMBOL)
        symbols = pa.array([s or "" for s in plan.symbols], pa.string())
        return symbols.take(pa.array(index))

    # -- nested types

    def read_union(self, plan: Plan, at: Cursor) -> pa.Array | None:
        chosen = self.varint(at)
        self.fail(at, (chosen < 0) | (chosen >= len(plan.branches)), reasons.UNION)
        place = np.full(len(at), -1, dtype=np.int64)
        parts: list[pa.Array] = []
        base = 0
        for number, branch in enumerate(plan.branches):
            which = np.flatnonzero(chosen == number)
            if not len(which):
                continue
            part = at.only(which)
            made = self.step(branch, part)
            at.pos[which] = part.pos
            if made is not None and branch.op != "null":
                parts.append(made)
                place[which] = np.arange(base, base + len(which))
                base += len(which)
        if plan.reader is None:
            return None
        if not parts:
            return pa.nulls(len(at), self._type(plan.reader))
        whole = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        if base == len(at) and len(parts) == 1:
            return whole
        return whole.take(pa.array(place, mask=place < 0))

    def read_wrap(self, plan: Plan, at: Cursor) -> pa.Array | None:
        made = self.step(plan.inner, at)
        kind = self._type(plan.reader)
        fields = [kind.field(i) for i in range(kind.num_fields)]
        arrays = [made if f.name == plan.branch else pa.nulls(len(at), f.type) for f in fields]
        return pa.StructArray.from_arrays(arrays, fields=fields)

    def read_record(self, plan: Plan, at: Cursor) -> pa.Array | None:
        if plan.reader is None:
            for step, _ in plan.steps:
                self.step(step, at)
            return None
        arrays = self._record_fields(plan, at)
        kind = self._type(plan.reader)
        if not arrays:
            return pa.array([{}] * len(at), kind)
        return pa.StructArray.from_arrays(arrays, fields=[kind.field(i) for i in range(kind.num_fields)])

    def _record_fields(self, plan: Plan, at: Cursor) -> list[pa.Array]:
        assert plan.reader is not None, "a skipped record has no fields"
        made: dict[int, pa.Array] = {}
        for step, place in plan.steps:
            array = self.step(step, at)
            if place is not None:
                assert array is not None, "a field that is kept has a reader"
                made[place] = array
        for place, value in plan.defaults.items():
            one = pa.array([value], self._type(plan.reader.fields[place].type))
            made[place] = one.take(pa.array(np.zeros(len(at), dtype=np.int64)))
        return [made[i] for i in range(len(plan.reader.fields))]

    def read_array(self, plan: Plan, at: Cursor) -> pa.Array | None:
        values, counts = self._elements(plan, at, keys=False)
        if plan.reader is None:
            return None
        return pa.ListArray.from_arrays(_offsets(counts), values[0], type=self._type(plan.reader))

    def read_map(self, plan: Plan, at: Cursor) -> pa.Array | None:
        values, counts = self._elements(plan, at, keys=True)
        if plan.reader is None:
            return None
        owner = np.repeat(np.arange(len(at)), counts)
        self.fail(at, _repeated(owner, values[1], len(at)), reasons.MAP_KEY)
        return pa.MapArray.from_arrays(_offsets(counts), values[1], values[0], type=self._type(plan.reader))

    def _elements(self, plan: Plan, at: Cursor, keys: bool) -> tuple[list[pa.Array], Ints]:
        """Elements of all records in order, and how many each has: one round reads one element of each."""
        left = np.zeros(len(at), dtype=np.int64)
        counts = np.zeros(len(at), dtype=np.int64)
        going = np.arange(len(at))
        owners: list[Ints] = []
        rounds: list[tuple[pa.Array | None, pa.Array | None]] = []
        while True:
            going = self._next_blocks(at, going, left)
            if len(rounds) >= MAX_STEPS or (len(rounds) >= 8 and len(going) < 32):
                stop = np.zeros(len(at), dtype=bool)
                stop[going] = True
                self.fail(at, stop, reasons.SLOW)
                going = going[:0]
            if not len(going):
                break
            part = at.only(going)
            key = self._text(self._gather(*self._lengths(part)), part) if keys else None
            rounds.append((self.step(plan.inner, part), key))
            at.pos[going] = part.pos
            left[going] -= 1
            counts[going] += 1
            owners.append(going)
            going = going[self.errors[at.rows[going]] == 0]
        if plan.reader is None:
            return [], counts
        return self._in_order(plan, owners, rounds, keys), counts

    def _in_order(self, plan: Plan, owners: list[Ints], rounds: list[Any], keys: bool) -> list[pa.Array]:
        reader = plan.reader
        assert reader is not None, "skipped elements are not kept"
        if not rounds:
            return [pa.array([], self._type(reader.element)), pa.array([], pa.string())]
        order = pa.array(np.argsort(np.concatenate(owners), kind="stable"))
        values = pa.concat_arrays([value for value, _ in rounds]).take(order)
        return [values, pa.concat_arrays([key for _, key in rounds]).take(order)] if keys else [values]

    def _next_blocks(self, at: Cursor, going: Ints, left: Ints) -> Ints:
        """Read block headers where a block is used up; returns the records that have an element to read."""
        waiting = going[left[going] == 0]
        if len(waiting):
            part = at.only(waiting)
            count = self.varint(part)
            sized = np.flatnonzero(count < 0)
            self.fail(part, count < -(1 << 62), reasons.BLOCK)
            count = np.abs(np.maximum(count, -(1 << 62)))
            if len(sized):
                inner = part.only(sized)
                self.fail(inner, self.varint(inner) < 0, reasons.BLOCK)
                part.pos[sized] = inner.pos
            left[waiting] = np.where(self.errors[part.rows] != 0, 0, count)
            at.pos[waiting] = part.pos
        return going[left[going] > 0]


_STEPS: dict[str, Callable[[Columns, Plan, Cursor], pa.Array | None]] = {
    "null": Columns.read_null,
    "fail": Columns.read_fail,
    "ref": Columns.read_slow,
    "boolean": Columns.read_boolean,
    "int": Columns.read_integer,
    "long": Columns.read_integer,
    "float": Columns.read_float,
    "double": Columns.read_float,
    "bytes": Columns.read_bytes,
    "string": Columns.read_bytes,
    "fixed": Columns.read_fixed,
    "enum": Columns.read_enum,
    "union": Columns.read_union,
    "wrap": Columns.read_wrap,
    "record": Columns.read_record,
    "array": Columns.read_array,
    "map": Columns.read_map,
}


def _squeeze(word: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Seven bits of each of eight bytes, pushed together."""
    u = np.uint64
    word = (word & u(0x007F007F007F007F)) | ((word & u(0x7F007F007F007F00)) >> u(1))
    word = (word & u(0x00003FFF00003FFF)) | ((word & u(0x3FFF00003FFF0000)) >> u(2))
    return (word & u(0x000000000FFFFFFF)) | ((word & u(0x0FFFFFFF00000000)) >> u(4))


def _too_large(high: Any, low: Any, negative: Mask, precision: int) -> Mask:
    """Whether the 128-bit values have more digits than the precision."""
    flipped = ~low + np.uint64(1)
    high = np.where(negative, ~high + (flipped == 0), high)
    low = np.where(negative, flipped, low)
    limit = 10**precision
    top, rest = np.uint64(limit >> 64), np.uint64(limit & 0xFFFFFFFFFFFFFFFF)
    return (high > top) | ((high == top) & (low >= rest))


_HEX = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), dtype=np.uint8).reshape(256, 2)


def _uuid_text(flat: npt.NDArray[np.uint8]) -> pa.Array:
    digits = _HEX[flat].reshape(len(flat), 32)
    text = np.full((len(flat), 36), ord("-"), dtype=np.uint8)
    for to, start, end in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        text[:, to : to + end - start] = digits[:, start:end]
    return (
        pa.Array.from_buffers(pa.binary(36), len(flat), [None, pa.py_buffer(text)])
        .cast(pa.binary())
        .cast(pa.string())
    )


def _offsets(counts: Ints) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))


def _repeated(owner: Ints, keys: pa.Array, count: int) -> Mask:
    """Which owners have the same key twice."""
    wrong = np.zeros(count, dtype=bool)
    if len(owner):
        encoded = keys.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        pairs = np.sort(owner * max(1, len(encoded.dictionary)) + codes)
        twice = pairs[1:][pairs[1:] == pairs[:-1]]
        wrong[twice // max(1, len(encoded.dictionary))] = True
    return wrong


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
