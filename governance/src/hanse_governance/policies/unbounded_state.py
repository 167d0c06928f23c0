"""OPS006."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class UnboundedState(Policy):
    """Two topics of events are joined within a bound of time, or one of them is a state topic.

    A bound is an interval between their event times, a window that both are in, or a temporal join.

    ## Examples

    Breaks it: `FROM order_placed AS o JOIN order_paid AS p ON o.order_id = p.order_id`.

    Keeps it: the same with `AND p.paid_at BETWEEN o.placed_at AND o.placed_at + INTERVAL '30' DAY`.
    """

    code = "OPS006"
    name = "state-without-bound"
    severity = "warning"
    why = "A join that waits for ever keeps every event of both sides, and grows until the disk is full."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Open joins between topics of events."""
        for product in mesh.model.products:
            for pair in mesh.plan(product).open_joins:
                left, right = (mesh.topics.get(mesh.resolve(product.domain, name)) for name in pair)
                if left and right and left.kind == right.kind == "events":
                    yield self.finding(
                        mesh.in_sql(product),
                        product.full_name,
                        f"{product.full_name} joins {left.full_name} with {right.full_name} without a bound in time",
                        fix="bound the join by an interval or a window, or read a state topic",
                    )
