"""SQL004."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class UnsupportedInput(Policy):
    """The platform can run the projection with the inputs that it has.

    ## Examples

    Breaks it: an input port that names another product, as long as products are made of topics only.

    Keeps it: the topics that the other product is made of.
    """

    code = "SQL004"
    name = "input-not-supported"
    severity = "error"
    why = "A product that passes every check and then cannot run surprises its team in production."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """What the platform says of a projection that is fine in itself."""
        for product in mesh.model.products:
            missing = mesh.plan(product).unsupported
            if missing is not None:
                name = next((s for s in product.inputs if s in mesh.products), "")
                yield self.finding(
                    mesh.in_product(product, "inputPorts", ("name", name)),
                    product.full_name,
                    missing.what,
                    fix=missing.advice,
                )
