"""MSG005."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hanse.model.mesh import Product
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class DuplicatedRules(Policy):
    """The same business rule is not computed by two domains.

    A rule is a CASE expression, or a filter that compares a column with several literals. Column names
    count, table aliases and formatting do not.

    ## Examples

    Breaks it: `orders.late_orders` and `shipping.late_parcels` both hold
    `CASE WHEN delivered_at > promised_at THEN 'late' ELSE 'on time' END`.

    Keeps it: one of them publishes the verdict as a column, the other reads it.
    """

    code = "MSG005"
    name = "rule-in-two-domains"
    severity = "warning"
    why = "A rule that lives in two places changes in one of them, and the two then disagree."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """One finding for each later copy of a rule."""
        owners: defaultdict[str, list[Product]] = defaultdict(list)
        for product in mesh.model.products:
            for rule in mesh.plan(product).fingerprints:
                owners[rule].append(product)
        for rule, products in owners.items():
            first = products[0]
            for product in products[1:]:
                if product.domain != first.domain:
                    short = rule if len(rule) <= 80 else f"{rule[:77]}..."
                    yield self.finding(
                        mesh.in_sql(product),
                        product.full_name,
                        f"{product.full_name} computes the same rule as {first.full_name}: {short}",
                        fix="let the domain that owns the rule publish its result, and read that",
                    )
