"""A fetched batch, made ready to feed: repeats dropped, values decoded, keys checked, poison named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from hanse.model.mesh import Topic
from hanse.ports.schema_registry import SchemaRegistry
from hanse.projection.dedup import Positions, fresh, marked
from hanse.projection.failpoints import reach
from hanse.projection.keys import NO_KEY, WRONG_KEY, Keys
from hanse.wire.decoded import NO_VALUE, Decoded, Poison, ValueDecoder
from hanse.wire.frame import Ints

_METADATA = {"_partition": "partition", "_offset": "offset", "_timestamp": "timestamp"}


@dataclass(frozen=True, slots=True)
class Ready:
    """What one batch brings: `table` in the topic's columns, `kinds` None for an append topic."""

    table: pa.Table
    kinds: list[str] | None
    poison: list[Poison]
    positions: Positions = field(default_factory=Positions)
    repeated: int = 0


class Preparer:
    """Prepares the batches of one topic. `metadata` names the columns of the log that the program uses."""

    def __init__(
        self, topic: Topic, decoder: ValueDecoder, metadata: list[str], registry: SchemaRegistry | None = None
    ) -> None:
        self.topic = topic
        self.decoder = decoder
        state, external = topic.kind == "state", topic.external is not None
        self.keys = Keys(topic.key, decoder.schema, registry, strict=state, external=external)
        self.metadata = metadata

    def prepare(self, rows: pa.Table, positions: Mapping[tuple[str, int], int]) -> Ready:
        """One batch, in the log's order. `positions` are the relay's highest so far."""
        reach("before-decode")
        marks = marked(rows)
        keep = fresh(marks, rows.num_rows, positions)
        places = np.flatnonzero(keep)
        state = self.topic.kind == "state"
        gone = rows.column("value").is_null().to_numpy() & keep if state else np.zeros(len(keep), dtype=bool)
        wanted = np.flatnonzero(keep & ~gone)
        whole = len(wanted) == rows.num_rows
        part = rows if whole else rows.take(pa.array(wanted))
        values = self.decoder.decode(part)
        table, at, poison = self._checked(part, values)
        if not state:
            poison += [Poison(int(i), NO_VALUE) for i in values.gone]
        poison = [Poison(int(wanted[p.row]), p.reason, p.exception) for p in poison]
        at = wanted[at]
        kinds = _kinds(values, len(at)) if state else None
        if state:
            gone[wanted[values.gone]] = True
        if gone.any():
            table, at, kinds, lost = self._with_deletes(rows, table, at, kinds or [], np.flatnonzero(gone))
            poison += lost
        good = np.zeros(rows.num_rows, dtype=bool)
        good[at] = True
        for name in self.metadata:
            table = table.append_column(name, _metadata(rows, name, at))
        reach("after-decode")
        repeated = rows.num_rows - len(places)
        return Ready(table, kinds, sorted(poison, key=_row), marks.highest(good), repeated)

    def _checked(self, rows: pa.Table, values: Decoded) -> tuple[pa.Table, Ints, list[Poison]]:
        """Without the records whose key is not their value's."""
        table, at = values.table, values.indices
        keys = rows.column("key") if len(at) == rows.num_rows else rows.column("key").take(pa.array(at))
        wrong = self.keys.wrong(keys, table)
        if not wrong.any():
            return table, at, values.poison
        lacking = keys.is_null().to_numpy()
        poison = [Poison(int(at[i]), NO_KEY if lacking[i] else WRONG_KEY) for i in np.flatnonzero(wrong)]
        return table.filter(pa.array(~wrong)), at[~wrong], values.poison + poison

    def _with_deletes(
        self, rows: pa.Table, table: pa.Table, at: Ints, kinds: list[str], gone: Ints
    ) -> tuple[pa.Table, Ints, list[str], list[Poison]]:
        """The tombstones between the values, where the log has them: rows with the key alone."""
        places, keys, poison = self.keys.read(gone, rows.column("key").take(pa.array(gone)))
        made = dict(zip(self.topic.key, keys, strict=True))
        schema = self.decoder.schema
        columns = [made.get(f.name, pa.nulls(len(places), f.type)) for f in schema]
        merged = np.concatenate([at, places])
        order = np.argsort(merged, kind="stable")
        kinds = kinds + ["-D"] * len(places)
        table = pa.concat_tables([table, pa.table(columns, schema=schema)]).take(pa.array(order))
        return table, merged[order], [kinds[i] for i in order], poison


def _kinds(values: Decoded, count: int) -> list[str]:
    """How each row changes the state; a decoder that knows deletes checks no key, so all its rows are here."""
    if values.deleted is None:
        return ["+U"] * count
    return ["-D" if deleted else "+U" for deleted in values.deleted.tolist()]


def _metadata(rows: pa.Table, name: str, at: Ints) -> pa.ChunkedArray:
    column = rows.column(_METADATA[name]).take(pa.array(at))
    return column.cast(pa.timestamp("ms")) if name == "_timestamp" else column


def _row(item: Poison) -> int:
    return item.row
