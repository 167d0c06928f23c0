"""PII001."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse.model.mesh import Column, Product
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView, SchemaFile
from hanse_governance.words import personal_reason, personal_value

_HARMLESS = frozenset({"boolean", "date", "timestamp", "integer", "number", "int", "long", "float", "double"})


class PersonalUnclassified(Policy):
    """A field that looks personal by its name or its samples says whether it is.

    Names are judged in English, German, French, Spanish, Portuguese, Italian, Dutch, Polish and Swedish;
    samples (`examples` in a contract) by their form: e-mail, telephone, IBAN, CPF, payment card. In an
    event schema the answer is `"hanse.personal": "<subject field>"`, which encrypts the value, or
    `"hanse.classification": "public"`; in a contract it is `classification`.

    ## Examples

    Breaks it: `{"name": "email", "type": "string"}`.

    Keeps it: `{"name": "email", "type": "string", "hanse.personal": "customer_id"}`, or the column
    `{name: email, classification: personal}`.
    """

    code = "PII001"
    name = "personal-data-unclassified"
    severity = "error"
    why = "What nobody has classified is not encrypted, not masked and cannot be forgotten."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Event schemas, then contracts."""
        for name, schema in mesh.schemas.items():
            yield from self._schema(mesh, name, schema)
        for product in mesh.model.products:
            for column in product.contract.columns:
                yield from self._column(mesh, product, column)

    def _schema(self, mesh: MeshView, name: str, schema: SchemaFile) -> Iterator[Finding]:
        for field in schema.fields:
            reason = personal_reason(str(field["name"]))
            judged = "hanse.personal" in field or "hanse.classification" in field
            if reason and not judged and _textual(field.get("type")):
                yield self.finding(
                    mesh.in_schema(schema.topic, "fields", ("name", field["name"])),
                    name,
                    f"the field {field['name']} of {name} looks personal: {reason}",
                    fix='add "hanse.personal": "<subject field>", or "hanse.classification": "public"',
                )

    def _column(self, mesh: MeshView, product: Product, column: Column) -> Iterator[Finding]:
        if column.classification:
            return
        dated = column.logical_type in ("date", "timestamp")
        reason = personal_reason(column.name)
        if reason and column.logical_type in _HARMLESS and not (dated and "birth" in reason):
            reason = None
        sample = next((k for v in _examples(product, column) if (k := personal_value(v))), None)
        if reason or sample:
            yield self.finding(
                mesh.in_column(product, column.name),
                product.full_name,
                f"the column {column.name} of {product.full_name} looks personal: "
                f"{reason or f'a sample is {sample}'}",
                fix="set `classification` (personal, confidential, … or public if it is not)",
            )


def _textual(kind: Any) -> bool:
    """Whether values are texts, whole records, or dates of birth (numbers and flags name nobody)."""
    branches: list[Any] = kind if isinstance(kind, list) else [kind]
    return any(b == "string" or isinstance(b, dict) for b in branches)


def _examples(product: Product, column: Column) -> list[Any]:
    for schema in product.contract.document.get("schema") or []:
        for entry in schema.get("properties") or []:
            if entry.get("name") == column.name:
                found: Any = entry.get("examples")
                return found[:20] if isinstance(found, list) else []
    return []
