"""PRD006."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding, Location
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class ProductRemoved(Policy):
    """A product or a public topic that readers may use is not deleted or renamed.

    Needs `--base`. Drafts, proposals and retired products may go, and so may private topics.

    ## Examples

    Breaks it: the folder `products/orders_by_state` is renamed to `products/orders_per_state`.

    Keeps it: the new product beside the old one, which is deprecated and later retired.
    """

    code = "PRD006"
    name = "product-removed"
    severity = "error"
    why = "For its readers a renamed product is a missing one."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """What the base has and this version has not. A broken file is not a removed one."""
        if mesh.base is None:
            return
        broken = {problem.subject for problem in mesh.problems}
        for name, product in mesh.base.products.items():
            gone = name not in mesh.products and not broken & {name, product.domain}
            if gone and product.lifecycle in ("active", "deprecated"):
                path = mesh.base.locator.relative(product.directory / "product.yaml")
                yield self.finding(
                    Location(path),
                    name,
                    f"the {product.lifecycle} product {name} is gone",
                    fix="keep it, deprecate it, and delete it when it is retired",
                    breaking=True,
                )
        for name, topic in mesh.base.topics.items():
            if name not in mesh.topics and topic.domain not in broken and topic.access == "public":
                path = mesh.base.locator.relative(mesh.base.domains[topic.domain].directory / "domain.yaml")
                yield self.finding(
                    Location(path),
                    name,
                    f"the public topic {name} is gone",
                    fix="keep it until no product of another domain reads it",
                    breaking=True,
                )
