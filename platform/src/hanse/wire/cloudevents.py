"""CloudEvents in structured mode: the whole event is the record's value, as JSON (CloudEvents 1.0, Kafka binding)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hanse.errors import DecodeError
from hanse.wire.decoded import NO_VALUE, Poison, named
from hanse.wire.frame import NO_FRAME, Ints, Values, schema_ids, values_of
from hanse.wire.headers import header
from hanse.wire.json.rows import NO_OBJECT, load

STRUCTURED = b"application/cloudevents+json"
NO_DATA = "the CloudEvent has no data"
NO_BINARY = "the CloudEvent has no data_base64, in which the schema's format would be"
BAD_BASE64 = "the CloudEvent's data_base64 is no base64"


def structured(rows: pa.Table, count: int) -> npt.NDArray[np.bool_]:
    """Which rows say by their content type that they are structured CloudEvents."""
    found = np.zeros(count, dtype=bool)
    if "headers" in rows.column_names:
        owner, types = header(rows, "content-type")
        said = [bytes(t).lower().startswith(STRUCTURED) for t in types.to_pylist()]
        found[owner[np.array(said, dtype=bool)]] = True
    return found


def data_of(event: Any) -> Any:
    """The event's data: a JSON value, or the bytes of `data_base64`. Raises DecodeError."""
    if not isinstance(event, dict):
        raise DecodeError(NO_OBJECT)
    if event.get("data_base64") is not None:
        try:
            return base64.b64decode(event["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise DecodeError(BAD_BASE64) from error
    if "data" not in event or not str(event.get("datacontenttype", "application/json")).endswith("json"):
        raise DecodeError(NO_DATA)
    return event["data"]


def framed_values(rows: pa.Table) -> tuple[Values, Ints, npt.NDArray[np.bool_], list[Poison]]:
    """The values of a batch, their schema ids, which have a frame, and why the others cannot be read.

    A structured event's binary data stand in its place: they have the frame that the event itself has not.
    """
    values = values_of(rows.column("value"))
    ids, framed = schema_ids(values)
    poison = [Poison(int(i), NO_VALUE) for i in np.flatnonzero(~values.valid)]
    bare = values.valid & ~framed
    if not bare.any():
        return values, ids, framed, poison
    values, broken = _opened(values, np.flatnonzero(bare & structured(rows, len(framed))))
    ids, framed = schema_ids(values)
    poison += [*broken, *(Poison(int(i), NO_FRAME) for i in np.flatnonzero(values.valid & ~framed))]
    return values, ids, framed, poison


def _opened(values: Values, which: Ints) -> tuple[Values, list[Poison]]:
    poison: list[Poison] = []
    found: list[bytes | None] = []
    for row in which.tolist():
        try:
            data = data_of(load(values.bytes_at(row)))
            if not isinstance(data, bytes):
                raise DecodeError(NO_BINARY)
            found.append(data)
        except DecodeError as error:
            found.append(None)
            poison.append(Poison(row, error.what, named(error)))
    return _replaced(values, which, found), poison


def _replaced(values: Values, which: Ints, found: list[bytes | None]) -> Values:
    """The same values with others for some rows, in one new buffer: the decoders rely on rising places."""
    every = [values.bytes_at(row) if good else None for row, good in enumerate(values.valid.tolist())]
    for row, data in zip(which.tolist(), found, strict=True):
        every[row] = data
    return values_of(pa.array(every, pa.large_binary()))
