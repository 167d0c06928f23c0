"""MSG003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.graph import cycles
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class ProductCycles(Policy):
    """No product reads itself, directly or through other products.

    ## Examples

    Breaks it: `a.x` reads `a.y` and `a.y` reads `a.x`.

    Keeps it: products form a graph without cycles.
    """

    code = "MSG003"
    name = "product-cycle"
    severity = "error"
    why = "Products in a cycle wait for each other, and none can ever be rebuilt from its sources."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """One finding a cycle."""
        graph = {
            name: {s for s in {*p.inputs, *mesh.reads(p)} if s in mesh.products}
            for name, p in mesh.products.items()
        }
        for cycle in cycles(graph):
            product = mesh.products[cycle[0]]
            source = cycle[1] if len(cycle) > 1 else cycle[0]
            yield self.finding(
                mesh.in_product(product, "inputPorts", ("name", source)),
                product.full_name,
                f"products read each other in a circle: {' → '.join([*cycle, cycle[0]])}",
                fix="take one of these reads out",
            )
