"""Header values of a whole batch as columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hanse.wire.frame import Ints


def header(rows: pa.Table, name: str) -> tuple[Ints, pa.Array]:
    """Rows that carry the header, rising, and its value in each; the last one counts where it is repeated."""
    column = rows.column("headers")
    lists = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], column.type)
    entries = lists.values
    empty = np.empty(0, dtype=np.int64)
    if len(lists) == 0 or len(entries) == 0:
        return empty, pa.array([], pa.binary())
    starts = lists.offsets.to_numpy().astype(np.int64)
    named = pc.call_function("equal", [entries.field("name"), pa.scalar(name)])
    found = np.flatnonzero(pc.fill_null(named, False).to_numpy(zero_copy_only=False))
    found = found[(found >= starts[0]) & (found < starts[-1])]
    owner = np.searchsorted(starts, found, side="right") - 1
    last = np.ones(len(owner), dtype=bool)
    last[:-1] = owner[1:] != owner[:-1]
    values = entries.field("value").take(pa.array(found[last]))
    present = values.is_valid().to_numpy(zero_copy_only=False)
    return owner[last][present], values.filter(pa.array(present))
