"""Decode one Avro datum after the other, for what the column decoder leaves aside.

The values are those that Arrow builds the reader's type from: numbers for dates and timestamps,
`Decimal`, text, dicts for records, lists of pairs for maps. It is also the reference that the column
decoder is tested against.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

from hanse.errors import DecodeError
from hanse.wire.avro import reasons
from hanse.wire.avro.resolve import Plan
from hanse.wire.avro.schema import AvroType
from hanse.wire.avro.types import arrow_type, branch_names

MAX_DEPTH = 64
MAX_ELEMENTS = 4_000_000
_EXACT = Context(prec=100)


def read_row(plan: Plan, data: bytes) -> dict[str, Any]:
    """The record in the reader's schema. Raises DecodeError with one of `reasons`."""
    if plan.op != "record":
        raise DecodeError(plan.reason or reasons.NO_RECORD)
    reader = _Row(data)
    value = reader.value(plan)
    if reader.pos != len(data):
        raise DecodeError(reasons.TRAILING)
    return value


def table_of_rows(reader: AvroType, values: list[dict[str, Any]]) -> list[pa.Array]:
    """The records as columns of the reader's schema."""
    return [pa.array([v[f.name] for v in values], arrow_type(f.type)) for f in reader.fields]


class _Row:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        self.depth = 0
        self.left = MAX_ELEMENTS

    def value(self, plan: Plan) -> Any:
        return _READ[plan.op](self, plan)

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.pos:
            raise DecodeError(reasons.TRUNCATED)
        self.pos += count
        return self.data[self.pos - count : self.pos]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    raise DecodeError(reasons.VARINT)
                return (value >> 1) ^ -(value & 1)
        raise DecodeError(reasons.VARINT)

    def sized(self) -> bytes:
        length = self.varint()
        if length < 0:
            raise DecodeError(reasons.LENGTH)
        return self.take(length)

    def null(self, _plan: Plan) -> None:
        return None

    def fail(self, plan: Plan) -> Any:
        raise DecodeError(plan.reason)

    def ref(self, plan: Plan) -> Any:
        return self.value(plan.inner)

    def boolean(self, _plan: Plan) -> bool:
        byte = self.take(1)[0]
        if byte > 1:
            raise DecodeError(reasons.BOOLEAN)
        return byte == 1

    def integer(self, plan: Plan) -> Any:
        value = self.varint()
        if plan.op == "int" and not -(1 << 31) <= value < 1 << 31:
            raise DecodeError(reasons.INT)
        reader = plan.reader
        if reader is None or reader.kind in ("float", "double"):
            return float(value)
        if value % plan.divide:
            raise DecodeError(reasons.PRECISION_LOST)
        value = value // plan.divide * plan.multiply
        limits = reasons.limits(reader)
        if limits is not None and not limits[0] <= value <= limits[1]:
            raise DecodeError(limits[2])
        return value

    def number(self, plan: Plan) -> float:
        return struct.unpack("<f" if plan.op == "float" else "<d", self.take(4 if plan.op == "float" else 8))[
            0
        ]

    def bytes_(self, plan: Plan) -> Any:
        return self.typed(plan.reader, self.sized())

    def fixed(self, plan: Plan) -> Any:
        return self.typed(plan.reader, self.take(plan.writer.size))

    def typed(self, reader: AvroType | None, raw: bytes) -> Any:
        if reader is None:
            return None
        if reader.logical == "decimal":
            return _decimal(reader, raw)
        if reader.kind == "string":
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DecodeError(reasons.UTF8) from error
        if reader.logical == "uuid":
            return str(uuid.UUID(bytes=raw))
        if reader.logical == "duration":
            months, days, millis = struct.unpack("<III", raw)
            if months >= 1 << 31 or days >= 1 << 31:
                raise DecodeError(reasons.DURATION)
            return pa.MonthDayNano([months, days, millis * 1_000_000])
        return raw

    def enum(self, plan: Plan) -> str | None:
        index = self.varint()
        if not 0 <= index < len(plan.symbols):
            raise DecodeError(reasons.ENUM)
        symbol = plan.symbols[index]
        if symbol is None and plan.reader is not None:
            raise DecodeError(reasons.SYMBOL)
        return symbol

    def union(self, plan: Plan) -> Any:
        index = self.varint()
        if not 0 <= index < len(plan.branches):
            raise DecodeError(reasons.UNION)
        return self.value(plan.branches[index])

    def wrap(self, plan: Plan) -> dict[str, Any]:
        assert plan.reader is not None, "what is wrapped has a reader"
        value = self.value(plan.inner)
        return {name: value if name == plan.branch else None for name in branch_names(plan.reader)}

    def record(self, plan: Plan) -> dict[str, Any] | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DecodeError(reasons.DEPTH)
        made: dict[str, Any] = {}
        for step, place in plan.steps:
            value = self.value(step)
            if place is not None and plan.reader is not None:
                made[plan.reader.fields[place].name] = value
        self.depth -= 1
        if plan.reader is None:
            return None
        for place, value in plan.defaults.items():
            made[plan.reader.fields[place].name] = value
        return made

    def blocks(self, read: Callable[[], Any]) -> list[Any]:
        made: list[Any] = []
        while count := self.varint():
            if count < 0:
                if count < -(1 << 62) or self.varint() < 0:
                    raise DecodeError(reasons.BLOCK)
                count = -count
            self.left -= count
            if self.left < 0:
                raise DecodeError(reasons.ELEMENTS)
            made.extend(read() for _ in range(count))
        return made

    def array(self, plan: Plan) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DecodeError(reasons.DEPTH)
        values = self.blocks(lambda: self.value(plan.inner))
        self.depth -= 1
        return values

    def map(self, plan: Plan) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DecodeError(reasons.DEPTH)
        pairs = self.blocks(lambda: (self.key(), self.value(plan.inner)))
        self.depth -= 1
        if plan.reader is not None and len({k for k, _ in pairs}) != len(pairs):
            raise DecodeError(reasons.MAP_KEY)
        return pairs

    def key(self) -> str:
        try:
            return self.sized().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError(reasons.UTF8) from error


def _decimal(reader: AvroType, raw: bytes) -> Decimal:
    if not raw:
        raise DecodeError(reasons.EMPTY_DECIMAL)
    if len(raw) > 64:
        raise DecodeError(reasons.DECIMAL)
    value = int.from_bytes(raw, "big", signed=True)
    if abs(value) >= 10**reader.precision:
        raise DecodeError(reasons.DECIMAL)
    return Decimal(value).scaleb(-reader.scale, _EXACT)


_READ: dict[str, Callable[[_Row, Plan], Any]] = {
    "null": _Row.null,
    "fail": _Row.fail,
    "ref": _Row.ref,
    "boolean": _Row.boolean,
    "int": _Row.integer,
    "long": _Row.integer,
    "float": _Row.number,
    "double": _Row.number,
    "bytes": _Row.bytes_,
    "string": _Row.bytes_,
    "fixed": _Row.fixed,
    "enum": _Row.enum,
    "union": _Row.union,
    "wrap": _Row.wrap,
    "record": _Row.record,
    "array": _Row.array,
    "map": _Row.map,
}
