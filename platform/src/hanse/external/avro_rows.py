"""The reader's schema of a row, from the schema that its writers registered."""

from __future__ import annotations

from typing import Any

MAX_DIGITS = 38
LOGICAL = {
    "io.debezium.time.Date": ("int", "date"),
    "io.debezium.time.Timestamp": ("long", "timestamp-millis"),
    "io.debezium.time.MicroTimestamp": ("long", "timestamp-micros"),
    "io.debezium.time.NanoTimestamp": ("long", "timestamp-nanos"),
}
"""What Debezium calls whole numbers since the epoch, and what Avro does."""


def change_row(document: Any) -> Any | None:
    """The record inside a Debezium envelope; None when the schema is no envelope."""
    if not isinstance(document, dict) or document.get("type") != "record":
        return None
    fields = {f.get("name"): f.get("type") for f in document.get("fields", []) if isinstance(f, dict)}
    if not {"before", "after", "op"} <= fields.keys():
        return None
    for image in (fields["before"], fields["after"]):
        for branch in image if isinstance(image, list) else [image]:
            if isinstance(branch, dict) and branch.get("type") == "record":
                space = branch.get("namespace") or document.get("namespace")
                return {**branch, **({"namespace": space} if space else {})}
    return None


def readable(document: Any) -> Any:
    """The schema with Debezium's numbers as Avro's dates and times, and decimals of at most 38 digits."""
    if isinstance(document, list):
        return [readable(branch) for branch in document]
    if not isinstance(document, dict):
        return document
    known = LOGICAL.get(str(document.get("connect.name")))
    if known is not None and document.get("type") == known[0]:
        return {"type": known[0], "logicalType": known[1]}
    made = {name: readable(value) if name in _NESTED else value for name, value in document.items()}
    if made.get("logicalType") == "decimal" and isinstance(made.get("precision"), int):
        made["precision"] = min(made["precision"], MAX_DIGITS)
    return made


_NESTED = frozenset({"fields", "type", "items", "values"})
