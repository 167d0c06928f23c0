"""Given a stream, then these rows stand in the product.

given("CREATE TABLE o (state STRING); SELECT state, COUNT(*) AS n FROM o GROUP BY state", o=[["open"]]).then(
    ("open", 1)
)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hanse.testing.harness import ProjectionHarness


class GivenStream:
    """A projection that was fed."""

    def __init__(self, program: str, streams: Mapping[str, Sequence[Any]]) -> None:
        self._program = program
        self._batches = [streams]

    def when(self, **streams: Sequence[Any]) -> GivenStream:
        """Feed more rows, in a batch of their own."""
        self._batches.append(streams)
        return self

    def then(self, *expected: tuple[Any, ...]) -> None:
        """Assert exactly these rows, in any order."""
        with ProjectionHarness(self._program) as harness:
            for batch in self._batches:
                for source, rows in batch.items():
                    harness.feed(source, rows)
            got = harness.rows()
        order = sorted(got, key=repr)
        assert order == sorted(expected, key=repr), f"expected {list(expected)!r}, got {order!r}"
