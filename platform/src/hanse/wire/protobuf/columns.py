"""Decode many Protobuf messages at once: in each round every message reads its next field.

Producers write fields in the same order, so a round mostly meets one tag. Whatever is unusual (repeated
fields, maps, groups, a field twice in two parts, damaged bytes) marks the message, and the Protobuf library reads
or refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hanse.wire.avro import reasons
from hanse.wire.avro.columns import Columns, Cursor
from hanse.wire.frame import Ints
from hanse.wire.protobuf.rows import SECONDS
from hanse.wire.protobuf.types import ProtoColumn

Words = npt.NDArray[np.uint64]
MAX_ROUNDS = 1_000
_WIDTH = {1: 8, 5: 4}


@dataclass(slots=True)
class _Found:
    """A field as it was found: its number, or where its bytes are; `here` says in which messages."""

    word: Words
    start: Ints
    length: Ints
    here: npt.NDArray[np.bool_]


class Messages(Columns):
    """Messages in shared bytes; after `read`, every record with an error is for `rows`."""

    def read_messages(self, columns: list[ProtoColumn]) -> list[pa.Array]:
        """The columns, one row a message, garbage where `errors` is not 0."""
        return self._message(columns, self.cursor)

    def _message(self, columns: list[ProtoColumn], at: Cursor) -> list[pa.Array]:
        count = len(at)
        known = {c.number: c for c in columns}
        found = {
            c.number: _Found(
                np.zeros(count, np.uint64),
                np.zeros(count, np.int64),
                np.zeros(count, np.int64),
                np.zeros(count, np.bool_),
            )
            for c in columns
        }
        going = np.flatnonzero(at.pos < at.end)
        for _ in range(MAX_ROUNDS):
            if not len(going):
                break
            part = at.only(going)
            tags = self.unsigned(part)
            for tag in [tags[0]] if (tags == tags[0]).all() else np.unique(tags):
                which = np.flatnonzero(tags == tag)
                inner = part.only(which)
                self._field(known, found, int(tag), inner, going[which])
                part.pos[which] = inner.pos
            at.pos[going] = part.pos
            going = going[at.pos[going] < at.end[going]]
        self.leave(at, going)
        self._only_one(columns, found, at)
        return [self._column(c, found[c.number], at) for c in columns]

    def _only_one(self, columns: list[ProtoColumn], found: dict[int, _Found], at: Cursor) -> None:
        """Of several fields of a oneof the last one counts, which only the library knows."""
        for name in {c.oneof for c in columns if c.oneof}:
            set_here = [found[c.number].here for c in columns if c.oneof == name]
            if len(set_here) > 1:
                self.fail(at, np.sum(set_here, axis=0) > 1, reasons.SLOW)

    def leave(self, at: Cursor, which: Ints) -> None:
        """Leave these messages to the library."""
        if len(which):
            mask = np.zeros(len(at), dtype=np.bool_)
            mask[which] = True
            self.fail(at, mask, reasons.SLOW)

    def _field(
        self, known: dict[int, ProtoColumn], found: dict[int, _Found], tag: int, at: Cursor, rows: Ints
    ) -> None:
        number, wire = tag >> 3, tag & 7
        column = known.get(number)
        every = np.ones(len(at), dtype=np.bool_)
        odd = column is not None and (column.wire != wire or column.kind in ("repeated", "map"))
        if odd or wire not in (0, 1, 2, 5) or not 0 < number < 1 << 29:
            self.fail(at, every, reasons.SLOW)
            return
        start, length, word = at.pos, np.zeros(len(at), np.int64), np.zeros(len(at), np.uint64)
        if wire == 0:
            word = self.unsigned(at)
        elif wire == 2:
            length = np.minimum(self.unsigned(at), np.uint64(1 << 40)).astype(np.int64)
            self.fail(at, length > at.end - at.pos, reasons.TRUNCATED)
            length = np.minimum(length, at.end - at.pos)
            start = at.pos.copy()
            at.pos += length
        else:
            word = self._numbers(f"<u{_WIDTH[wire]}", at.pos).astype(np.uint64)
            at.pos += _WIDTH[wire]
            self._inside(at)
        if column is None:
            return
        place = found[number]
        if column.inner or column.kind == "string":  # parts of a message merge; a lost string may be no UTF-8
            self.fail(at, place.here[rows], reasons.SLOW)
        place.word[rows], place.start[rows], place.length[rows], place.here[rows] = word, start, length, True

    def _column(self, column: ProtoColumn, found: _Found, at: Cursor) -> pa.Array:
        here = found.here
        if column.kind in ("repeated", "map"):
            return pa.array([[]] * len(at), column.arrow)
        if column.wire != 2:
            values = self._scalar(column, found.word, at)
            return _with_nulls(values, here) if column.presence and not here.all() else values
        rows = np.flatnonzero(here)
        part = Cursor(at.rows[rows], found.start[rows], found.start[rows] + found.length[rows])
        made = self._spans(column, part, found.length[rows])
        if len(rows) == len(at):
            return made
        place = np.full(len(at), len(rows), dtype=np.int64)
        place[rows] = np.arange(len(rows))
        if column.presence:
            return made.take(pa.array(place, mask=~here))
        empty = pa.array(["" if column.kind == "string" else b""], column.arrow)
        return pa.concat_arrays([made, empty]).take(pa.array(place))

    def _spans(self, column: ProtoColumn, at: Cursor, length: Ints) -> pa.Array:
        if column.kind == "bytes":
            return self._gather(at.pos, length).cast(pa.binary())
        if column.kind == "string":
            return self._text(self._gather(at.pos, length), at)
        inner = self._message(column.inner, at)
        if column.kind == "wrapper":
            return inner[0]
        if column.kind == "timestamp":
            return self._timestamp(inner, at)
        return pa.StructArray.from_arrays(inner, fields=list(column.arrow))

    def _timestamp(self, parts: list[pa.Array], at: Cursor) -> pa.Array:
        seconds = parts[0].to_numpy(zero_copy_only=False)
        nanos = parts[1].to_numpy(zero_copy_only=False).astype(np.int64)
        wrong = (nanos % 1_000 != 0) | (nanos < 0) | (nanos >= 1_000_000_000)
        wrong |= (seconds <= -SECONDS) | (seconds >= SECONDS)
        self.fail(at, wrong, reasons.SLOW)
        made = np.where(wrong, 0, seconds) * 1_000_000 + nanos // 1_000
        return pa.Array.from_buffers(pa.timestamp("us"), len(made), [None, pa.py_buffer(made)])

    def _scalar(self, column: ProtoColumn, word: Words, at: Cursor) -> pa.Array:
        low = word.astype(np.uint32)
        match column.kind:
            case "bool":
                return pa.array(word != 0)
            case "double":
                return pa.array(word.view(np.float64))
            case "float":
                return pa.array(low.view(np.float32))
            case "int32" | "sfixed32":
                return pa.array(low.view(np.int32))
            case "uint32" | "fixed32":
                return pa.array(low.astype(np.int64))
            case "sint32":
                return pa.array(
                    ((low >> np.uint32(1)).view(np.int32)) ^ -((low & np.uint32(1)).view(np.int32))
                )
            case "sint64":
                return pa.array(
                    (word >> np.uint64(1)).view(np.int64) ^ -((word & np.uint64(1)).view(np.int64))
                )
            case "uint64" | "fixed64":
                wide = np.zeros((len(word), 2), dtype=np.uint64)
                wide[:, 0] = word
                return pa.Array.from_buffers(column.arrow, len(word), [None, pa.py_buffer(wide)])
            case "enum":
                return self._names(column, low.view(np.int32), at)
            case _:
                return pa.array(word.view(np.int64))

    def _names(self, column: ProtoColumn, numbers: npt.NDArray[np.int32], at: Cursor) -> pa.Array:
        """Names of an enum; what a number without one means depends on the file's syntax."""
        distinct, index = np.unique(numbers, return_inverse=True)
        names = [column.symbols.get(int(n)) for n in distinct]
        unknown = np.array([name is None for name in names], dtype=np.bool_)
        self.fail(at, unknown[index], reasons.SLOW)
        return pa.array(names, pa.string()).take(pa.array(index))


def _with_nulls(values: pa.Array, here: Any) -> pa.Array:
    return values.take(pa.array(np.arange(len(values)), mask=~here))
