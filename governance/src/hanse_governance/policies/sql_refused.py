"""SQL001."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class SqlRefused(Policy):
    """The planner accepts every projection: it parses, its names resolve, its state stays bounded.

    ## Examples

    Breaks it: `SELECT RANDOM() FROM order_placed`, or an aggregate over a column that is not there.

    Keeps it: `SELECT state, COUNT(*) AS orders FROM order_placed GROUP BY state`.
    """

    code = "SQL001"
    name = "projection-refused"
    severity = "error"
    why = "A projection that cannot be planned cannot be kept up to date, so the product would never run."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """The planner's refusal, with its place in projection.sql."""
        for product in mesh.model.products:
            refusal = mesh.plan(product).refusal
            if refusal is not None:
                yield self.finding(
                    mesh.in_sql(product, refusal.line, refusal.column),
                    product.full_name,
                    refusal.what,
                    fix=refusal.advice,
                )
