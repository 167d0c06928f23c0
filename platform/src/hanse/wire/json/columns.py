"""Decode many flat JSON objects at once, a column at a time.

Most topics carry objects of the same keys in the same order. Quotes are found for all values together; a
value whose bytes between its quotes are exactly those of a layout met before, without escapes and control
characters, is cut into columns by them, and Arrow parses each column. Whatever is different in any way
(escapes, nesting, other keys, numbers with an exponent) is left to `rows`, value by value, so that nothing
is decided here that strict JSON would decide otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hanse.wire.frame import PAD, Ints, Values
from hanse.wire.json.types import JsonType

Mask = npt.NDArray[np.bool_]
MAX_LAYOUTS = 4
MAX_FIELDS = 500
MAX_LEAD = 1_000
MIN_ROWS = 8
BLOCK_ROWS, BLOCK_BYTES = 8_192, 8_000_000
"""Values looked at together: their bytes and places stay in the processor's cache."""
_FLAT = frozenset({"string", "integer", "number", "decimal", "boolean", "timestamp", "date", "epoch"})
_QUOTE, _BACKSLASH, _ZERO = ord('"'), ord("\\"), np.uint8(ord("0"))
_FIRST = re.compile(rb' *\{ *"([^"]*)" *: *')
_NEXT = re.compile(rb' *, *"([^"]*)" *: *')
_VALUE = re.compile(rb'"[^"]*"|[^ ",:{}\[\]]+')
_TAIL = re.compile(rb" *\} *")


@dataclass(frozen=True, slots=True)
class Cut:
    """Columns of the values that were cut, and which they are; the others are for `rows`."""

    columns: list[pa.Array]
    places: Ints


def is_flat(kind: JsonType) -> bool:
    """Whether the record has only simple columns, so that cutting applies."""
    return len(kind.fields) <= MAX_FIELDS and all(t.kind in _FLAT for t in kind.fields.values())


