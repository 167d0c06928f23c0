"""Collects the commands that the rows of files lead to, and plays them in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hanse.domain.demo import Row, SetAside, Timed
from hanse.domain.messages import Command
from hanse.errors import CommandRejected

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Script:
    """Commands and rows set aside, put in any order; iterating gives them by time, rows set aside first.

    `origin` begins the identity of every command, so that equal names of two inputs differ.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._timed: list[tuple[datetime, int, Timed]] = []
        self._aside: list[tuple[tuple[Row, ...], str]] = []

    def put(self, at: datetime, stage: int, rows: tuple[Row, ...], command: Command, name: str) -> None:
        """Send the command at that moment; among those of one moment the lower `stage` comes first."""
        self._timed.append((at, stage, Timed(at, rows, command, f"{self._origin}/{name}")))

    def set_aside(self, reason: str, *rows: Row) -> None:
        """Note that no command, or not every one, can be made of these rows."""
        self._aside.append((rows, reason))

    def __iter__(self) -> Iterator[Timed]:
        self._timed.sort(key=lambda entry: entry[:2])
        start = self._timed[0][0] if self._timed else _EPOCH
        yield from (Timed(start, rows, SetAside(reason)) for rows, reason in self._aside)
        yield from (entry[2] for entry in self._timed)


def reason(error: CommandRejected | ValueError, otherwise: str) -> str:
    """Why a row was set aside: the rule that refused one of its values, or `otherwise`."""
    return error.rule if isinstance(error, CommandRejected) else otherwise
