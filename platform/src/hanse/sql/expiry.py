"""What an interval join still remembers when a row comes late.

A row that is not late meets every partner. A late one meets only those that Flink's operator still
holds: a side forgets a key's rows when a timer of that key fires, or when a row of the other side comes
by, and a row that is too late itself is never held (`TimeIntervalJoin`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from hanse.sql.relation import LOWEST, Relation
from hanse.sql.windows import instant, row_watermark

NAME = "hanse_expiry"
"""The function's name in DuckDB."""


@dataclass(slots=True)
class _Held:
    """The rows of one side and key that are held, oldest time first, and whether a timer runs."""

    rows: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    timed: bool = False


class _Join:
    """The operator, by the rows of both sides in order of arrival; `reach[side]` is how far a row's partners go."""

    def __init__(self, count: int, low: int, high: int) -> None:
        self.reach = (-low, high)
        self.spare = (high - low) // 2
        self.gone = [count] * count
        self.sees = [True] * count
        self.held: dict[tuple[int, int], _Held] = {}
        self.timers: list[tuple[int, int, int]] = []
        self.expired = [LOWEST, LOWEST]
        self.now = LOWEST

    def advance(self, watermark: int, row: int) -> None:
        """Fire the timers that the watermark has reached before `row`."""
        self.now = max(self.now, watermark)
        while self.timers and self.timers[0][0] <= self.now:
            _, side, key = heapq.heappop(self.timers)
            held = self.held[(side, key)]
            held.timed = False
            self._forget(side, key, row)
            if held.rows:
                self._set_timer(side, key, held.rows[0][0])

    def take(self, row: int, side: int, key: int, time: int) -> None:
        """A row joins what the other side holds, and is held itself unless it is too late."""
        other = 1 - side
        last = time + self.reach[side]
        if self.expired[other] < last:
            self._forget(other, key, row + 1)
        else:
            self.sees[row] = False
        if self.now >= last:
            self.gone[row] = row + 1
            return
        held = self.held.setdefault((side, key), _Held())
        heapq.heappush(held.rows, (time, row))
        if not held.timed:
            self._set_timer(side, key, time)

    def _set_timer(self, side: int, key: int, time: int) -> None:
        self.held[(side, key)].timed = True
        heapq.heappush(self.timers, (time + self.reach[side] + self.spare + 1, side, key))

    def _forget(self, side: int, key: int, row: int) -> None:
        self.expired[side] = self.now - self.reach[side] - 1
        held = self.held.get((side, key))
        while held is not None and held.rows and held.rows[0][0] <= self.expired[side]:
            self.gone[heapq.heappop(held.rows)[1]] = row


def expiry(
    sides: list[int], keys: list[int], times: list[int], watermarks: list[int], low: int, high: int
) -> list[list[int]]:
    """For each row, in order of arrival: the first row that cannot meet it any more, and whether it meets any.

    Sides are 0 (left) and 1; times and watermarks (just before each row) are milliseconds, and
    `low` <= left - right <= `high`.
    """
    join = _Join(len(sides), low, high)
    for row, (side, key, time, watermark) in enumerate(zip(sides, keys, times, watermarks, strict=True)):
        join.advance(watermark, row)
        join.take(row, side, key, time)
    return [[gone, int(sees)] for gone, sees in zip(join.gone, join.sees, strict=True)]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an interval join: its relation, its alias, its event time and its keys (column names)."""

    relation: Relation
    ref: str
    time: str
    keys: tuple[str, ...]


def remembering(
    left: Side, right: Side, low: int, high: int, sources: Iterable[int], lag: int
) -> tuple[Relation, Relation, str]:
    """Both relations with what is known of each row's memory, and the condition that a pair meets."""
    mark = row_watermark(sources, lag=lag)
    parts = [
        f"SELECT {number} AS d, CAST(hash({', '.join(side.keys) or '0'}) % 9223372036854775807 AS BIGINT) AS k, "
        f"{instant(side.time)} AS t, {mark} AS w, _s FROM ({side.relation.sql}) WHERE {side.time} IS NOT NULL"
        for number, side in enumerate((left, right))
    ]
    events = (
        f"SELECT list(struct_pack(d, k, t, w, _s) ORDER BY _s) AS e FROM ({' UNION ALL '.join(parts)}) "
        "HAVING bool_or(t <= w)"
    )
    called = (
        f"{NAME}({', '.join(f'list_transform(e, lambda x: x.{name})' for name in 'dktw')}, {low}, {high})"
    )
    rows = f"SELECT unnest(e) AS e, unnest({called}) AS g, unnest(range(len(e))) AS i FROM ({events})"
    relations: list[Relation] = []
    for number, side in enumerate((left, right)):
        known = (
            f"SELECT e._s AS _at, min(i) AS _row, max(g[1]) AS _gone, max(g[2]) AS _sees FROM ({rows}) "
            f"WHERE e.d = {number} GROUP BY e._s"
        )
        text = (
            f"SELECT r.*, _row, _gone, _sees FROM ({side.relation.sql}) r LEFT JOIN ({known}) ON _at = r._s"
        )
        relations.append(side.relation.with_sql(text))
    one, other = left.ref, right.ref
    meets = (
        f"(CASE WHEN {one}._row < {other}._row THEN {other}._row < {one}._gone AND {other}._sees = 1 "
        f"WHEN {other}._row < {one}._row THEN {one}._row < {other}._gone AND {one}._sees = 1 ELSE TRUE END)"
    )
    return relations[0], relations[1], meets
