"""What the registry holds, as it is read: versions, schemas by id, what refers to what."""

from __future__ import annotations

from collections.abc import Iterable

from hanse.errors import SchemaError
from hanse.ports.schema_registry import SchemaReference
from hanse.registry import problems
from hanse.registry.database import Connection, Database
from hanse.registry.records import DEFAULT_CONTEXT, StoredSchema, Subject
from hanse.registry.rows import schema_of_row
from hanse.registry.settings_store import SettingsStore
from hanse.schemas import ParsedSchema, Reference, parse

_MAX_REFERENCES = 1_000
_PARSED_KEPT = 512


class Reading:
    """The reading half of the store. Ids are counted per context."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.settings = SettingsStore(database)
        self._parsed: dict[tuple[str, int], ParsedSchema] = {}

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()

    def versions(self, subject: Subject, *, deleted: bool = False) -> list[StoredSchema]:
        """Versions of a subject, oldest first; with `deleted` the soft-deleted ones as well."""
        with self.database.reading() as con:
            return [s for s in self._versions_of(con, subject) if deleted or not s.deleted]

    def version(self, subject: Subject, version: int, *, deleted: bool = False) -> StoredSchema:
        """One version, -1 for the latest. Raises RegistryProblem when it or the subject is not there."""
        live = self.versions(subject, deleted=deleted)
        if not live:
            raise problems.subject_not_found(str(subject))
        found = live[-1] if version == -1 else next((s for s in live if s.version == version), None)
        if found is None:
            raise problems.version_not_found(version)
        return found

    def by_id(self, schema_id: int, context: str = DEFAULT_CONTEXT) -> StoredSchema:
        """A schema by its id, under the first version that has it. Raises RegistryProblem when unknown."""
        found = self.uses_of_id(schema_id, context, deleted=True)
        if not found:
            raise problems.schema_not_found(schema_id)
        return next((s for s in found if not s.deleted), found[0])

    def uses_of_id(
        self, schema_id: int, context: str = DEFAULT_CONTEXT, *, deleted: bool = False
    ) -> list[StoredSchema]:
        """All versions that hold the schema of an id, by subject and version."""
        with self.database.reading() as con:
            rows = con.execute(
                "SELECT * FROM stored WHERE context = ? AND id = ? ORDER BY subject, version",
                (context, schema_id),
            ).fetchall()
        return [s for s in map(schema_of_row, rows) if deleted or not s.deleted]

    def by_guid(self, guid: str) -> list[StoredSchema]:
        """All versions that hold the schema of a guid, over all contexts; empty when unknown."""
        with self.database.reading() as con:
            rows = con.execute("SELECT * FROM stored WHERE guid = ?", (guid,)).fetchall()
        return [schema_of_row(row) for row in rows]

    def subjects(self, context: str | None = None, *, deleted: bool = False) -> list[StoredSchema]:
        """The newest version of each subject by name, in one context or in all."""
        with self.database.reading() as con:
            rows = con.execute(
                "SELECT * FROM stored WHERE deleted <= ? AND (? = '' OR context = ?)"
                " ORDER BY context, subject, version",
                (int(deleted), context or "", context or ""),
            ).fetchall()
        return list({s.subject: s for s in map(schema_of_row, rows)}.values())

    def contexts(self) -> list[str]:
        """All contexts in which something was registered; the default one always."""
        with self.database.reading() as con:
            rows = con.execute("SELECT DISTINCT context FROM counters").fetchall()
        return sorted({DEFAULT_CONTEXT, *(row[0] for row in rows)})

    def max_id(self, context: str = DEFAULT_CONTEXT) -> int:
        """The highest id given out in a context, 0 when none was."""
        with self.database.reading() as con:
            row = con.execute("SELECT last_id FROM counters WHERE context = ?", (context,)).fetchone()
        return int(row[0]) if row else 0

    def referenced_by(self, subject: Subject, version: int, *, deleted: bool = False) -> list[int]:
        """Ids of live schemas (with `deleted`: of all) that refer to a version."""
        with self.database.reading() as con:
            return _referenced_by(con, subject, version, deleted)

    def _versions_of(self, con: Connection, subject: Subject) -> list[StoredSchema]:
        rows = con.execute(
            "SELECT * FROM stored WHERE context = ? AND subject = ? ORDER BY version",
            (subject.context, subject.name),
        ).fetchall()
        return [schema_of_row(row) for row in rows]

    def _one(self, con: Connection, subject: Subject, version: int) -> StoredSchema | None:
        row = con.execute(
            "SELECT * FROM stored WHERE context = ? AND subject = ? AND (version = ? OR ? = -1)"
            " ORDER BY version DESC LIMIT 1",
            (subject.context, subject.name, version, version),
        ).fetchone()
        return schema_of_row(row) if row else None

    # -- schemas, understood ------------------------------------------------------------------------

    def parsed(self, stored: StoredSchema) -> ParsedSchema:
        """A stored schema, understood; kept for the next time."""
        key = (stored.subject.context, stored.id)
        if key not in self._parsed:
            if len(self._parsed) >= _PARSED_KEPT:
                self._parsed.clear()
            references = self._resolved(stored.references, stored.subject.context)
            self._parsed[key] = parse(stored.schema_type, stored.text, references)
        return self._parsed[key]

    def _resolved(self, references: Iterable[SchemaReference], context: str) -> list[Reference]:
        """Texts of all schemas referred to, directly or not, dependencies first."""
        found: dict[str, str] = {}
        with self.database.reading() as con:
            self._resolve(con, references, context, found, ())
        return [Reference(name, text) for name, text in found.items()]

    def _resolve(
        self,
        con: Connection,
        references: Iterable[SchemaReference],
        context: str,
        found: dict[str, str],
        above: tuple[tuple[str, int], ...],
    ) -> None:
        for reference in references:
            if reference.name in found:
                continue
            subject = Subject.parse(reference.subject, context)
            stored = self._one(con, subject, reference.version)
            key = (str(subject), stored.version if stored else 0)
            if stored is None or key in above or len(found) >= _MAX_REFERENCES:
                raise SchemaError(
                    f"the reference {reference.name!r} cannot be resolved",
                    where=f"subject {reference.subject!r}, version {reference.version}",
                    fix="register the schema that is referred to first",
                )
            self._resolve(con, stored.references, subject.context, found, (*above, key))
            found[reference.name] = stored.text


def _referenced_by(con: Connection, subject: Subject, version: int, deleted: bool) -> list[int]:
    rows = con.execute(
        "SELECT DISTINCT u.id FROM uses u JOIN versions v ON v.context = u.context AND v.id = u.id"
        " WHERE u.subject = ? AND u.version = ? AND v.deleted <= ? ORDER BY u.id",
        (str(subject), version, int(deleted)),
    ).fetchall()
    return [row[0] for row in rows]
