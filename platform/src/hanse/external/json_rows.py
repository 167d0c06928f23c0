"""A JSON Schema for rows: inferred from documents, or said by Kafka Connect's own schema beside them.

Kafka Connect's schemas: https://kafka.apache.org/documentation/#connect (JsonConverter, `schemas.enable`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hanse.errors import DecodeError
from hanse.wire.json.rows import read_value
from hanse.wire.json.types import DECIMAL, MOMENTS, parse_json_schema

ZONED = "io.debezium.time.ZonedTimestamp"
_EPOCH_MS = range(946_684_800_000, 4_102_444_800_000)
_TIME_NAME = re.compile(r"(^|_)(at|ts|time|timestamp|ms|date)$|[a-z](At|Time|Timestamp)$")
_INTEGERS = frozenset({"int8", "int16", "int32", "int64"})
_NUMBERS = frozenset({"float", "double", "float32", "float64"})
Schema = dict[str, Any]


def inferred(rows: Sequence[dict[str, Any]], notes: list[str]) -> Schema:
    """What all rows have in common. Fields without one type are left out, and `notes` says so."""
    return _record(rows, "", notes)


def _record(rows: Sequence[dict[str, Any]], path: str, notes: list[str]) -> Schema:
    names = list(dict.fromkeys(name for row in rows for name in row))
    properties: dict[str, Schema] = {}
    for name in names:
        values = [row[name] for row in rows if row.get(name) is not None]
        found = _value(values, name, f"{path}{name}", notes)
        if found is not None:
            properties[name] = found
    required = [n for n in properties if all(row.get(n) is not None for row in rows)]
    return {"type": "object", "properties": properties, "required": required}


def _value(values: list[Any], name: str, path: str, notes: list[str]) -> Schema | None:
    kinds = {_kind(v) for v in values}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) != 1:
        why = f"has several types ({', '.join(sorted(kinds))})" if kinds else "is always null"
        notes.append(f"{path} {why} and is left out")
        return None
    kind = kinds.pop()
    if kind == "object":
        made = _record(values, f"{path}.", notes)
        return made if made["properties"] else _left_out(path, "has no fields", notes)
    if kind == "array":
        items = _value([v for value in values for v in value if v is not None], name, f"{path}[]", notes)
        return None if items is None else {"type": "array", "items": items}
    if kind == "string":
        return {"type": "string", **_format(values)}
    if kind == "integer" and _TIME_NAME.search(name) and all(v in _EPOCH_MS for v in values):
        return {"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp"}
    return {"type": kind}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Decimal):
        return "number"
    return {int: "integer", str: "string", dict: "object", list: "array"}[type(value)]


def _format(values: list[str]) -> Schema:
    """`date-time` or `date` when every text is one."""
    for name in ("date-time", "date"):
        kind = parse_json_schema({"properties": {"v": {"type": "string", "format": name}}})
        try:
            for value in values:
                read_value(kind, {"v": value})
        except DecodeError:
            continue
        return {"format": name}
    return {}


def _left_out(path: str, why: str, notes: list[str]) -> None:
    notes.append(f"{path} {why} and is left out")


def fields_of(schema: Any) -> list[Any]:
    """The fields of a struct's schema, as far as it has any."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [f for f in fields if isinstance(f, dict)] if isinstance(fields, list) else []


def of_connect(schema: Any, notes: list[str], path: str = "") -> Schema | None:
    """The JSON Schema of a value under Kafka Connect's schema; None for what has no column type."""
    if not isinstance(schema, dict):
        return _left_out(path or "the value", "has no schema", notes)
    kind, name = schema.get("type"), schema.get("name")
    if name == DECIMAL:
        return {"type": "string", "title": name, "connect.parameters": schema.get("parameters", {})}
    if isinstance(name, str) and name in MOMENTS and kind in ("int32", "int64"):
        return {"type": "integer", "title": name}
    if name == ZONED:
        return {"type": "string", "format": "date-time"}
    match kind:
        case "struct":
            made = _of_fields(fields_of(schema), notes, path)
            return made if made["properties"] else _left_out(path or "the value", "has no fields", notes)
        case "array":
            items = of_connect(schema.get("items"), notes, f"{path}[]")
            return None if items is None else {"type": "array", "items": items}
        case "map" if isinstance(keys := schema.get("keys"), dict) and keys.get("type") == "string":
            values = of_connect(schema.get("values"), notes, f"{path}{{}}")
            return None if values is None else {"type": "object", "additionalProperties": values}
        case "boolean" | "string":
            return {"type": kind}
        case "bytes":
            return {"type": "string", "contentEncoding": "base64"}
        case str() if kind in _INTEGERS | _NUMBERS:
            return {"type": "integer" if kind in _INTEGERS else "number"}
        case _:
            return _left_out(path or "the value", f"is of the type {kind}", notes)


def _of_fields(fields: list[Any], notes: list[str], path: str) -> Schema:
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for field in fields:
        name = str(field.get("field"))
        made = of_connect(field, notes, f"{path}.{name}" if path else name)
        if made is None:
            continue
        properties[name] = made
        if not field.get("optional", False):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required}
