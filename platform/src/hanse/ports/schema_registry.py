"""The schema registry: subjects, versions and ids, with compatibility enforced at registration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

SchemaType = Literal["AVRO", "JSON", "PROTOBUF"]


@dataclass(frozen=True, slots=True)
class SchemaReference:
    """Another subject's version that a schema imports under `name`."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema as the registry knows it; `schema` is its text, `id` what the wire frame carries."""

    subject: str
    version: int
    id: int
    schema_type: SchemaType
    schema: str
    references: tuple[SchemaReference, ...] = ()


class SchemaRegistry(Protocol):
    """What relay and projector need of a registry; the REST server offers more."""

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: SchemaType = "AVRO",
        references: tuple[SchemaReference, ...] = (),
    ) -> RegisteredSchema:
        """Register, or return the equal version. Raises IncompatibleSchema naming field and rule."""
        ...

    def by_id(self, schema_id: int) -> RegisteredSchema:
        """The schema of a wire id. Raises SchemaError when unknown."""
        ...

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version. Raises SchemaError when the subject is unknown."""
        ...

    def versions(self, subject: str) -> list[RegisteredSchema]:
        """All live versions, oldest first; empty when unknown."""
        ...

    def subjects(self) -> list[str]:
        """All live subjects by name."""
        ...
