"""The schemas that a registered schema refers to, fetched from its registry."""

from __future__ import annotations

from hanse.errors import DecodeError
from hanse.ports.schema_registry import RegisteredSchema, SchemaRegistry

MAX_SCHEMAS = 200
MAX_DEPTH = 32


def referenced(registry: SchemaRegistry, schema: RegisteredSchema) -> dict[str, str]:
    """Texts by the name under which they are referred to, each behind those that it needs itself.

    Raises DecodeError for a version that is not there, or for too many; an outage passes through.
    """
    found: dict[str, str] = {}
    _collect(registry, schema, found, 0)
    return found


def _collect(registry: SchemaRegistry, schema: RegisteredSchema, found: dict[str, str], depth: int) -> None:
    for reference in schema.references:
        if reference.name in found:
            continue
        if depth >= MAX_DEPTH or len(found) >= MAX_SCHEMAS:
            raise DecodeError("a schema refers to too many others")
        versions = registry.versions(reference.subject)
        match = next((v for v in versions if v.version == reference.version), None)
        if match is None:
            raise DecodeError(
                f"the schema refers to {reference.subject} version {reference.version}, which is not there"
            )
        _collect(registry, match, found, depth + 1)
        found.setdefault(reference.name, match.schema)
