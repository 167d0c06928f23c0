"""SCH003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView
from hanse_governance.words import event_verb


class PastTense(Policy):
    """Topics of events are named in the past tense, and so are the records in them.

    Topics of `kind: state` are named after the thing itself.

    ## Examples

    Breaks it: `order_placement`, `place_order`, or the record `OrderPlacing`.

    Keeps it: `order_placed`, `contact_details_updated`, `parcel_sent_back`.
    """

    code = "SCH003"
    name = "event-not-in-past-tense"
    severity = "error"
    why = "An event is a fact that has happened; a name that says otherwise invites treating it as a request."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """The topic's name, then its Avro record's."""
        for name, topic in mesh.topics.items():
            if topic.kind != "events" or topic.external:
                continue
            if event_verb(topic.name) is None:
                yield self.finding(
                    mesh.in_topic(topic),
                    name,
                    f"the event {name} is not named in the past tense",
                    fix="say what has happened, as in order_placed",
                )
            schema = mesh.schemas.get(name)
            record = str((schema.document or {}).get("name", "")) if schema and schema.kind == "AVRO" else ""
            if schema and record and event_verb(record) is None:
                yield self.finding(
                    mesh.in_schema(topic, "name"),
                    name,
                    f"the record {record} of the event {name} is not named in the past tense",
                    fix="say what has happened, as in OrderPlaced",
                )
