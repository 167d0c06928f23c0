"""OPS001."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class FreshnessCheck(Policy):
    """An active product's contract says how old its data may be, so that lateness is seen.

    ## Examples

    Breaks it: `slaProperties: [{property: retention, value: 10, unit: y}]` and nothing else.

    Keeps it: `slaProperties: [{property: latency, value: 15, unit: m}]`.
    """

    code = "OPS001"
    name = "no-freshness-check"
    severity = "warning"
    why = "A product that stands still looks exactly like one in which nothing happens."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Active products whose contract has service levels, but none of freshness."""
        for product in mesh.model.products:
            contract = product.contract
            if product.lifecycle == "active" and contract.freshness_ms is None:
                yield self.finding(
                    mesh.in_contract(product, "slaProperties"),
                    product.full_name,
                    f"the contract of {product.full_name} does not say how fresh its data is",
                    fix="add `{property: latency, value: 15, unit: m}` to slaProperties",
                )
