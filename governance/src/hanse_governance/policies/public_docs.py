"""SCH004."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView, SchemaFile


class PublicDocs(Policy):
    """Each field of a public topic has a `doc`, and each column of a contract a `description`.

    ## Examples

    Breaks it: `{"name": "total", "type": "double"}` in the schema of a public topic.

    Keeps it: `{"name": "total", "type": "double", "doc": "What the customer pays, with tax, in BRL."}`.
    """

    code = "SCH004"
    name = "public-field-undocumented"
    severity = "warning"
    why = "A reader in another domain has only these words to know what a number means."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Topics, then contracts."""
        for name, schema in mesh.schemas.items():
            if schema.topic.access == "public":
                yield from self._fields(mesh, name, schema)
        for product in mesh.model.products:
            if product.access == "private":
                continue
            for column in product.contract.columns:
                if not column.description.strip():
                    yield self.finding(
                        mesh.in_column(product, column.name),
                        product.full_name,
                        f"the column {column.name} of {product.full_name} has no description",
                        fix="say what it means and in which unit",
                    )

    def _fields(self, mesh: MeshView, name: str, schema: SchemaFile) -> Iterator[Finding]:
        for field in schema.fields:
            if not str(field.get("doc", "")).strip():
                yield self.finding(
                    mesh.in_schema(schema.topic, "fields", ("name", field["name"])),
                    name,
                    f"the field {field['name']} of {name} has no doc",
                    fix="say what it means and in which unit",
                )
