"""MSG006."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Parameter, Policy
from hanse_governance.view import MeshView


class ChainDepth(Policy):
    """A product is not further from its events than the limit, counted in products.

    ## Examples

    Breaks it, with a depth of 2: `c` reads `b`, `b` reads `a`, `a` reads a topic.

    Keeps it: `c` reads the topic and joins what it needs.
    """

    code = "MSG006"
    name = "chain-too-deep"
    severity = "warning"
    why = "Each step adds its delay and its failures; a long chain is late whenever one of its links is."
    parameters = (Parameter("depth", 5, "lower", "products from the topic to the last one, both counted"),)

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """The longest chain of each product that exceeds its domain's limit."""
        chains: dict[str, tuple[str, ...]] = {}
        for product in mesh.model.products:
            chain = self._chain(mesh, product.full_name, chains, ())
            limit = mesh.parameter(self, "depth", product.domain)
            if len(chain) > limit:
                yield self.finding(
                    mesh.in_product(product, "inputPorts"),
                    product.full_name,
                    f"{len(chain)} products in a row, at most {limit} allowed: {' → '.join(chain)}",
                    fix="read closer to the source",
                )

    def _chain(
        self, mesh: MeshView, name: str, known: dict[str, tuple[str, ...]], above: tuple[str, ...]
    ) -> tuple[str, ...]:
        if name not in known:
            product = mesh.products[name]
            if len(above) > 200:
                return (name,)
            inputs = [s for s in product.inputs if s in mesh.products and s != name and s not in above]
            before = [self._chain(mesh, s, known, (*above, name)) for s in inputs]
            known[name] = (*max(before, key=len, default=()), name)
        return known[name]
