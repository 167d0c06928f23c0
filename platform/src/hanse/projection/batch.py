"""A fetched batch, made ready to feed: repeats dropped, values decoded, keys checked, poison named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hanse.model.mesh import Topic
from hanse.projection.dedup import Positions, fresh, marked
from hanse.projection.failpoints import reach
from hanse.wire.decoded import Decoded, Poison, ValueDecoder
from hanse.wire.frame import Ints

NO_KEY = "the record has no key"
KEY_TEXT = "the key is not UTF-8"
KEY_PARTS = "the key does not have the parts of the topic's key"
KEY_TYPE = "a part of the key has not its column's type"
WRONG_KEY = "the record lies under a key that its value does not have"
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

    def __init__(self, topic: Topic, decoder: ValueDecoder, metadata: list[str]) -> None:
        self.topic = topic
        self.decoder = decoder
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
        poison = [Poison(int(wanted[p.row]), p.reason, p.exception) for p in poison]
        at = wanted[at]
        kinds: list[str] | None = ["+U"] * len(at) if state else None
        if gone.any():
            table, at, kinds, lost = self._with_deletes(rows, table, at, np.flatnonzero(gone))
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
        wrong = self._wrong_keys(rows, table, at)
        if not wrong.any():
            return table, at, values.poison
        poison = [
            Poison(int(row), reason)
            for row, reason in zip(at[wrong], self._why(rows, at, wrong), strict=True)
        ]
        return table.filter(pa.array(~wrong)), at[~wrong], values.poison + poison

    def _wrong_keys(
        self, rows: pa.Table, table: pa.Table, at: Ints
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        columns = [table.column(name) for name in self.topic.key]
        if not columns or not all(_plain(c.type) for c in columns):
            return np.zeros(len(at), dtype=np.bool_)
        texts = [c.cast(pa.string()).cast(pa.large_binary()) for c in columns]
        expected = pc.call_function("binary_join_element_wise", [*texts, pa.scalar(b"|", pa.large_binary())])
        keys = rows.column("key") if len(at) == rows.num_rows else rows.column("key").take(pa.array(at))
        same = pc.call_function("equal", [expected, keys])
        lacking = keys.is_null().to_numpy()
        wrong = ~pc.fill_null(same, False).to_numpy()
        return wrong if self.topic.kind == "state" else wrong & ~lacking

    def _why(self, rows: pa.Table, at: Ints, wrong: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[str]:
        keys = rows.column("key").take(pa.array(at[wrong]))
        return [NO_KEY if key is None else WRONG_KEY for key in keys.to_pylist()]

    def _with_deletes(
        self, rows: pa.Table, table: pa.Table, at: Ints, gone: Ints
    ) -> tuple[pa.Table, Ints, list[str], list[Poison]]:
        """The tombstones between the values, where the log has them: rows with the key alone."""
        keys: list[list[object]] = []
        places: list[int] = []
        poison: list[Poison] = []
        for row, key in zip(gone.tolist(), rows.column("key").take(pa.array(gone)).to_pylist(), strict=True):
            parts, reason = self._key_parts(key)
            if reason:
                poison.append(Poison(row, reason))
            else:
                keys.append(parts)
                places.append(row)
        deletes = self._deletes(keys)
        merged = np.concatenate([at, np.array(places, dtype=np.int64)])
        order = np.argsort(merged, kind="stable")
        kinds = ["+U"] * len(at) + ["-D"] * len(places)
        table = pa.concat_tables([table, deletes]).take(pa.array(order))
        return table, merged[order], [kinds[i] for i in order], poison

    def _deletes(self, keys: list[list[object]]) -> pa.Table:
        schema = self.decoder.schema
        made = {
            name: pa.array([k[i] for k in keys], schema.field(name).type)
            for i, name in enumerate(self.topic.key)
        }
        return pa.table([made.get(f.name, pa.nulls(len(keys), f.type)) for f in schema], schema=schema)

    def _key_parts(self, key: bytes | None) -> tuple[list[object], str]:
        if key is None:
            return [], NO_KEY
        try:
            text = key.decode("utf-8")
        except UnicodeDecodeError:
            return [], KEY_TEXT
        parts = text.split("|") if len(self.topic.key) > 1 else [text]
        if len(parts) != len(self.topic.key):
            return [], KEY_PARTS
        try:
            schema = self.decoder.schema
            typed = [
                pa.array([part]).cast(schema.field(name).type)[0].as_py()
                for name, part in zip(self.topic.key, parts, strict=True)
            ]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return [], KEY_TYPE
        return typed, ""


def _metadata(rows: pa.Table, name: str, at: Ints) -> pa.ChunkedArray:
    column = rows.column(_METADATA[name]).take(pa.array(at))
    return column.cast(pa.timestamp("ms")) if name == "_timestamp" else column


def _plain(kind: pa.DataType) -> bool:
    """Whether the value's text in a key is certain."""
    return pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_date(kind)


def _row(item: Poison) -> int:
    return item.row
