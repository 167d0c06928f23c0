"""MSG007."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView, SchemaFile
from hanse_governance.words import event_verb, listed, words


class NotificationEvents(Policy):
    """A public event carries what its readers need, not only ids or an address to call back.

    ## Examples

    Breaks it: `order_placed {order_id, placed_at}`, or a field `details_url`.

    Keeps it: `order_placed {order_id, placed_at, customer_id, total}`; or `customer_forgotten`, where the
    verb says it all.
    """

    code = "MSG007"
    name = "temporal-coupling"
    severity = "warning"
    why = "Whoever must call back to understand an event depends on the other side being up at that moment."

    _CALL_BACK = frozenset({"url", "uri", "href", "callback", "endpoint", "webhook"})

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Public topics by their fields."""
        for name, schema in mesh.schemas.items():
            topic = schema.topic
            if topic.access != "public" or topic.external or not schema.fields:
                continue
            for field in schema.fields:
                if words(str(field["name"]))[-1:] and words(str(field["name"]))[-1] in self._CALL_BACK:
                    yield self.finding(
                        mesh.in_schema(topic, "fields", ("name", field["name"])),
                        name,
                        f"{name} carries an address to call back: {field['name']}",
                        fix="put the state itself into the event",
                    )
            if not self._tells(schema):
                yield self.finding(
                    mesh.in_schema(topic, "fields"),
                    name,
                    f"{name} carries only ids and times: readers must call back for the rest",
                    fix="add the state that readers need, or publish a `state` topic beside it",
                )

    def _tells(self, schema: SchemaFile) -> bool:
        """Whether a field says more than which thing and when, or the event's verb says it all."""
        topic = schema.topic
        verb = event_verb(topic.name)
        if verb is not None and words(topic.name)[verb] in listed("endings"):
            return True
        rest = [f for f in schema.fields if f["name"] not in topic.key and not _time(f)]
        return bool(rest)


def _time(field: dict[str, Any]) -> bool:
    kind: Any = field.get("type")
    branches: list[Any] = kind if isinstance(kind, list) else [kind]
    logical = [b.get("logicalType", "") for b in branches if isinstance(b, dict)]
    return any(str(text).startswith("timestamp") for text in logical)
