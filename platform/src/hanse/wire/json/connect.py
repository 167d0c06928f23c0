"""Kafka Connect's JSON with schemas: `{"schema": …, "payload": …}` around each value.

Nearly all values of a topic begin with the very same schema. Where a value has the first one's beginning, up to
the payload, byte for byte, and a closing brace at its end, what lies between is the payload: if it is one JSON
document, so is the whole. So it is cut out without being parsed twice.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np

from hanse.errors import DecodeError
from hanse.wire.frame import Ints, Values
from hanse.wire.json.rows import load

_SCHEMA = re.compile(r'\s*\{\s*"schema"\s*:\s*')
_PAYLOAD = re.compile(r'\s*,\s*"payload"\s*:\s*')
_BRACE = ord("}")


def payload_of(document: Any) -> Any:
    """What lies inside, or the document itself when nothing is around it."""
    wrapped = isinstance(document, dict) and document.keys() == {"schema", "payload"}
    return document["payload"] if wrapped else document


def unwrapped(values: Values) -> Values:
    """The values with the first one's wrapping cut off; others stay as they are."""
    rows = np.flatnonzero(values.valid)
    head = _beginning(values.bytes_at(int(rows[0]))) if len(rows) else b""
    if not head:
        return values
    data = np.frombuffer(values.data, dtype=np.uint8)
    rows = rows[values.ends[rows] - values.starts[rows] > len(head) + 1]
    rows = rows[data[values.ends[rows] - 1] == _BRACE]
    rows = _beginning_with(data, head, values.starts, rows)
    starts, ends = values.starts.copy(), values.ends.copy()
    starts[rows] += len(head)
    ends[rows] -= 1
    return replace(values, starts=starts, ends=ends)


def _beginning(value: bytes) -> bytes:
    """Everything before the payload; empty when the value is not wrapped."""
    try:
        text = value.decode("utf-8")
        opening = _SCHEMA.match(text)
        if opening is None or payload_of(load(value)) is None:
            return b""
        _, end = json.JSONDecoder().raw_decode(text, opening.end())
    except (DecodeError, ValueError, RecursionError):
        return b""  # the strict decoder will say what is wrong with it
    payload = _PAYLOAD.match(text, end)
    return text[: payload.end()].encode() if payload else b""


def _beginning_with(data: Any, head: bytes, starts: Ints, rows: Ints) -> Ints:
    """The rows that begin so, eight bytes at a time; the buffer has room behind the last value."""
    words = np.ndarray((len(data) - 7,), "<u8", data.data, strides=(1,))
    for at in range(0, len(head), 8):
        part = head[at : at + 8]
        mask = np.uint64((1 << (8 * len(part))) - 1)
        same = (words[starts[rows] + at] & mask) == np.uint64(int.from_bytes(part, "little"))
        if not same.all():
            rows = rows[same]
    return rows
