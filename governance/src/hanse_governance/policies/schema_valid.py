"""SCH001."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

_FIELD = re.compile(r"\$\.(\w+)")


class SchemaValid(Policy):
    """Each topic's schema file is a schema of its format: Avro, JSON Schema or Protobuf.

    ## Examples

    Breaks it: `{"name": "total", "type": "money"}`, a type that Avro does not know.

    Keeps it: `{"name": "total", "type": "double"}`.
    """

    code = "SCH001"
    name = "schema-invalid"
    severity = "error"
    why = "Events under a schema that cannot be read are bytes without meaning."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """What the parser of the format says."""
        for name, schema in mesh.schemas.items():
            problem = mesh.schema_problem(name)
            if problem:
                found = _FIELD.search(problem)
                steps = ("fields", ("name", found[1])) if found else ()
                yield self.finding(
                    mesh.in_schema(schema.topic, *steps),
                    name,
                    f"the schema of {name}: {problem}",
                    fix="correct the schema",
                )
