"""Topics that exist with other settings than their domain declares: each setting, and both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.log.declared import differing, spec_of
from hanse.model.mesh import Topic
from hanse.ports.event_log import TopicSpec


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (TopicSpec("orders.state", 2, "compact"), []),
        (TopicSpec("orders.state", 2), [("cleanup", "compact", "delete")]),
        (
            TopicSpec("orders.state", 3, "compact", retention_ms=5, retention_bytes=7),
            [("partitions", 2, 3), ("retention_ms", None, 5), ("retention_bytes", None, 7)],
        ),
    ],
)
def test_each_setting_that_differs(tmp_path: Path, there: TopicSpec, expected: list[object]) -> None:
    state = Topic("orders", "state", tmp_path, ("id",), kind="state", partitions=2)
    assert differing(state, there) == expected
    assert differing(state, spec_of(state)) == []
