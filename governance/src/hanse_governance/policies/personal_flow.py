"""PII002."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.model.mesh import Product
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class PersonalFlow(Policy):
    """A column that comes from personal data is classified so in its contract, whatever it is called.

    The SQL's column lineage is followed from fields with `hanse.personal`, and from classified columns
    of other products, into every product downstream.

    ## Examples

    Breaks it: `SELECT email AS contact FROM customers` with an unclassified column `contact`.

    Keeps it: `{name: contact, classification: personal}`; or `COUNT(email)`, which is no longer personal.
    """

    code = "PII002"
    name = "personal-data-flows-unclassified"
    severity = "error"
    why = "A new name does not make data harmless; masks and erasure follow the classification."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Products in any order: each is judged against the classification of what it reads."""
        for product in mesh.model.products:
            for column in product.contract.columns:
                if not column.open:
                    continue
                source = self._personal_source(mesh, product, column.name)
                if source:
                    yield self.finding(
                        mesh.in_column(product, column.name),
                        product.full_name,
                        f"{column.name} of {product.full_name} is personal: it comes from {source}",
                        fix="set `classification: personal`, or do not select it",
                        columns=(column.name,),
                    )

    def _personal_source(self, mesh: MeshView, product: Product, column: str) -> str | None:
        for table, field in mesh.plan(product).seen_in(column):
            name = mesh.resolve(product.domain, table)
            schema = mesh.schemas.get(name)
            if schema and any(f["name"] == field and "hanse.personal" in f for f in schema.fields):
                return f"{name}.{field}"
            read = mesh.products.get(name)
            if read and any(c.name == field and not c.open for c in read.contract.columns):
                return f"{name}.{field}"
        return None
