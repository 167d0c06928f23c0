"""Decode many flat JSON objects at once, a column at a time.

Most topics carry objects of the same keys in the same order. The positions of quotes and of `{ : , }` outside
strings are found for all values together; a value whose structure and key bytes are exactly those of a
layout met before is cut into columns by them, and Arrow parses each column. Whatever is different in any
way (escapes, control characters, nesting, other keys, numbers with an exponent) is left to `rows`, value by
value, so that nothing is decided here that strict JSON would decide otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hanse.wire.frame import Ints, Values
from hanse.wire.json.types import JsonType

Mask = npt.NDArray[np.bool_]
MAX_LAYOUTS = 4
MAX_FIELDS = 500
MIN_ROWS = 8
CHUNK = 8_192
"""Values looked at together: their bytes and marks stay in the processor's cache."""
_FLAT = frozenset({"string", "integer", "number", "decimal", "boolean", "timestamp", "date"})


_SPACE, _QUOTE, _BACKSLASH, _ZERO = ord(" "), ord('"'), ord("\\"), np.uint8(ord("0"))


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
    if not is_flat(kind):
        return []
    made: list[Cut] = []
    for start in range(0, len(which), CHUNK):
        part = which[start : start + CHUNK]
        if len(part) >= MIN_ROWS:
            made += _cut(kind, values, part, skip)
    return made


def _cut(kind: JsonType, values: Values, which: Ints, skip: int) -> list[Cut]:
    marks = _Marks(np.frombuffer(values.data, np.uint8), values.starts[which] + skip, values.ends[which])
    left = np.flatnonzero(marks.plain)
    made: list[Cut] = []
    for _ in range(MAX_LAYOUTS):
        if len(left) < MIN_ROWS:
            break
        same, columns = _Layout(kind, marks, values.data, int(left[0])).cut(left)
        if len(same):
            made.append(Cut(columns, which[same]))
        rest = np.ones(len(which), dtype=bool)
        rest[same] = False
        rest[left[0]] = False
        left = left[rest[left]]
    return made


class _Marks:
    """Where each value's marks outside strings are. `plain` values have no escapes and whole strings."""

    def __init__(self, data: npt.NDArray[np.uint8], starts: Ints, ends: Ints) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends
        base = int(starts[0])
        part = data[base : int(ends[-1])]
        first, last = starts - base, ends - base
        self.spaces = bool((part == _SPACE).any())
        found = np.flatnonzero(_is_mark(part))
        quote = part[found] == _QUOTE
        before = np.zeros(len(found) + 1, dtype=np.int32)
        np.cumsum(quote, out=before[1:])
        enter, leave = _within(found, first, last)
        self.quotes = before[leave] - before[enter]
        self.plain: Mask = self.quotes % 2 == 0
        special = np.flatnonzero((part < 32) | (part == _BACKSLASH))
        if len(special):
            self.plain[np.searchsorted(first, special, side="right") - 1] = False
        inside = before[1:] & 1
        odd = before[enter] & 1
        if odd.any():
            inside = inside ^ odd[np.maximum(np.searchsorted(first, found, side="right") - 1, 0)]
        outside = found[(inside == 0) & ~quote]
        self.first, end = _within(outside, first, last)
        self.count = end - self.first
        self.marks = np.concatenate([outside, np.zeros(2 * MAX_FIELDS + 1, dtype=np.int64)]) + base

    def of(self, rows: Ints, size: int) -> npt.NDArray[np.int64]:
        """The marks of the rows, all of which have `size`: one line a mark, one column a row."""
        if len(rows) == len(self.first) and int(self.first[-1]) == size * (len(rows) - 1):
            return np.ascontiguousarray(self.marks[: size * len(rows)].reshape(len(rows), size).T)
        return self.marks[self.first[rows] + np.arange(size)[:, None]]


