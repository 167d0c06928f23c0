"""OPS005."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class QualityRules(Policy):
    """An active product's contract has at least one quality rule.

    ## Examples

    Breaks it: a contract with columns and no `quality`.

    Keeps it: `quality: [{metric: nullValues, mustBe: 0}]` on the column `state`.
    """

    code = "OPS005"
    name = "no-quality-rule"
    severity = "warning"
    why = "Without a rule nothing stands between a wrong projection and its readers."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Active products."""
        for product in mesh.model.products:
            if product.lifecycle == "active" and not product.contract.quality:
                yield self.finding(
                    mesh.in_contract(product, "schema", 0),
                    product.full_name,
                    f"the contract of {product.full_name} has no quality rule",
                    fix="add `quality: [{metric: rowCount, mustBeGreaterThan: 0}]` to its schema",
                )
