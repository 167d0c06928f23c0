"""Rows behind the watermark are set aside with the watermark that they came behind."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hanse.testing import ProjectionHarness

PROGRAM = """
CREATE TABLE e (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('changelog-mode' = 'I');
SELECT k, window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND))
GROUP BY k, window_start, window_end
"""
ROWS = [
    ["a", "2024-01-01T00:00:03"],
    ["b", "2024-01-01T00:00:09"],
    ["c", "2024-01-01T00:00:08"],
    ["d", "2024-01-01T00:00:04"],
]


def late(harness: ProjectionHarness) -> list[Any]:
    """The late rows: arrival, milliseconds of the watermark in its minute, key."""
    table = harness.engine.late_rows("e")
    found = harness.engine.con.execute(f"SELECT _seq, _watermark % 60000, k FROM {table} ORDER BY _seq")
    return cast("list[Any]", found.fetchall())


@pytest.mark.parametrize("size", [1, 2, 4])
def test_late_rows_are_kept_aside_for_every_batch_size(size: int) -> None:
    with ProjectionHarness(PROGRAM, emission="closed", late="drop") as harness:
        for at in range(0, len(ROWS), size):
            harness.feed("e", ROWS[at : at + size])
            harness.restart()
        assert late(harness) == [(3, 8000, "c"), (4, 8000, "d")]
        harness.end_of_input()
        # c came late, but its window was open; d's had closed
        assert sorted((k, n) for k, _, _, n in harness.rows()) == [("a", 1), ("b", 1), ("c", 1)]


def test_kept_late_rows_are_not_set_aside() -> None:
    with ProjectionHarness(PROGRAM) as harness:
        assert harness.engine.late_rows("e") is None
