"""Writes Avro records (specification 1.11, binary encoding) by a plan made once a schema.

Records repeat themselves: ids, states, times and prices come again and again, in one record and in the next.
So each field remembers the bytes of the values it has seen, in a mapping of bounded size. Flat records of the
usual types are written in this way, several times as fast as by the general writer, which takes over for
every schema that has anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from operator import itemgetter
from typing import Any

import fastavro

from hanse.errors import SchemaError

Writer = Callable[[dict[str, Any]], bytes]
Encode = Callable[[Any], bytes]

REMEMBERED = 50_000
_LONG_TEXT = 200
_SHORT = 512
_ERRORS = (TypeError, ValueError, AttributeError, OverflowError, ArithmeticError, KeyError)
_GROUPS = [bytes((n & 127 | 128, n >> 7 | 128)) for n in range(1 << 14)]
_LAST = [bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7)) for n in range(1 << 14)]
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def record_writer(parsed: Any, prefix: bytes, memory: Memory | None = None) -> Writer:
    """The function that writes a value under the parsed schema, behind `prefix`.

    It raises SchemaError when the value has not exactly the schema's fields, or a field the wrong type.
    Writers that share a `memory` share what they have seen: the id in one topic is the id in another.
    """
    memory = {} if memory is None else memory
    plan = [(field["name"], _remembering(field["type"], memory)) for field in parsed["fields"]]
    flat = {name: encode for name, encode in plan if encode is not None}
    return _flat_writer(flat, prefix) if 1 < len(flat) == len(plan) else _general_writer(parsed, prefix)


class Remembering(dict[Any, bytes]):
    """The bytes of the values seen; others are encoded on the way, and remembered unless they are long."""

    def __init__(self, encode: Encode) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, item: Any) -> bytes:
        data = self._encode(item)
        if len(data) <= _LONG_TEXT:
            if len(self) >= REMEMBERED:
                self.clear()
            self[item] = data
        return data


Memory = dict[str, Remembering]
"""What was seen, by the type of the fields."""


def _remembering(schema: Any, memory: Memory) -> Remembering | None:
    name = json.dumps(schema, sort_keys=True)
    if name not in memory:
        encode = _field(schema, memory)
        if encode is None:
            return None
        memory[name] = Remembering(encode)
    return memory[name]


def _flat_writer(plan: dict[str, Remembering], prefix: bytes) -> Writer:
    names = tuple(plan)
    pick = itemgetter(*names)
    encoders: list[Encode] = [plan[name].__getitem__ for name in names]
    count = len(names)

    def write(value: dict[str, Any]) -> bytes:
        if len(value) != count:
            raise _other_fields(names, value)
        try:
            return prefix + b"".join(
                [encode(item) for encode, item in zip(encoders, pick(value), strict=True)]
            )
        except _ERRORS as error:
            if value.keys() != plan.keys():
                raise _other_fields(names, value) from error
            raise SchemaError(
                "a value does not fit its schema", where=_culprit(plan, value), got=str(error)
            ) from error

    return write


def _other_fields(names: Iterable[str], value: dict[str, Any]) -> SchemaError:
    return SchemaError(
        "a value has other fields than its schema",
        expected=", ".join(sorted(names)),
        got=", ".join(sorted(value)),
    )


def _culprit(plan: dict[str, Remembering], value: dict[str, Any]) -> str:
    for name, encoder in plan.items():
        try:
            encoder[value[name]]
        except _ERRORS:
            return f"field {name}"
    return "record"


def _general_writer(parsed: Any, prefix: bytes) -> Writer:
    names = [field["name"] for field in parsed["fields"]]

    def write(value: dict[str, Any]) -> bytes:
        if value.keys() != set(names):
            raise _other_fields(names, value)
        buffer = BytesIO()
        buffer.write(prefix)
        try:
            fastavro.schemaless_writer(buffer, parsed, value)
        except _ERRORS as error:
            raise SchemaError("a value does not fit its schema", got=str(error)) from error
        return buffer.getvalue()

    return write


def _field(schema: Any, memory: Memory) -> Encode | None:
    """The encoder of a field, or None when only the general writer can do it."""
    if isinstance(schema, list):
        return _nullable(schema, memory)
    if isinstance(schema, dict):
        logical = schema.get("logicalType")
        if logical is None:
            return _field(schema["type"], memory) if isinstance(schema["type"], str) else None
        if logical == "timestamp-millis":
            return _timestamp(timedelta(milliseconds=1))
        if logical == "timestamp-micros":
            return _timestamp(timedelta(microseconds=1))
        if logical == "decimal" and schema["type"] == "bytes":
            return _decimal(schema["precision"], schema.get("scale", 0))
        return None
    return {"string": _text(b""), "int": _integer(31), "long": _integer(63), "boolean": _boolean}.get(schema)


def _nullable(union: list[Any], memory: Memory) -> Encode | None:
    if len(union) != 2 or union.count("null") != 1:
        return None
    null = union.index("null")
    nothing, something = _varint(null), _varint(1 - null)
    if _is_string(union[1 - null]):
        return _text(something, nothing)
    inner = _remembering(union[1 - null], memory)
    if inner is None:
        return None
    return lambda item: nothing if item is None else something + inner[item]


def _varint(number: int) -> bytes:
    """Zigzag and base 128, for a number of at most 64 bits; 14 bits a step."""
    number = number << 1 ^ number >> 63
    data = b""
    while number >= 1 << 14:
        data += _GROUPS[number & 0x3FFF]
        number >>= 14
    return data + _LAST[number]


def _is_string(schema: Any) -> bool:
    """Whether it is a string without a logical type, whatever else stands in its declaration."""
    if isinstance(schema, dict):
        return schema["type"] == "string" and "logicalType" not in schema
    return schema == "string"


def _text(before: bytes, nothing: bytes | None = None) -> Encode:
    """The encoder of a string behind the bytes `before`; with `nothing`, those of None."""
    heads = [before + _varint(length) for length in range(_SHORT)]

    def encode(item: Any) -> bytes:
        if item is None and nothing is not None:
            return nothing
        if type(item) is not str:
            raise TypeError(f"expected a string, got {type(item).__name__}")
        data = item.encode()
        length = len(data)
        return (heads[length] if length < _SHORT else before + _varint(length)) + data

    return encode


def _boolean(item: Any) -> bytes:
    if type(item) is not bool:
        raise TypeError(f"expected a boolean, got {type(item).__name__}")
    return b"\x01" if item else b"\x00"


def _integer(bits: int) -> Encode:
    limit = 1 << bits

    def encode(item: Any) -> bytes:
        if type(item) is not int:
            raise TypeError(f"expected an integer, got {type(item).__name__}")
        if not -limit <= item < limit:
            raise ValueError(f"expected an integer of {bits + 1} bits, got {item}")
        return _varint(item)

    return encode


def _timestamp(unit: timedelta) -> Encode:
    def encode(item: Any) -> bytes:
        if type(item) is not datetime or item.tzinfo is None:
            raise TypeError(f"expected a moment with time zone, got {item!r:.60}")
        return _varint((item - _EPOCH) // unit)

    return encode


def _decimal(precision: int, scale: int) -> Encode:
    limit = 10**precision

    def encode(item: Any) -> bytes:
        if type(item) is not Decimal or not item.is_finite():
            raise TypeError(f"expected a decimal number, got {item!r:.60}")
        unscaled = int(item.scaleb(scale))
        if Decimal(unscaled).scaleb(-scale) != item or not -limit < unscaled < limit:
            raise ValueError(f"expected at most {precision} digits with {scale} decimals, got {item}")
        size = (unscaled + (unscaled < 0)).bit_length() // 8 + 1
        return _varint(size) + unscaled.to_bytes(size, "big", signed=True)

    return encode