def _within(found: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Which of the rising places lie in each value, from and to; values rise too."""
    enter = np.searchsorted(found, first)
    if (first[1:] == last[:-1]).all():
        return enter, np.append(enter[1:], np.searchsorted(found, last[-1]))
    return enter, np.searchsorted(found, last)


def _is_mark(part: npt.NDArray[np.uint8]) -> Mask:
    """Quotes, braces, brackets, colons and commas."""
    folded = part | 32  # brackets become braces
    braces = (folded == ord("{")) | (folded == ord("}"))
    return braces | (part == _QUOTE) | (part == ord(":")) | (part == ord(","))


class _Layout:
    """The keys of one value, in order, as their very bytes."""

    def __init__(self, kind: JsonType, marks: _Marks, buffer: pa.Buffer, row: int) -> None:
        self.kind = kind
        self.marks = marks
        self.buffer = buffer
        self.size = int(marks.count[row])
        at = marks.marks[marks.first[row] : marks.first[row] + self.size]
        self.pairs = (self.size - 1) // 2
        pattern = b"{" + b":," * (self.pairs - 1) + b":}" if self.pairs else b""
        self.pattern = np.frombuffer(pattern, dtype=np.uint8)
        self.keys: list[bytes] = []
        if 0 < len(pattern) == self.size:
            data = marks.data
            self.keys = [data[at[2 * i] + 1 : at[2 * i + 1]].tobytes() for i in range(self.pairs)]

    def names(self) -> list[str] | None:
        """The keys as text; None when this is no object of distinct, plain keys."""
        made: list[str] = []
        for raw in self.keys:
            text = raw.strip(b" ")
            if len(text) < 2 or text[:1] != b'"' or text[-1:] != b'"' or b'"' in text[1:-1]:
                return None
            try:
                made.append(text[1:-1].decode("utf-8"))
            except UnicodeDecodeError:
                return None
        return made if made and len(set(made)) == len(made) else None

    def cut(self, rows: Ints) -> tuple[Ints, list[pa.Array]]:
        """The rows that have this layout and read well, and their columns."""
        names = self.names()
        if names is None:
            return rows[:0], []
        marks, data = self.marks, self.marks.data
        rows = rows[marks.count[rows] == self.size]
        at = marks.of(rows, self.size)
        good = (data[at] == self.pattern[:, None]).all(axis=0)
        good &= (at[0] == marks.starts[rows]) & (at[-1] == marks.ends[rows] - 1)  # nothing beside the object
        for i, key in enumerate(self.keys):
            good &= _is(data, key, at[2 * i] + 1, at[2 * i + 1])
        if not good.all():
            rows, at = rows[good], at[:, good]
        return self._columns(names, rows, at)

    def _columns(
        self, names: list[str], rows: Ints, at: npt.NDArray[np.int64]
    ) -> tuple[Ints, list[pa.Array]]:
        spans = _Spans(self.marks, self.buffer, len(rows))
        made: dict[str, pa.Array] = {}
        for i, name in enumerate(names):
            inner = self.kind.fields.get(name, _ANY)
            made[name] = spans.column(inner, at[2 * i + 1] + 1, at[2 * i + 2])
        missing = [name for name in self.kind.fields if name not in made]
        if any(not self.kind.fields[name].nullable for name in missing):
            return rows[:0], []
        for name in missing:
            made[name] = pa.nulls(len(rows), self.kind.fields[name].arrow)
        # every key has two quotes, every string two: a value has no other, or its record is not cut
        good = spans.good & (self.marks.quotes[rows] == 2 * len(names) + 2 * spans.strings)
        columns = [made[name] for name in self.kind.fields]
        if good.all():
            return rows, columns
        keep = pa.array(good)
        return rows[good], [c.filter(keep) for c in columns]


class _Spans:
    """Values between marks, one a record, typed a column at a time; `good` says which records read well."""

    def __init__(self, marks: _Marks, buffer: pa.Buffer, count: int) -> None:
        self.data = marks.data
        self.spaces = marks.spaces
        self.buffer = buffer
        self.good: Mask = np.ones(count, dtype=np.bool_)
        self.strings: Ints = np.zeros(count, dtype=np.int64)

    def column(self, kind: JsonType, start: Ints, end: Ints) -> pa.Array:
        """The column, with garbage in records that `good` then lacks."""
        if self.spaces:
            start, end = self._trimmed(start, end)
        self.good &= end > start
        null = self.data[start] == ord("n")
        if null.any():
            null &= _is(self.data, b"null", start, end)
        if not kind.nullable:
            self.good &= ~null
        match kind.kind:
            case "boolean":
                true = _is(self.data, b"true", start, end)
                self.good &= null | true | _is(self.data, b"false", start, end)
                return pa.array(true, mask=null)
            case "integer" | "number" | "decimal":
                return self._numbers(kind, start, end, null)
            case "any":
                return self._anything(start, end, null)
            case _:
                return self._quoted(kind, start, end, null)

    def _trimmed(self, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        while (space := (self.data[start] == _SPACE) & (start < end)).any():
            start = start + space
        while (space := (self.data[end - 1] == _SPACE) & (start < end)).any():
            end = end - space
        return start, end

    def _anything(self, start: Ints, end: Ints, null: Mask) -> pa.Array:
        """A value that nobody reads: any simple one that is well formed."""
        text = self._is_quoted(start, end)
        self.strings += text
        word = null | _is(self.data, b"true", start, end) | _is(self.data, b"false", start, end)
        simple = text | word
        if not simple.all():
            self._numbers(_NUMBER, start, end, simple)
        return pa.nulls(len(start))

    def _is_quoted(self, start: Ints, end: Ints) -> Mask:
        return (end - start >= 2) & (self.data[start] == _QUOTE) & (self.data[end - 1] == _QUOTE)

    def _quoted(self, kind: JsonType, start: Ints, end: Ints, null: Mask) -> pa.Array:
        text = self._is_quoted(start, end)
        self.strings += text
        self.good &= text | null
        if kind.kind == "timestamp":
            usual = (
                (end - start >= 22) & (self.data[end - 2] == ord("Z")) & (self.data[start + 11] == ord("T"))
            )
            self.good &= null | (usual & (self.data[start + 1] != ord("0")))
        elif kind.kind == "date":
            self.good &= null | ((end - start == 12) & (self.data[start + 1] != ord("0")))
        strings = self._parsed(pa.string(), start + 1, end - 1, null)
        if kind.symbols:
            options = pc.SetLookupOptions(pa.array(sorted(kind.symbols)))
            known = pc.call_function("is_in", [strings], options)
            self.good &= known.to_numpy(zero_copy_only=False) | null
        return strings if kind.kind == "string" else self._moments(kind, strings)

    def _moments(self, kind: JsonType, strings: pa.Array) -> pa.Array:
        target = pa.timestamp("us", tz="UTC") if kind.kind == "timestamp" else pa.date32()
        made = self._cast(strings, target)
        return made.cast(pa.int64()).cast(kind.arrow) if kind.kind == "timestamp" else made

    def _numbers(self, kind: JsonType, start: Ints, end: Ints, null: Mask) -> pa.Array:
        """Numbers without exponent. Arrow's parser takes more than JSON has, so the ends are looked at."""
        data = self.data
        minus = data[start] == ord("-")
        digit = start + minus
        first, last = data[digit] - _ZERO, data[end - 1] - _ZERO
        second = data[digit + 1]
        zero = (first == 0) & (end - digit > 1) & (second != ord("."))
        self.good &= null | ((digit < end) & (first < 10) & (last < 10) & ~zero)
        texts = self._parsed(pa.string(), start, end, null)
        if kind.kind != "integer":
            for letter in ("e", "E"):
                options = pc.MatchSubstringOptions(letter)
                found = pc.call_function("match_substring", [texts], options)
                self.good &= ~pc.fill_null(found, False).to_numpy(zero_copy_only=False)
        made = self._cast(texts, kind.arrow)
        if kind.kind == "number":
            finite = np.isfinite(made.to_numpy(zero_copy_only=False).astype(np.float64))
            self.good &= finite | null
        return made

    def _parsed(self, target: pa.DataType, start: Ints, end: Ints, null: Mask) -> pa.Array:
        """The bytes between as text; null where `null`, or where the record is no longer good."""
        out = null | ~self.good
        some = bool(out.any())
        offsets = np.empty(2 * len(start), dtype=np.int64)
        offsets[0::2] = start
        offsets[1::2] = np.where(out, start, end) if some else end
        count = max(0, 2 * len(start) - 1)
        every = pa.Array.from_buffers(pa.large_binary(), count, [None, pa.py_buffer(offsets), self.buffer])
        chosen = pa.array(np.arange(0, 2 * len(start), 2), mask=out if some else None)
        return self._cast(every.take(chosen), target)

    def _cast(self, values: pa.Array, target: pa.DataType) -> pa.Array:
        """Cast all; when one does not fit, each alone, and those that do not are not good."""
        try:
            return values.cast(target)
        except pa.ArrowInvalid:
            made = [_cast_one(values.slice(i, 1), target) for i in range(len(values))]
            self.good &= np.array([m is not None for m in made])
            return pa.concat_arrays([pa.nulls(1, target) if m is None else m for m in made])


def _cast_one(value: pa.Array, target: pa.DataType) -> pa.Array | None:
    try:
        return value.cast(target)
    except pa.ArrowInvalid:
        return None


def _is(data: npt.NDArray[np.uint8], word: bytes, start: Ints, end: Ints) -> Mask:
    """Whether the bytes between are exactly the word."""
    same = (end - start) == len(word)
    words = np.ndarray((len(data) - 7,), "<u8", data.data, strides=(1,))
    for offset in range(0, len(word), 8):
        part = word[offset : offset + 8]
        mask = np.uint64((1 << (8 * len(part))) - 1)
        wanted = np.uint64(int.from_bytes(part.ljust(8, b"\0"), "little"))
        same &= (words[np.minimum(start + offset, len(words) - 1)] & mask) == wanted
    return same


_ANY = JsonType("any", pa.null(), nullable=True)
_NUMBER = JsonType("number", pa.float64())