def cut(kind: JsonType, values: Values, which: Ints, skip: int = 0) -> list[Cut]:
    """Cut those of the values that share a layout. `skip` bytes of each are a frame."""
    if not is_flat(kind) or len(which) < MIN_ROWS:
        return []
    starts, ends = values.starts[which] + skip, values.ends[which]
    mean = int((ends - starts).sum()) // len(which) + 1
    step = max(MIN_ROWS, min(BLOCK_ROWS, BLOCK_BYTES // mean))
    made: list[Cut] = []
    for at in range(0, len(which), step):
        rows = slice(at, at + step)
        if len(which[rows]) >= MIN_ROWS and int((ends[rows] - starts[rows]).sum()) < 1 << 30:
            made += _cut(kind, _Block(values.data, starts[rows], ends[rows]), which[rows])
    return made


def _cut(kind: JsonType, block: _Block, which: Ints) -> list[Cut]:
    left = np.flatnonzero(block.plain)
    made: list[Cut] = []
    for _ in range(MAX_LAYOUTS):
        if len(left) < MIN_ROWS:
            break
        layout = _layout(block.bytes_at(int(left[0])))
        rest = np.ones(len(which), dtype=np.bool_)
        rest[left[0]] = False
        if layout is not None:
            columns, same = _columns(kind, block, layout, left)
            if len(same):
                made.append(Cut(columns, which[same]))
            rest[same] = False
        left = left[rest[left]]
    return made


class _Block:
    """Values that lie one behind the other. `plain` ones are UTF-8 without escapes and control characters."""

    def __init__(self, data: pa.Buffer, starts: Ints, ends: Ints) -> None:
        if (starts[1:] != ends[:-1]).any():
            data, ends = _together(data, starts, ends)
            starts = np.append(0, ends[:-1])
        base = int(starts[0])
        self.buffer = data.slice(base)
        self.data = np.frombuffer(self.buffer, np.uint8)
        self.pairs = np.ndarray((len(self.data) - 15,), np.complex128, self.data.data, strides=(1,))
        self.starts = starts - base
        self.ends = ends - base
        part = self.data[: int(self.ends[-1])]
        self.plain: Mask = self.ends > self.starts
        if len(part) and (int(part.min()) < 32 or bool((part == _BACKSLASH).any())):
            self._leave_out((part < 32) | (part == _BACKSLASH))
        if not _is_text(self.buffer, len(part)):
            self._leave_out(part > 127)
        found = np.flatnonzero(part == _QUOTE)
        self.enter = np.searchsorted(found, self.starts)
        self.leave = np.append(self.enter[1:], len(found))
        self.quotes = np.concatenate([found, np.zeros(4 * MAX_FIELDS + 1, dtype=np.int64)])
        self.tight = len(self.data) - len(part) < MAX_LEAD + 16

    def _leave_out(self, bad: Mask) -> None:
        self.plain[np.searchsorted(self.starts, np.flatnonzero(bad), side="right") - 1] = False

    def bytes_at(self, row: int) -> bytes:
        """One value."""
        return self.data[self.starts[row] : self.ends[row]].tobytes()

    def has(self, word: bytes, at: Ints) -> Mask:
        """Whether the bytes from there on are the word; somewhere else than in a value it may be anything."""
        same = np.ones(len(at), dtype=np.bool_)
        for offset in range(0, len(word), 16):
            there = at + offset if offset else at
            if self.tight:
                there = np.minimum(there, len(self.pairs) - 1)
            found = self.pairs[there].view(np.uint64).reshape(-1, 2)  # sixteen bytes are gathered as one
            for column in range(2):
                part = word[offset + 8 * column : offset + 8 * column + 8]
                if part:
                    eight = found[:, column]
                    if len(part) < 8:
                        eight = eight & np.uint64((1 << (8 * len(part))) - 1)
                    same &= eight == np.uint64(int.from_bytes(part, "little"))
        return same

    def at(self, places: Ints) -> npt.NDArray[np.uint8]:
        """The byte at each place."""
        return self.data.take(places, mode="clip")


def _together(data: pa.Buffer, starts: Ints, ends: Ints) -> tuple[pa.Buffer, Ints]:
    """The values copied one behind the other with PAD bytes to spare, and where each ends."""
    places = np.empty(2 * len(starts) + 2, dtype=np.int64)
    places[0:-2:2], places[1:-2:2] = starts, ends
    places[-2:] = data.size - PAD, data.size
    every = pa.Array.from_buffers(pa.large_binary(), len(places) - 1, [None, pa.py_buffer(places), data])
    copied = every.take(pa.array(np.arange(0, len(places), 2))).buffers()[2]
    return copied, np.cumsum(ends - starts)


def _is_text(buffer: pa.Buffer, size: int) -> bool:
    """Whether the bytes are UTF-8; that each value and string is too follows from the marks around them."""
    offsets = pa.py_buffer(np.array([0, size], dtype=np.int64))
    try:
        pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, buffer]).cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Layout:
    """The keys of an object, in order, and the very bytes between its values."""

    names: list[str]
    leads: list[bytes]
    tail: bytes

    @property
    def before(self) -> list[int]:
        """How far before a key's first quote the value before it ends; at last, before the object's end."""
        return [lead.index(b'"') for lead in self.leads] + [len(self.tail)]


def _layout(value: bytes) -> _Layout | None:
    """The layout of one value; None when it is no object of distinct, plain keys and simple values."""
    names: list[bytes] = []
    leads: list[bytes] = []
    lead, at = _FIRST.match(value), 0
    while lead is not None and len(names) < MAX_FIELDS and len(lead[0]) < MAX_LEAD:
        found = _VALUE.match(value, lead.end())
        if found is None:
            return None
        names.append(lead[1])
        leads.append(lead[0])
        at = found.end()
        lead = _NEXT.match(value, at)
    tail = _TAIL.fullmatch(value, at)
    if tail is None or not names or len(set(names)) < len(names):
        return None
    return _Layout([n.decode("utf-8") for n in names], leads, tail[0])


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where one key's value lies in each record, and whether it is a string; quotes are inside the span."""

    start: Ints
    end: Ints
    quoted: Mask


