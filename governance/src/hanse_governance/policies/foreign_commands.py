"""MSG004."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView
from hanse_governance.words import imperative


class ForeignCommands(Policy):
    """No topic that other domains can read carries commands.

    A topic named in the imperative (`ship_order`) tells another domain what to do. Inside a saga a
    command goes to the domain's own service; between domains only facts travel.

    ## Examples

    Breaks it: the public topic `orders.reserve_stock`.

    Keeps it: the public topic `orders.order_placed`, to which the inventory reacts by reserving.
    """

    code = "MSG004"
    name = "functional-coupling"
    severity = "error"
    why = "Who sends commands across domains must know how the other domain works."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Topics by their names."""
        for name, topic in mesh.topics.items():
            if topic.access != "private" and not topic.external and imperative(topic.name):
                readers = [p.full_name for p in mesh.readers.get(name, ()) if p.domain != topic.domain]
                seen = f", read by {', '.join(readers)}" if readers else ""
                yield self.finding(
                    mesh.in_topic(topic),
                    name,
                    f"the {topic.access} topic {name} is named like a command{seen}",
                    fix="publish the fact that makes others act, in the past tense; or make it private",
                )
