"""MSG002."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.graph import cycles
from hanse_governance.policy import Policy
from hanse_governance.view import Edge, MeshView


class DomainCycles(Policy):
    """No domain reads, directly or through others, from a domain that reads from it.

    ## Examples

    Breaks it: `orders.orders_by_customer` reads `customers.customers` and
    `customers.best_customers` reads `orders.order_placed`.

    Keeps it: both are joined in a third domain that is made for the question.
    """

    code = "MSG002"
    name = "domain-cycle"
    severity = "warning"
    why = "Domains in a cycle can only be changed, rebuilt and released together."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """One finding a cycle, with the reads that make it."""
        edges: dict[tuple[str, str], Edge] = {}
        graph: defaultdict[str, set[str]] = defaultdict(set)
        for edge in mesh.crossing():
            if mesh.known(edge.source):
                graph[edge.product.domain].add(edge.source_domain)
                edges.setdefault((edge.product.domain, edge.source_domain), edge)
        for cycle in cycles(graph):
            pairs = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
            path = "; ".join(f"{edges[p].product.full_name} reads {edges[p].source}" for p in pairs)
            first = edges[pairs[0]]
            yield self.finding(
                mesh.in_product(first.product, "inputPorts", ("name", first.source)),
                first.product.full_name,
                f"{' → '.join([*cycle, cycle[0]])} is a cycle of domains: {path}",
                fix="move one of these products into a domain that only consumes",
            )
