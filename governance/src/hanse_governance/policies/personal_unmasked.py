"""PII004."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse.model.mesh import Product
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

_CLOSED = frozenset({"personal", "pii", "sensitive"})


class PersonalUnmasked(Policy):
    """A public product shows a column that is classified as personal only masked or as ciphertext.

    It is masked when its classification is personal or pii, or its custom property `mask` says hash or null.
    It is ciphertext when it comes from event fields with `hanse.personal` alone, or when the contract
    names the readable column elsewhere by `encryptedName`.

    ## Examples

    Breaks it: a public product with a column `{name: phone, classification: personal}` whose custom property
    `mask` is none, from a plain event field.

    Keeps it: the event field has `"hanse.personal": "customer_id"`; or the product is `protected`.
    """

    code = "PII004"
    name = "personal-data-unmasked"
    severity = "error"
    why = "A public product is read by everybody, and what was read once cannot be taken back."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Personal columns of public products whose values can be read."""
        for product in mesh.model.products:
            if product.access != "public":
                continue
            for column in product.contract.columns:
                closed = (column.classification or "").lower() in _CLOSED and not column.mask
                plain = self._plain_source(mesh, product, column.name) if closed else None
                if plain and not _encrypted(product, column.name):
                    yield self.finding(
                        mesh.in_column(product, column.name, "classification"),
                        product.full_name,
                        f"{column.name} of the public product {product.full_name} is {column.classification} "
                        f"and readable: {plain} is not encrypted",
                        fix="mask it, encrypt the field at its source by `hanse.personal`, or make the product protected",
                    )

    def _plain_source(self, mesh: MeshView, product: Product, column: str) -> str | None:
        """A field that is not encrypted and whose values the column shows."""
        for table, field in mesh.plan(product).seen_in(column):
            schema = mesh.schemas.get(mesh.resolve(product.domain, table))
            if schema and any(f["name"] == field and "hanse.personal" not in f for f in schema.fields):
                return f"{schema.topic.full_name}.{field}"
        return None


def _encrypted(product: Product, column: str) -> bool:
    tables: Any = product.contract.document.get("schema") or []
    entries = [e for table in tables for e in table.get("properties") or []]
    return any(e.get("name") == column and e.get("encryptedName") for e in entries)
