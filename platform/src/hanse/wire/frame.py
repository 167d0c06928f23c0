"""The Confluent wire frame: a zero byte, the schema's id in four bytes (big-endian), the value."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PAD = 16
MAGIC = 0
NO_FRAME = "the value has no Confluent frame"

Ints = npt.NDArray[np.int64]


def frame(schema_id: int, payload: bytes) -> bytes:
    """The payload under its schema's id."""
    return struct.pack(">bI", MAGIC, schema_id) + payload


@dataclass(frozen=True, slots=True)
class Values:
    """Byte strings in one buffer that has PAD bytes to spare; `valid` is false where there is null."""

    data: pa.Buffer
    starts: Ints
    ends: Ints
    valid: npt.NDArray[np.bool_]

    def bytes_at(self, row: int) -> bytes:
        """The value of one row."""
        return self.data[int(self.starts[row]) : int(self.ends[row])].to_pybytes()


def values_of(column: pa.ChunkedArray | pa.Array) -> Values:
    """The column's byte strings where they lie; copied only when chunked or without room behind."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if not pa.types.is_large_binary(array.type):
        array = array.cast(pa.large_binary())
    _, offsets, data = array.buffers()
    count = len(array)
    if count == 0 or data is None:
        data = pa.py_buffer(bytes(PAD))
        places = np.zeros(count + 1, dtype=np.int64)
    else:
        places = np.frombuffer(offsets, dtype=np.int64, count=count + 1, offset=8 * array.offset)
    if data.size < int(places[-1]) + PAD:
        roomy = np.empty(int(places[-1]) + PAD, dtype=np.uint8)
        roomy[int(places[-1]) :] = 0
        roomy[: int(places[-1])] = np.frombuffer(data, dtype=np.uint8, count=int(places[-1]))
        data = pa.py_buffer(roomy)
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    return Values(data, places[:-1], places[1:], valid)


def schema_ids(values: Values) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """The schema id of each value, and which values have a frame at all."""
    raw: Any = np.frombuffer(values.data, dtype=np.uint8)
    framed = values.valid & (values.ends - values.starts >= 5) & (raw[values.starts] == MAGIC)
    words = np.ndarray((len(raw) - 4,), ">u4", raw.data, offset=1, strides=(1,))
    at = np.where(framed, values.starts, 0)
    return words[at].astype(np.int64), framed
