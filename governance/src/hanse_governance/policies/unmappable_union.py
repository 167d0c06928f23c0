"""SCH005."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class UnmappableUnion(Policy):
    """A field's type is one type, or one type and null.

    ## Examples

    Breaks it: `"type": ["null", "string", "long"]`.

    Keeps it: `"type": ["null", "string"]`.
    """

    code = "SCH005"
    name = "union-not-mappable"
    severity = "error"
    why = "A column has one type: SQL and Parquet have no place for a value that is now a text, now a number."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Top-level fields, and those of nested records."""
        for name, schema in mesh.schemas.items():
            for field in schema.fields:
                union = _wide_union(field.get("type"), 0)
                if union:
                    yield self.finding(
                        mesh.in_schema(schema.topic, "fields", ("name", field["name"]), "type"),
                        name,
                        f"the field {field['name']} of {name} is a union of {', '.join(union)}",
                        fix="take one type, or a field for each",
                    )


def _wide_union(kind: Any, depth: int) -> list[str]:
    if depth > 20:
        return []
    if isinstance(kind, list):
        branches = [b for b in kind if b != "null"]
        if len(branches) > 1:
            return [_name(b) for b in branches]
        return _wide_union(branches[0], depth + 1) if branches else []
    if isinstance(kind, dict):
        inner: list[Any] = [f.get("type") for f in kind.get("fields", []) if isinstance(f, dict)]
        inner += [kind[k] for k in ("items", "values") if k in kind]
        inner += [kind["type"]] if isinstance(kind.get("type"), (list, dict)) else []
        return next((found for i in inner if (found := _wide_union(i, depth + 1))), [])
    return []


def _name(branch: Any) -> str:
    return str(branch.get("name") or branch.get("type")) if isinstance(branch, dict) else str(branch)
