"""Decode one Protobuf message with the Protobuf library: the reference, and the way for what is rare."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError as ProtobufError

from hanse.errors import DecodeError
from hanse.wire.protobuf.types import ProtoColumn

MALFORMED = "the bytes are not the Protobuf message"
PRECISION = "a timestamp is finer than a microsecond"
RANGE = "a timestamp is out of range"
SECONDS = 9_223_372_022_400


def read_message(kind: Any, columns: list[ProtoColumn], data: bytes) -> dict[str, Any]:
    """The message's columns as values that Arrow builds from. Raises DecodeError."""
    try:
        message = kind.FromString(data)
    except ProtobufError as error:
        raise DecodeError(MALFORMED) from error
    return _fields(columns, message)


def _fields(columns: list[ProtoColumn], message: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for c in columns:
        if c.presence and not message.HasField(c.name):
            made[c.name] = None
        else:
            made[c.name] = _value(c, getattr(message, c.name))
    return made


def _value(column: ProtoColumn, value: Any) -> Any:
    match column.kind:
        case "message":
            return _fields(column.inner, value)
        case "timestamp":
            return micros(value.seconds, value.nanos)
        case "wrapper":
            return _value(column.inner[0], value.value)
        case "repeated":
            return [_value(column.inner[0], v) for v in value]
        case "map":
            key, inner = column.inner
            return [(_value(key, k), _value(inner, value[k])) for k in value]
        case "enum":
            return column.symbols.get(value, str(value))
        case _:
            return value


def micros(seconds: int, nanos: int) -> int:
    """Microseconds since the epoch. Raises DecodeError when that would lose something."""
    if nanos % 1_000:
        raise DecodeError(PRECISION)
    if not (-SECONDS < seconds < SECONDS and 0 <= nanos < 1_000_000_000):
        raise DecodeError(RANGE)
    return seconds * 1_000_000 + nanos // 1_000
