"""SCH006."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse.model.mesh import Topic
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView, SchemaFile


class EventMetadata(Policy):
    """A topic's key and event time are fields of its schema; the time is a timestamp, the key is never null.

    ## Examples

    Breaks it: `event_time: placed_at` when `placed_at` is a `string`.

    Keeps it: `{"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}`.
    """

    code = "SCH006"
    name = "event-metadata-missing"
    severity = "error"
    why = "Without its key records lose their order, without its time windows cannot close."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Each topic with an Avro schema; an event topic without event time as well."""
        for name, schema in mesh.schemas.items():
            if schema.kind != "AVRO" or not schema.fields:
                continue
            fields = {str(f["name"]): f for f in schema.fields}
            yield from self._keys(mesh, name, schema, fields)
            yield from self._time(mesh, name, schema.topic, fields)

    def _keys(
        self, mesh: MeshView, name: str, schema: SchemaFile, fields: dict[str, dict[str, Any]]
    ) -> Iterator[Finding]:
        for key in schema.topic.key:
            if key not in fields:
                yield self.finding(
                    mesh.in_topic(schema.topic, "key"),
                    name,
                    f"the key {key} of {name} is no field of its schema",
                    fix=f"one of: {', '.join(fields)}",
                )
            elif isinstance(fields[key].get("type"), list) and "null" in fields[key]["type"]:
                yield self.finding(
                    mesh.in_schema(schema.topic, "fields", ("name", key), "type"),
                    name,
                    f"the key {key} of {name} may be null",
                    fix="make it required",
                )

    def _time(
        self, mesh: MeshView, name: str, topic: Topic, fields: dict[str, dict[str, Any]]
    ) -> Iterator[Finding]:
        time = topic.event_time
        if time is None:
            if topic.kind == "events" and not topic.external:
                yield self.finding(
                    mesh.in_topic(topic),
                    name,
                    f"the events of {name} have no event time",
                    fix="declare `event_time` with the field that says when it happened",
                )
        elif time not in fields:
            yield self.finding(
                mesh.in_topic(topic, "event_time"),
                name,
                f"the event time {time} of {name} is no field of its schema",
                fix=f"one of: {', '.join(fields)}",
            )
        elif not _timestamp(fields[time].get("type")):
            yield self.finding(
                mesh.in_schema(topic, "fields", ("name", time), "type"),
                name,
                f"the event time {time} of {name} is not a timestamp",
                fix='use {"type": "long", "logicalType": "timestamp-millis"}',
            )


def _timestamp(kind: Any) -> bool:
    branches: list[Any] = kind if isinstance(kind, list) else [kind]
    return any(isinstance(b, dict) and "timestamp" in str(b.get("logicalType", "")) for b in branches)
