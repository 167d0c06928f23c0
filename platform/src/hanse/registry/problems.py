"""What the registry answers when it cannot do what was asked: Confluent's error codes."""

from __future__ import annotations

from hanse.errors import SchemaError, UnknownSchema

SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
SUBJECT_SOFT_DELETED = 40404
SUBJECT_NOT_SOFT_DELETED = 40405
VERSION_SOFT_DELETED = 40406
VERSION_NOT_SOFT_DELETED = 40407
SUBJECT_COMPATIBILITY_NOT_CONFIGURED = 40408
SUBJECT_MODE_NOT_CONFIGURED = 40409
ASSOCIATION_NOT_FOUND = 40410
INVALID_SCHEMA = 42201
INVALID_VERSION = 42202
INVALID_COMPATIBILITY = 42203
INVALID_MODE = 42204
OPERATION_NOT_PERMITTED = 42205
REFERENCE_EXISTS = 42206
ID_DOES_NOT_MATCH = 42207
INVALID_SUBJECT = 42208
SCHEMA_TOO_LARGE = 42209
INVALID_RULESET = 42210
CONTEXT_NOT_EMPTY = 42211
STORE_ERROR = 50001


class RegistryProblem(SchemaError):
    """A request that the registry refuses; `code` is Confluent's error code, `status` its HTTP status."""

    def __init__(self, code: int, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code
        self.status = code // 100


class NoSuchSchema(RegistryProblem, UnknownSchema):
    """The schema is not registered."""


def subject_not_found(subject: str) -> RegistryProblem:
    """No live version is registered under the subject."""
    return RegistryProblem(SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")


def version_not_found(version: int | str) -> RegistryProblem:
    """The subject has no such version."""
    return RegistryProblem(VERSION_NOT_FOUND, f"Version {version} not found.")


def schema_not_found(schema_id: int | str | None = None) -> RegistryProblem:
    """No schema has that id, or the schema is not registered."""
    return NoSuchSchema(
        SCHEMA_NOT_FOUND, "Schema not found" if schema_id is None else f"Schema {schema_id} not found"
    )
