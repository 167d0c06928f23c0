"""SQL003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class InputsDeclared(Policy):
    """The input ports in `product.yaml` are exactly the topics and products that the SQL reads.

    ## Examples

    Breaks it: the SQL joins `customers.customers`, and `inputPorts` has only `orders.order_placed`.

    Keeps it: one input port for each table in the SQL, and no other.
    """

    code = "SQL003"
    name = "inputs-differ-from-projection"
    severity = "error"
    why = "Lineage, impact and access are worked out from the input ports; they must tell the truth."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Undeclared reads, then declared inputs that nothing reads."""
        for product in mesh.model.products:
            plan = mesh.plan(product)
            if not plan.tables:
                continue
            read = set(mesh.reads(product))
            for name in sorted(read - set(product.inputs)):
                yield self.finding(
                    mesh.in_product(product, "inputPorts"),
                    product.full_name,
                    f"the projection reads {name}, which is no input port",
                    fix=f"add an input port named {name}",
                )
            for name in sorted(set(product.inputs) - read):
                yield self.finding(
                    mesh.in_product(product, "inputPorts", ("name", name)),
                    product.full_name,
                    f"the input port {name} is read by nothing",
                    fix="remove the port, or read it in the projection",
                )