def _columns(kind: JsonType, block: _Block, layout: _Layout, rows: Ints) -> tuple[list[pa.Array], Ints]:
    """The columns of the rows that have the layout and read well, and which they are."""
    missing = [name for name in kind.fields if name not in layout.names]
    if any(not kind.fields[name].nullable for name in missing):
        return [], rows[:0]
    spans, good = _spans(block, layout, rows)
    if not good.all():
        rows = rows[good]
        spans = [_Spans(s.start[good], s.end[good], s.quoted[good]) for s in spans]
    typed = _Typed(block, len(rows))
    made = {name: pa.nulls(len(rows), kind.fields[name].arrow) for name in missing}
    for name, there in zip(layout.names, spans, strict=True):
        made[name] = typed.column(kind.fields.get(name, _ANY), there)
    columns = [made[name] for name in kind.fields]
    if typed.good.all():
        return columns, rows
    keep = pa.array(typed.good)
    return [c.filter(keep) for c in columns], rows[typed.good]


def _spans(block: _Block, layout: _Layout, rows: Ints) -> tuple[list[_Spans], Mask]:
    """The values of the rows, key by key, and which rows have the layout; of others spans are nonsense.

    The bytes between values hold a key's two quotes and a value holds two or none, so that counting
    quotes leads from key to key; the row's last quote must be the last value's.
    """
    quote, before = block.enter[rows], layout.before
    opening = block.quotes[quote]
    good = opening - before[0] == block.starts[rows]
    made: list[_Spans] = []
    for i, lead in enumerate(layout.leads):
        place = opening - before[i]
        good &= block.has(lead, place)
        start = place + len(lead)
        quoted = block.at(start) == _QUOTE
        quote = quote + 2
        quote += quoted
        quote += quoted
        last = i == len(layout.leads) - 1
        opening = block.ends[rows] if last else block.quotes.take(quote, mode="clip")
        end = opening - before[i + 1]
        good &= end - start > quoted
        good &= (block.at(end - 1) == _QUOTE) | ~quoted
        made.append(_Spans(start, end, quoted))
    good &= quote == block.leave[rows]
    return made, good & block.has(layout.tail, block.ends[rows] - len(layout.tail))


