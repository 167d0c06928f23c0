"""Drops what a relay sent twice: per (source, topic, partition) only rising positions count.

A relay that died between producing and moving its mark sends the same records again, with the same
`ce_source` and `ce_position`. Records without them, from producers that are no relay, always pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hanse.wire.frame import Ints
from hanse.wire.headers import header

SOURCE = "ce_source"
POSITION = "ce_position"
Positions = dict[tuple[str, int], int]
"""The highest position applied, by (source, partition), of one topic."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Rows with a relay position: row number, index into `groups`, position."""

    rows: Ints
    group: Ints
    position: Ints
    groups: list[tuple[str, int]]

    def highest(self, good: npt.NDArray[np.bool_]) -> Positions:
        """The highest position of each group among the rows that are good."""
        kept = good[self.rows]
        made: Positions = {}
        for number, name in enumerate(self.groups):
            here = self.position[(self.group == number) & kept]
            if len(here):
                made[name] = int(here.max())
        return made


def marked(rows: pa.Table) -> Marked:
    """The rows that carry a source and a whole number as position."""
    with_source, sources = header(rows, SOURCE)
    with_position, texts = header(rows, POSITION)
    places, numbers = _whole_numbers(with_position, texts)
    common, left, right = np.intersect1d(with_source, places, assume_unique=True, return_indices=True)
    encoded = sources.take(pa.array(left)).dictionary_encode()
    names = [bytes(v.as_py()).decode("utf-8", "backslashreplace") for v in encoded.dictionary]
    partitions = rows.column("partition").to_numpy().astype(np.int64)[common]
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    pairs = codes * (1 << 32) + partitions
    unique, group = np.unique(pairs, return_inverse=True)
    groups = [(names[int(pair) >> 32], int(pair) & 0xFFFFFFFF) for pair in unique]
    return Marked(common.astype(np.int64), group.astype(np.int64), numbers[right], groups)


def fresh(marks: Marked, count: int, highest: Mapping[tuple[str, int], int]) -> npt.NDArray[np.bool_]:
    """Which of `count` rows are above everything applied before them, in the log's order."""
    keep = np.ones(count, dtype=bool)
    for number, name in enumerate(marks.groups):
        which = np.flatnonzero(marks.group == number)
        here = marks.position[which]
        before = np.maximum.accumulate(np.concatenate([[highest.get(name, -1)], here[:-1]]))
        keep[marks.rows[which]] = here > before
    return keep


def _whole_numbers(places: Ints, texts: pa.Array) -> tuple[Ints, Ints]:
    try:
        return places, texts.cast(pa.string()).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        raw = texts.to_pylist()
        good = [i for i, v in enumerate(raw) if v.isdigit() and len(v) <= 18]
        return places[good], np.array([int(raw[i]) for i in good], dtype=np.int64)
