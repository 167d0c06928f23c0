"""PRD001."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class ReferencesResolve(Policy):
    """Every input port names a topic or a product of the mesh, and every topic's schema file exists.

    ## Examples

    Breaks it: `inputPorts: [{name: orders.order_place, …}]` when the topic is `orders.order_placed`.

    Keeps it: `inputPorts: [{name: orders.order_placed, …}]`.
    """

    code = "PRD001"
    name = "reference-unresolved"
    severity = "error"
    why = "A product whose source does not exist cannot run, and lineage through it is a guess."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Inputs first, then schema files."""
        broken = {problem.subject for problem in mesh.problems}
        names = [*mesh.topics, *mesh.products]
        for product in mesh.model.products:
            for source in product.inputs:
                if not mesh.known(source) and source not in broken and source.split(".")[0] not in broken:
                    close = get_close_matches(source, names, 1)
                    hint = f"did you mean {close[0]}?" if close else "declare the topic in its domain.yaml"
                    yield self.finding(
                        mesh.in_product(product, "inputPorts", ("name", source)),
                        product.full_name,
                        f"{product.full_name} reads {source}, which no domain publishes",
                        fix=hint,
                    )
        for problem in mesh.problems:
            if problem.code == self.code:
                yield self.finding(problem.at, problem.subject, problem.what, fix=problem.fix)
