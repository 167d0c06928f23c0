"""Batches follow the time that they should take."""

from __future__ import annotations

import pytest

from hanse.projection.pace import LEAST, MOST, Pace


def run(pace: Pace, rate: float, batches: int) -> None:
    for _ in range(batches):
        pace.took(pace.size, pace.size / rate)


@pytest.mark.parametrize(("rate", "size"), [(100_000, 50_000), (20_000, 10_000), (10, LEAST), (1e9, MOST)])
def test_batches_take_the_time_they_should(rate: float, size: int) -> None:
    pace = Pace(0.5)
    run(pace, rate, 12)
    assert pace.size == pytest.approx(size, rel=0.01)


def test_without_a_time_batches_are_whole() -> None:
    pace = Pace()
    run(pace, 10, 5)
    assert pace.size == MOST


def test_a_batch_that_was_not_full_lets_none_grow() -> None:
    pace = Pace(1.0)
    before = pace.size
    pace.took(10, 0.001)
    assert pace.size == before


def test_one_slow_batch_halves_at_most() -> None:
    pace = Pace(1.0)
    before = pace.size
    pace.took(before, 1_000.0)
    assert pace.size == before // 2
