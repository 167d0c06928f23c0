"""OPS003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class OrphanTopic(Policy):
    """Each public topic is read by some product.

    Off unless a rules file gives it a severity, because a topic may also serve readers outside the mesh.

    ## Examples

    Breaks it: a topic `leads.follow_up_set` that no product reads.

    Keeps it: a product that reads it; or `access: private`.
    """

    code = "OPS003"
    name = "topic-without-reader"
    severity = "warning"
    optional = True
    why = "What nobody reads costs storage and care, and its owner cannot know when it may go."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Public topics without an edge."""
        for name, topic in mesh.topics.items():
            if topic.access == "public" and not mesh.readers.get(name):
                yield self.finding(
                    mesh.in_topic(topic),
                    name,
                    f"no product reads {name}",
                    fix="make a product of it, or make it private",
                )