class _Typed:
    """Makes columns of spans; `good` says which records read well so far."""

    def __init__(self, block: _Block, count: int) -> None:
        self.block = block
        self.good: Mask = np.ones(count, dtype=np.bool_)

    def column(self, kind: JsonType, spans: _Spans) -> pa.Array:
        """The column, with garbage in records that `good` then lacks."""
        null = self._null(spans)
        if not kind.nullable:
            self.good &= ~null
        match kind.kind:
            case "boolean":
                true = self._is(b"true", spans)
                self.good &= null | true | self._is(b"false", spans)
                return pa.array(true, mask=null)
            case "integer" | "number" | "decimal":
                return self._numbers(kind, spans, null | spans.quoted, null)
            case "epoch":
                return self._numbers(_INTEGER, spans, null | spans.quoted, null).cast(kind.arrow)
            case "any":
                word = null | spans.quoted | self._is(b"true", spans) | self._is(b"false", spans)
                if not word.all():
                    self._numbers(_NUMBER, spans, word, word)
                return pa.nulls(len(null))
            case _:
                return self._quoted(kind, spans, null)

    def _null(self, spans: _Spans) -> Mask:
        null = self.block.at(spans.start) == ord("n")
        return null & self._is(b"null", spans) if null.any() else null

    def _is(self, word: bytes, spans: _Spans) -> Mask:
        return (spans.end - spans.start == len(word)) & self.block.has(word, spans.start)

    def _quoted(self, kind: JsonType, spans: _Spans, null: Mask) -> pa.Array:
        start, end, at = spans.start, spans.end, self.block.at
        self.good &= spans.quoted | null
        if kind.kind == "timestamp":
            usual = (end - start >= 22) & (at(end - 2) == ord("Z")) & (at(start + 11) == ord("T"))
            self.good &= null | (usual & (at(start + 1) != _ZERO))
        elif kind.kind == "date":
            self.good &= null | ((end - start == 12) & (at(start + 1) != _ZERO))
        strings = self._texts(start + 1, end - 1, ~spans.quoted)
        if kind.symbols:
            options = pc.SetLookupOptions(pa.array(sorted(kind.symbols)))
            known = pc.call_function("is_in", [strings], options)
            self.good &= known.to_numpy(zero_copy_only=False) | null
        if kind.kind == "string":
            return strings
        zoned = kind.kind == "timestamp"
        return self._cast(strings, pa.timestamp("us", tz="UTC") if zoned else kind.arrow).view(kind.arrow)

    def _numbers(self, kind: JsonType, spans: _Spans, out: Mask, allowed: Mask) -> pa.Array:
        """Numbers without exponent where not `out`. Arrow takes more than JSON has, so ends are looked at."""
        start, end, at = spans.start, spans.end, self.block.at
        digit = start + (at(start) == ord("-"))
        first, last = at(digit) - _ZERO, at(end - 1) - _ZERO
        zero = (first == 0) & (end - digit > 1) & (at(digit + 1) != ord("."))
        self.good &= allowed | ((digit < end) & (first < 10) & (last < 10) & ~zero & ~out)
        texts = self._texts(start, end, out)
        if kind.kind != "integer":
            self._without_exponent(texts)
        made = self._cast(texts, kind.arrow)
        if kind.kind == "number":
            self.good &= np.isfinite(made.to_numpy(zero_copy_only=False)) | allowed
        return made

    def _without_exponent(self, texts: pa.Array) -> None:
        letters = texts.buffers()[2]
        if letters is None or not (np.frombuffer(letters, np.uint8) | 32 == ord("e")).any():
            return
        options = pc.MatchSubstringOptions("e", ignore_case=True)
        found = pc.call_function("match_substring", [texts], options)
        self.good &= ~pc.fill_null(found, False).to_numpy(zero_copy_only=False)

    def _texts(self, start: Ints, end: Ints, out: Mask) -> pa.Array:
        """The bytes between as text; null where `out`, or where the record is no longer good."""
        out = out | ~self.good
        some = bool(out.any())
        offsets = np.empty(2 * len(start), dtype=np.int32)
        offsets[0::2] = start
        offsets[1::2] = np.where(out, start, end) if some else end
        buffers = [None, pa.py_buffer(offsets), self.block.buffer]
        every = pa.Array.from_buffers(pa.string(), max(0, 2 * len(start) - 1), buffers)
        return every.take(pa.array(np.arange(0, 2 * len(start), 2), mask=out if some else None))

    def _cast(self, values: pa.Array, target: pa.DataType) -> pa.Array:
        """Cast all; what does not fit is null, and its record not good."""
        made = _cast(values, target)
        if made.null_count > values.null_count:
            self.good &= (made.is_valid().to_numpy(zero_copy_only=False)) | (
                values.is_null().to_numpy(zero_copy_only=False)
            )
        return made


def _cast(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Null where a value does not fit; halves are tried until it stands alone."""
    try:
        return values.cast(target)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.nulls(1, target)
        half = len(values) // 2
        return pa.concat_arrays([_cast(values.slice(0, half), target), _cast(values.slice(half), target)])


_ANY = JsonType("any", pa.null(), nullable=True)
_NUMBER = JsonType("number", pa.float64())
_INTEGER = JsonType("integer", pa.int64())
