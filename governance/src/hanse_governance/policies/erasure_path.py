"""PII003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class ErasurePath(Policy):
    """`hanse.personal` names a field of the same record that tells whose data it is, and the value is a text.

    ## Examples

    Breaks it: `{"name": "email", "type": "string", "hanse.personal": "customer"}` when the record has
    `customer_id` only.

    Keeps it: `"hanse.personal": "customer_id"`.
    """

    code = "PII003"
    name = "erasure-path-broken"
    severity = "error"
    why = "Personal values are encrypted with their subject's key; without a subject nobody is forgotten."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Each personal field."""
        for name, schema in mesh.schemas.items():
            fields = {str(f["name"]): f for f in schema.fields}
            for field_name, field in fields.items():
                subject = field.get("hanse.personal")
                if subject is None:
                    continue
                at = mesh.in_schema(schema.topic, "fields", ("name", field_name), "hanse.personal")
                if not isinstance(subject, str) or subject not in fields:
                    what = f"the personal field {field_name} of {name} belongs to {subject!r}, no field"
                    yield self.finding(at, name, what, fix=f"name one of: {', '.join(fields)}")
                elif "hanse.personal" in fields[subject]:
                    what = f"the subject {subject} of {field_name} in {name} is itself personal"
                    yield self.finding(at, name, what, fix="name the subject's id, which is not encrypted")
                elif field.get("type") not in ("string", ["null", "string"], ["string", "null"]):
                    what = f"the personal field {field_name} of {name} is no text, so it cannot be encrypted"
                    yield self.finding(at, name, what, fix='make its type "string"')
