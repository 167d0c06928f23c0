"""Why an Avro datum cannot be read: the same words from both decoders."""

from __future__ import annotations

from hanse.wire.avro.schema import AvroType

SLOW = "\0slow"
TRUNCATED = "the bytes end inside the record"
TRAILING = "bytes are left over after the record"
NO_RECORD = "the schema is no record"
BOOLEAN = "a boolean is neither 0 nor 1"
VARINT = "an integer has more than 64 bits"
INT = "an int has more than 32 bits"
LENGTH = "a length is negative"
UTF8 = "a string is not UTF-8"
ENUM = "an enum index is out of range"
SYMBOL = "an enum symbol is unknown to the reader, which has no default"
UNION = "a union index is out of range"
BLOCK = "a block of elements has an impossible size"
MAP_KEY = "a map has a key twice"
DECIMAL = "a decimal has more digits than its precision"
EMPTY_DECIMAL = "a decimal has no bytes"
DURATION = "a duration is out of range"
TIMESTAMP = "a timestamp is out of range"
TIME = "a time of day is out of range"
PRECISION_LOST = "a timestamp would lose precision"
DEPTH = "the record is nested too deeply"
ELEMENTS = "the record has too many elements"

_DAY = 86_400_000
_MICROS = 9_223_372_022_400_000_000


def limits(kind: AvroType) -> tuple[int, int, str] | None:
    """What a logical type allows, inclusive: timestamps as far as 64-bit microseconds reach."""
    if kind.logical == "time-millis":
        return 0, _DAY - 1, TIME
    if kind.logical == "time-micros":
        return 0, _DAY * 1_000 - 1, TIME
    if kind.logical is None or "timestamp" not in kind.logical:
        return None
    if kind.logical.endswith("millis"):
        return -(_MICROS // 1_000), _MICROS // 1_000, TIMESTAMP
    if kind.logical.endswith("micros"):
        return -_MICROS, _MICROS, TIMESTAMP
    return -(1 << 63) + 2, (1 << 63) - 2, TIMESTAMP
