"""Kafka's default partitioner: murmur2 of the key, so that keys land where Kafka's clients put them.

The hash is that of `org.apache.kafka.common.utils.Utils.murmur2`; a null key has no partition of its
own and goes to partitions in turn, some records at a time (`NullKeys`), as a sticky partitioner does.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_LONG = 1_024

Int32s = npt.NDArray[np.int32]


def murmur2(data: bytes) -> int:
    """The 32-bit hash, unsigned."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in a topic of so many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def partitions_of(keys: pa.Array[Any], partitions: int) -> Int32s:
    """The partition of every key of a large_binary array; -1 where the key is null."""
    rows = len(keys)
    result = np.full(rows, -1, dtype=np.int32)
    if rows == 0 or keys.null_count == rows:
        return result
    _, offset_buffer, data_buffer = keys.buffers()
    assert offset_buffer is not None, "a large_binary array has offsets"
    bounds = np.frombuffer(offset_buffer, dtype=np.int64)[keys.offset : keys.offset + rows + 1]
    lengths = np.diff(bounds)
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)
    present = np.ones(rows, dtype=bool)
    if keys.null_count:
        present = np.asarray(keys.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    short = np.flatnonzero(present & (lengths <= _LONG))
    hashes = _murmur2_all(data, bounds[short], lengths[short])
    result[short] = (hashes & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)
    for row in np.flatnonzero(present & (lengths > _LONG)):
        result[row] = partition_of(data[bounds[row] : bounds[row + 1]].tobytes(), partitions)
    return result


def _murmur2_all(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint32]:
    """Hashes of many keys at once: one pass per word over the keys that are long enough."""
    m = np.uint32(_M)
    order = np.argsort(-lengths, kind="stable")
    at, size = starts[order], lengths[order]
    words = size >> 2
    h = np.uint32(_SEED) ^ size.astype(np.uint32)
    padded = np.concatenate([data, np.zeros(4, dtype=np.uint8)])
    word_at = np.ndarray((len(padded) - 3,), dtype="<u4", buffer=padded.data, strides=(1,))
    for word in range(int(words[0]) if len(words) else 0):
        active = int(np.searchsorted(-words, -word, side="left"))
        k = word_at[at[:active] + 4 * word] * m
        k = (k ^ (k >> np.uint32(24))) * m
        h[:active] = (h[:active] * m) ^ k
    tail = (size & 3).astype(np.uint32)
    rest = word_at[at + 4 * words] & ((np.uint32(1) << (tail * np.uint32(8))) - np.uint32(1))
    h = np.where(tail > 0, (h ^ rest) * m, h)
    h = (h ^ (h >> np.uint32(13))) * m
    h ^= h >> np.uint32(15)
    result = np.empty_like(h)
    result[order] = h
    return result


class NullKeys:
    """Partitions for records without key: the next one for every call and every `run` records."""

    def __init__(self, run: int = 1_000) -> None:
        self._turn = count()
        self._run = run

    def fill(self, targets: Int32s, partitions: int) -> Int32s:
        """A copy of `targets` in which every -1 is a partition."""
        without = np.flatnonzero(targets < 0)
        if len(without) == 0:
            return targets
        filled = targets.copy()
        for start in range(0, len(without), self._run):
            filled[without[start : start + self._run]] = next(self._turn) % partitions
        return filled
