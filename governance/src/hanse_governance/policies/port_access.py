"""MSG001."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.model.mesh import closed
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class PortAccess(Policy):
    """A product reads another domain only through its public ports, or through a protected product.

    `private` topics and products are for their own domain. A `protected` topic is for its own domain
    too; a `protected` product may be read by other domains' products, under its contract, but is not
    offered to everyone.

    ## Examples

    Breaks it: `reporting.revenue` reads the private topic `orders.order_events`.

    Keeps it: it reads the public topic `orders.order_placed`.
    """

    code = "MSG001"
    name = "implementation-coupling"
    severity = "error"
    why = "What is private may change any day; whoever reads it is coupled to how the domain works inside."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Each reading edge across a domain's border."""
        for edge in mesh.crossing():
            source = mesh.topics.get(edge.source) or mesh.products.get(edge.source)
            if source is not None and closed(source):
                yield self.finding(
                    mesh.in_product(edge.product, "inputPorts", ("name", edge.source)),
                    edge.product.full_name,
                    f"{edge.product.full_name} reads {edge.source}, {source.access} to {edge.source_domain}",
                    fix=f"read a public topic or product of {edge.source_domain}, or ask its team for one",
                )
