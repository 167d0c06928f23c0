"""Reads CSV files of unknown quality: a broken line is named and set aside, and takes no other with it."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from hanse.domain.demo import Row
from hanse.errors import ConfigError

MAX_LINE = 1 << 20
MAX_LINES = 500
"""A quoted field may run over this many lines; a quote that is open longer is taken as a stray one."""


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row: its values by column, or the problem for which it must be set aside."""

    row: Row
    values: dict[str, str]
    problem: str | None = None


class _Lines:
    """The physical lines of a file with their numbers; some can be handed back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending: deque[tuple[int, bytes]] = deque()
        self._number = 0

    def take(self) -> tuple[int, bytes] | None:
        if self._pending:
            return self._pending.popleft()
        line = self._file.readline(MAX_LINE)
        if not line:
            return None
        self._number += 1
        while not line.endswith(b"\n") and len(line) >= MAX_LINE and (rest := self._file.readline(MAX_LINE)):
            if rest.endswith(b"\n"):
                break
        return self._number, line

    def give_back(self, lines: Sequence[tuple[int, bytes]]) -> None:
        self._pending.extendleft(reversed(lines))


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[InputRow]:
    """The rows of the CSV file below its header line, in order; blank lines are no rows.

    Problems: wrong number of columns, unclosed or misplaced quote, not UTF-8, line too long.
    Raises ConfigError when the file is missing or its header lacks one of `columns`.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError("an input file cannot be read", where=str(path), got=str(error)) from error
    with file:
        lines = _Lines(file)
        header = _header(lines, path, columns)
        while (first := lines.take()) is not None:
            if first[1].strip():
                cells, problem = _cells(first, lines, len(header))
                values = dict(zip(header, cells, strict=True)) if problem is None else {}
                yield InputRow(Row(path.name, first[0]), values, problem)


def moment(text: str) -> datetime | None:
    """The time that `2018-01-31 23:59:59` writes, as UTC; None when empty. Raises ValueError."""
    if not text:
        return None
    if len(text) != 19:
        raise ValueError("a time has the form 2018-01-31 23:59:59")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _header(lines: _Lines, path: Path, columns: Sequence[str]) -> list[str]:
    first = lines.take()
    if first is None:
        raise ConfigError("an input file is empty", where=str(path), expected=", ".join(columns))
    text = first[1].decode("utf-8-sig", errors="replace")
    header = next(csv.reader([text]))
    if not set(columns) <= set(header) or len(set(header)) != len(header):
        raise ConfigError(
            "an input file has another header", where=str(path), expected=", ".join(columns), got=text.strip()
        )
    return header


def _cells(first: tuple[int, bytes], lines: _Lines, width: int) -> tuple[list[str], str | None]:
    raw = first[1]
    if len(raw) >= MAX_LINE:
        return [], "line too long"
    more: list[tuple[int, bytes]] = []
    if b'"' in raw:
        quotes = raw.count(b'"')
        while quotes % 2 and len(more) < MAX_LINES and (following := lines.take()) is not None:
            more.append(following)
            quotes += following[1].count(b'"')
        raw += b"".join(line for _, line in more)
        cells, problem = ([], "unclosed quote") if quotes % 2 else _quoted(raw)
    else:
        cells, problem = _plain(raw)
    if problem is None and len(cells) != width:
        problem = "wrong number of columns"
    if problem is not None:
        lines.give_back(more)
    return cells, problem


def _plain(raw: bytes) -> tuple[list[str], str | None]:
    try:
        return raw.decode().rstrip("\r\n").split(","), None
    except UnicodeDecodeError:
        return [], "not UTF-8"


def _quoted(raw: bytes) -> tuple[list[str], str | None]:
    try:
        rows = list(csv.reader([raw.decode()], strict=True))
    except UnicodeDecodeError:
        return [], "not UTF-8"
    except csv.Error:
        return [], "misplaced quote"
    return (rows[0], None) if len(rows) == 1 else ([], "misplaced quote")
