"""The embedded registry: the port over the store, in the caller's process."""

from __future__ import annotations

from pathlib import Path

from hanse.ports.schema_registry import RegisteredSchema, SchemaReference, SchemaType
from hanse.registry.records import Subject, Submission
from hanse.registry.store import RegistryStore


class EmbeddedRegistry:
    """SchemaRegistry on a SQLite file or a PostgreSQL database, which several processes may use at the same time."""

    def __init__(self, place: Path | str) -> None:
        self.store = RegistryStore(place)
        self._by_id: dict[int, RegisteredSchema] = {}

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: SchemaType = "AVRO",
        references: tuple[SchemaReference, ...] = (),
    ) -> RegisteredSchema:
        """Register, or return the equal version. Raises IncompatibleSchema naming field and rule."""
        submission = Submission(schema, schema_type, references)
        return self.store.register(Subject.parse(subject), submission).registered()

    def by_id(self, schema_id: int) -> RegisteredSchema:
        """The schema of a wire id. Raises SchemaError when unknown."""
        if schema_id not in self._by_id:
            self._by_id[schema_id] = self.store.by_id(schema_id).registered()
        return self._by_id[schema_id]

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version. Raises SchemaError when the subject is unknown."""
        return self.store.version(Subject.parse(subject), -1).registered()

    def versions(self, subject: str) -> list[RegisteredSchema]:
        """All live versions, oldest first; empty when unknown."""
        return [stored.registered() for stored in self.store.versions(Subject.parse(subject))]

    def subjects(self) -> list[str]:
        """All live subjects by name."""
        return [str(stored.subject) for stored in self.store.subjects()]

    def compatibility(self, subject: str) -> str:
        """The compatibility mode in force for a subject."""
        return str(self.store.settings.in_force("config", Subject.parse(subject))["compatibilityLevel"])

    def close(self) -> None:
        """Close the file or the connections."""
        self.store.close()
