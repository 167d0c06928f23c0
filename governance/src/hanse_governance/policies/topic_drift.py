"""OPS004."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class TopicDrift(Policy):
    """A topic's key, number of partitions and kind stay as they are.

    Needs `--base`.

    ## Examples

    Breaks it: `partitions: 4` on the base, `partitions: 8` now.

    Keeps it: a new topic with eight partitions, to which readers move.
    """

    code = "OPS004"
    name = "topic-settings-drift"
    severity = "error"
    why = "Another partition count or key sends a key's next record to another partition: its order is lost."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Topics on both sides."""
        for name, topic in mesh.topics.items():
            before = mesh.base.topics.get(name) if mesh.base else None
            if before is None or topic.external:
                continue
            for setting in ("key", "partitions", "kind"):
                old, new = getattr(before, setting), getattr(topic, setting)
                if old != new:
                    yield self.finding(
                        mesh.in_topic(topic, setting),
                        name,
                        f"{setting} of {name} goes from {_text(old)} to {_text(new)}",
                        fix="make a new topic with the new setting and let readers move",
                        breaking=True,
                    )


def _text(value: object) -> str:
    return "|".join(value) if isinstance(value, tuple) else str(value)
