"""Rows of the store's tables and what is in them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hanse.ports.schema_registry import SchemaReference
from hanse.registry.records import StoredSchema, Subject, Submission
from hanse.schemas import ParsedSchema
from hanse.schemas.text import sorted_json


def schema_of_row(row: Any) -> StoredSchema:
    """A row of the view `stored`."""
    return StoredSchema(
        subject=Subject(row[0], row[1]),
        version=row[2],
        id=row[3],
        guid=row[4],
        schema_type=row[5],
        text=row[6],
        references=tuple(SchemaReference(*item) for item in json.loads(row[7])),
        metadata=json.loads(row[8]) if row[8] else None,
        ruleset=json.loads(row[9]) if row[9] else None,
        deleted=bool(row[10]),
        created_ms=row[11],
        identity=row[12],
    )


def identity_of(submission: Submission, parsed: ParsedSchema) -> str:
    """Equal for schemas that say the same with the same references, metadata and rules."""
    references = [[r.name, r.subject, r.version] for r in submission.references]
    parts = [parsed.schema_type, parsed.canonical, references, submission.metadata, submission.ruleset]
    return hashlib.sha256(sorted_json(parts).encode()).hexdigest()


def guid_of(identity: str) -> str:
    """A guid that follows from the identity, the same in every context and registry."""
    digits = hashlib.md5(identity.encode(), usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def json_or_null(value: dict[str, Any] | None) -> str | None:
    """JSON for a column, NULL for nothing."""
    return sorted_json(value) if value else None


def property_of(metadata: dict[str, Any] | None, name: str) -> Any:
    """A property of a schema's metadata, or None."""
    return ((metadata or {}).get("properties") or {}).get(name)


def merged_layers(*layers: dict[str, Any] | None) -> dict[str, Any] | None:
    """Later layers win; maps are merged, lists of named rules by name."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in (layer or {}).items():
            before = merged.get(key)
            if isinstance(before, dict) and isinstance(value, dict):
                merged[key] = {**before, **value}
            elif isinstance(before, list) and isinstance(value, list):
                merged[key] = list({_rule_name(item): item for item in (*before, *value)}.values())
            else:
                merged[key] = value
    return merged or None


def _rule_name(item: Any) -> str:
    return str(item.get("name")) if isinstance(item, dict) else str(item)
