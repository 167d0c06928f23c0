"""SCH002."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

_BREAKS = {
    "backward": "new readers cannot read the events that are already there",
    "forward": "today's readers cannot read new events",
}


class SchemaCompatible(Policy):
    """A changed event schema can be read with the old one and reads what the old one wrote.

    Compared is the schema at the base git ref: in both directions (FULL) for public topics, backward for
    the others. Needs `--base`.

    ## Examples

    Breaks it: a new field without `default`; a removed field that had none; `int` becomes `string`.

    Keeps it: a new field with a `default`.
    """

    code = "SCH002"
    name = "schema-incompatible"
    severity = "error"
    why = "Events stay for years and are read by code of every age between."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Topics on both sides whose schema text differs."""
        if mesh.base is None:
            return
        for name, schema in mesh.schemas.items():
            before = mesh.base.schemas.get(name)
            if before is None or before.text == schema.text or schema.topic.external:
                continue
            known = {str(f["name"]) for f in (*schema.fields, *before.fields)}
            mode = "FULL" if schema.topic.access == "public" else "BACKWARD"
            for found in mesh.incompatibilities(name, mode):
                field = found.path.removeprefix("$.").split(".")[0].split("[")[0]
                yield self.finding(
                    mesh.in_schema(schema.topic, "fields", ("name", field)),
                    name,
                    f"{name} {found.path}: {found.message} ({found.kind}): {_BREAKS[found.direction]}",
                    fix="give the field a default, or publish the new form as a topic of its own",
                    breaking=True,
                    columns=(field,) if field in known else (),
                )
