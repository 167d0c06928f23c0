"""Decode one JSON value strictly: nothing rounded, nothing turned to null, no key twice, one document.

It is what the column decoder falls back to, and the reference that it is tested against.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from hanse.errors import DecodeError
from hanse.wire.json.types import JsonType

MAX_DEPTH = 64
NOT_JSON = "the value is not one JSON document"
NO_OBJECT = "the value is no JSON object"
TWICE = "an object has a key twice"
EMPTY = "the value is empty"
_EXACT = Context(prec=100)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)\Z", re.ASCII
)


def load(data: bytes) -> Any:
    """The document. Raises DecodeError for what is not one JSON document in UTF-8, or has a key twice."""
    if not data.strip():
        raise DecodeError(EMPTY)
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant
        )
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{NOT_JSON}: {error}") from error


def read_value(kind: JsonType, document: Any) -> dict[str, Any]:
    """The record that Arrow builds its columns from. Raises DecodeError, naming the place."""
    if not isinstance(document, dict):
        raise DecodeError(NO_OBJECT)
    return _record(kind, document, "$")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise DecodeError(TWICE)
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _value(kind: JsonType, value: Any, path: str) -> Any:
    if value is None:
        if kind.nullable:
            return None
        raise DecodeError(f"null where {kind.kind} is required at {path}")
    match kind.kind:
        case "record" if isinstance(value, dict):
            return _record(kind, value, path)
        case "map" if isinstance(value, dict):
            return [(_text(k, path), _value(kind.element, v, f"{path}.{k}")) for k, v in value.items()]
        case "array" if isinstance(value, list):
            return [_value(kind.element, v, f"{path}[{i}]") for i, v in enumerate(value)]
        case "boolean" if isinstance(value, bool):
            return value
        case "integer" | "number" | "decimal" if type(value) in (int, Decimal):
            return _number(kind, value, path)
        case "string" | "timestamp" | "date" if isinstance(value, str):
            return _string(kind, value, path)
        case "epoch" | "days" if type(value) is int:
            bits = 31 if kind.kind == "days" else 63
            if not -(1 << bits) <= value < 1 << bits:
                raise DecodeError(f"a number since the epoch at {path} has more than {bits + 1} bits")
            return value
        case "unscaled" if isinstance(value, str):
            return _unscaled(kind, value, path)
        case "unscaled" if type(value) in (int, Decimal):
            return _number(kind, value, path)
        case _:
            raise DecodeError(f"{kind.kind} expected at {path}, got {_name(value)}")


def _record(kind: JsonType, value: dict[str, Any], path: str) -> dict[str, Any]:
    return {name: _value(inner, value.get(name), f"{path}.{name}") for name, inner in kind.fields.items()}


def _number(kind: JsonType, value: int | Decimal, path: str) -> Any:
    if kind.kind == "number":
        made = float(value)
        if made in (float("inf"), float("-inf")):
            raise DecodeError(f"a number at {path} is too large")
        return made
    if kind.kind == "integer":
        if isinstance(value, Decimal) and (abs(value.adjusted()) > 40 or value != int(value)):
            raise DecodeError(f"integer expected at {path}, got {str(value)[:40]}")
        if not -(1 << 63) <= (whole := int(value)) < 1 << 63:
            raise DecodeError(f"an integer at {path} has more than 64 bits")
        return whole
    exact = Decimal(value)
    scale, precision = kind.arrow.scale, kind.arrow.precision
    exponent = int(exact.normalize().as_tuple().exponent)
    if exact and (-exponent > scale or exact.adjusted() >= precision - scale):
        raise DecodeError(
            f"a decimal at {path} has more digits than {precision} with {scale} after the point"
        )
    return exact


def _unscaled(kind: JsonType, value: str, path: str) -> Decimal:
    """The decimal whose digits are the big-endian bytes, as Kafka Connect writes it."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise DecodeError(f"Base64 of a decimal expected at {path}, got {value[:40]!r}") from error
    digits = int.from_bytes(raw[:64], "big", signed=True)
    if not raw or len(raw) > 64 or abs(digits) >= 10**kind.arrow.precision:
        raise DecodeError(f"a decimal at {path} has more digits than {kind.arrow.precision}")
    return Decimal(digits).scaleb(-kind.arrow.scale, _EXACT)


def _string(kind: JsonType, value: str, path: str) -> Any:
    if kind.kind == "string":
        if kind.symbols and value not in kind.symbols:
            raise DecodeError(f"{value[:40]!r} at {path} is not in the enumeration")
        return _text(value, path)
    try:
        return _timestamp(value) if kind.kind == "timestamp" else _date(value)
    except ValueError as error:
        raise DecodeError(f"{kind.kind} expected at {path}, got {value[:40]!r}") from error


def _text(value: str, path: str) -> str:
    """Text that has a UTF-8 form: JSON allows escapes of half a surrogate pair."""
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise DecodeError(f"a string at {path} has half a surrogate pair")
    return value


def _timestamp(value: str) -> int:
    """Microseconds since the epoch, from RFC 3339 with at most six digits that count."""
    found = _TIME.match(value)
    if found is None:
        raise ValueError(value)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    micros = (fraction or "").ljust(6, "0")
    if micros[6:].strip("0"):
        raise ValueError(value)
    offset = 0
    if zone not in "Zz":
        offset = int(zone[1:3]) * 60 + int(zone[4:6])
        if int(zone[1:3]) > 23 or int(zone[4:6]) > 59:
            raise ValueError(value)
        offset = -offset if zone[0] == "-" else offset
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    days = moment.toordinal() - date(1970, 1, 1).toordinal()
    seconds = days * 86_400 + moment.hour * 3_600 + moment.minute * 60 + moment.second - offset * 60
    return seconds * 1_000_000 + int(micros[:6])


def _date(value: str) -> date:
    if len(value) != 10 or not value.isascii():
        raise ValueError(value)
    return date.fromisoformat(value)


def _name(value: Any) -> str:
    return {bool: "boolean", str: "string", dict: "object", list: "array"}.get(type(value), "number")
