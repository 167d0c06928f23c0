"""How many records a batch takes: as many as it can within the time it should, for latency; else many, for throughput."""

from __future__ import annotations

LEAST = 1_000
MOST = 100_000
GROWTH = 2.0
"""A batch is at most this many times the one before, and at least that part of it."""


class Pace:
    """The size of the next batch, towards batches of `seconds`; without them always `most` records."""

    def __init__(self, seconds: float | None = None, most: int = MOST) -> None:
        self.seconds = seconds
        self.most = most
        self.size = most if seconds is None else min(10 * LEAST, most)

    def took(self, records: int, seconds: float) -> None:
        """Learn from a batch. One that was not full says nothing about a larger one."""
        if self.seconds is None or not records:
            return
        wanted = records * self.seconds / max(seconds, 1e-6)
        if records < self.size and wanted > self.size:
            return
        wanted = min(max(wanted, self.size / GROWTH), self.size * GROWTH)
        self.size = round(min(max(wanted, LEAST), self.most))
