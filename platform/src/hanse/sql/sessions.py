"""Session windows of one key's rows, as Flink merges them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

Rows = list[int]


class _Open:
    """The sessions that are still open, apart from each other and in order of time."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.rows: list[Rows] = []
        self.shut: list[tuple[int, int, Rows]] = []

    def close(self, watermark: int) -> None:
        """Put away the sessions whose last millisecond the watermark has reached."""
        count = bisect_right(self.ends, watermark + 1)
        if count:
            self.shut += zip(self.starts[:count], self.ends[:count], self.rows[:count], strict=True)
            del self.starts[:count], self.ends[:count], self.rows[:count]

    def add(self, row: int, start: int, end: int, watermark: int) -> None:
        """Merge a row's window with all that it touches; alone and behind the watermark it is lost."""
        low, high = bisect_left(self.ends, start), bisect_right(self.starts, end)
        if low == high and end - 1 <= watermark:
            return
        touched = self.rows[low:high]
        rows = max(touched, key=len, default=[])
        for other in touched:
            if other is not rows:
                rows += other
        rows.append(row)
        if low < high:
            start, end = min(start, self.starts[low]), max(end, self.ends[high - 1])
        self.starts[low:high], self.ends[low:high], self.rows[low:high] = [start], [end], [rows]


def sessions(times: list[int], watermarks: list[int], gap: int) -> list[list[int] | None]:
    """Each row's session as [start, end) in milliseconds, None for a row that came too late.

    Rows are in order of arrival. As in Flink, a row's window [t, t + gap) merges with every open
    session that it touches, at exactly one gap too; sessions that the watermark has passed are gone.
    """
    if not times or watermarks[-1] < min(times) + gap - 1:
        return _by_gaps(times, gap)
    found = _Open()
    for row, (moment, watermark) in enumerate(zip(times, watermarks, strict=True)):
        found.close(watermark)
        found.add(row, moment, moment + gap, watermark)
    result: list[list[int] | None] = [None] * len(times)
    for start, end, rows in [*found.shut, *zip(found.starts, found.ends, found.rows, strict=True)]:
        session = [start, end]
        for row in rows:
            result[row] = session
    return result


def _by_gaps(times: list[int], gap: int) -> list[list[int] | None]:
    """The sessions when none closes before the last row is there: a new one begins after a longer gap."""
    result: list[list[int] | None] = [None] * len(times)
    session = [0, 0]
    for row in sorted(range(len(times)), key=times.__getitem__):
        moment = times[row]
        if session[1] == session[0] or moment > session[1]:
            session = [moment, moment + gap]
        session[1] = moment + gap
        result[row] = session
    return result
