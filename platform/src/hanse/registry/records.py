"""What the registry keeps: subjects in contexts, schemas, their settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hanse.ports.schema_registry import RegisteredSchema, SchemaReference, SchemaType
from hanse.registry.problems import INVALID_SUBJECT, RegistryProblem

DEFAULT_CONTEXT = "."
_QUALIFIED = re.compile(r":(\.[^:]*):(.*)\Z", re.DOTALL)
_MAX_NAME = 1_000
_RESERVED = {"__GLOBAL", "__EMPTY"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject's name within its context; ids are counted per context."""

    context: str
    name: str

    @classmethod
    def parse(cls, text: str, context: str = DEFAULT_CONTEXT) -> Subject:
        """From `name` or `:.context:name`. Raises RegistryProblem for what cannot be a subject."""
        match = _QUALIFIED.match(text)
        if match:
            context, text = match[1], match[2]
        if len(text) > _MAX_NAME or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in context + text):
            raise _invalid(text)
        return cls(context, text)

    def for_writing(self) -> Subject:
        """The same, if schemas may be registered under it. Raises RegistryProblem."""
        if not self.name or self.name in _RESERVED:
            raise _invalid(self.name)
        return self

    def __str__(self) -> str:
        return self.name if self.context == DEFAULT_CONTEXT else f":{self.context}:{self.name}"


def _invalid(name: str) -> RegistryProblem:
    return RegistryProblem(INVALID_SUBJECT, f"The specified subject {name[:80]!r} is not a valid subject.")


@dataclass(frozen=True, slots=True)
class Submission:
    """A schema as somebody sends it."""

    text: str
    schema_type: str = "AVRO"
    references: tuple[SchemaReference, ...] = ()
    metadata: dict[str, Any] | None = None
    ruleset: dict[str, Any] | None = None
    id: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """A schema as the registry keeps it; the same id may stand under several subjects and versions.

    `identity` is equal for schemas that say the same with the same references, metadata and rules.
    """

    subject: Subject
    version: int
    id: int
    guid: str
    schema_type: SchemaType
    text: str
    references: tuple[SchemaReference, ...] = ()
    metadata: dict[str, Any] | None = None
    ruleset: dict[str, Any] | None = None
    deleted: bool = False
    created_ms: int = 0
    identity: str = ""

    def registered(self) -> RegisteredSchema:
        """As the port shows it."""
        return RegisteredSchema(
            str(self.subject), self.version, self.id, self.schema_type, self.text, self.references
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force for a subject."""

    compatibility: str = "BACKWARD"
    normalize: bool = False
    mode: str = "READWRITE"
    config: dict[str, Any] = field(default_factory=dict[str, Any])
