"""How many requests a minute each person may send: a bucket that fills evenly."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable

from hanse.errors import ConfigError

VARIABLE = "HANSE_CATALOG_RATE"
_PERSONS = 10_000


class Rates:
    """A bucket for each person. `per_minute` requests fit into it; 0 sets no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @classmethod
    def from_environment(cls) -> Rates:
        """`HANSE_CATALOG_RATE`, requests a minute; no limit without it. Raises ConfigError."""
        text = os.environ.get(VARIABLE, "0")
        if not text.isdigit() or int(text) > 1_000_000:
            raise ConfigError(f"{VARIABLE} is not a number", expected="0 to 1000000 a minute", got=text[:40])
        return cls(int(text))

    def wait(self, person: str) -> float:
        """0 when the person may go on, else the seconds until then."""
        if not self.per_minute:
            return 0.0
        now = self._clock()
        left, at = self._buckets.pop(person, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - at) * self.per_minute / 60)
        allowed = left >= 1
        self._buckets[person] = (left - 1 if allowed else left, now)
        while len(self._buckets) > _PERSONS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute
