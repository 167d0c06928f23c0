"""The registry's store: registration with compatibility, reading, deletion, settings.

Safe for several processes on one file. A registration is checked outside the write lock and committed
inside it if nothing that it was checked against has changed; otherwise it is checked again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hanse.errors import IncompatibleSchema, SchemaError
from hanse.ports.schema_registry import SchemaReference
from hanse.registry import problems
from hanse.registry.database import Database
from hanse.registry.problems import RegistryProblem
from hanse.registry.records import DEFAULT_CONTEXT, Rules, StoredSchema, Subject, Submission
from hanse.registry.rows import (
    guid_of,
    identity_of,
    json_or_null,
    merged_layers,
    property_of,
    schema_of_row,
)
from hanse.registry.settings_store import SettingsStore
from hanse.schemas import Finding, ParsedSchema, Reference, check, parse
from hanse.schemas.text import sorted_json

_MAX_REFERENCES = 1_000
_PARSED_KEPT = 512


@dataclass(frozen=True, slots=True)
class _Plan:
    """A registration thought through: what it was checked against and what to write."""

    seen: tuple[object, ...]
    submission: Submission
    parsed: ParsedSchema
    equal: StoredSchema | None


class RegistryStore:
    """All that the registry knows, in one SQLite file."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(path)
        self.settings = SettingsStore(self.database)
        self._parsed: dict[tuple[str, int], ParsedSchema] = {}

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    # -- registration -------------------------------------------------------------------------------

    def register(self, subject: Subject, submission: Submission, *, normalize: bool = False) -> StoredSchema:
        """The version that holds the schema, made if there is none.

        Raises IncompatibleSchema naming path and rule, SchemaError for a schema that cannot be understood,
        RegistryProblem when the mode forbids it.
        """
        subject.for_writing()
        while True:
            plan = self._plan(subject, submission, normalize)
            if plan.equal is not None:
                return plan.equal
            with self.database.writing() as con:
                if self._seen(con, subject) == plan.seen:
                    return self._write(con, subject, plan)

    def _plan(self, subject: Subject, submission: Submission, normalize: bool) -> _Plan:
        with self.database.reading() as con:
            seen = self._seen(con, subject)
            history = self._select(con, subject)
            rules = self.settings.rules(con, subject)
        self._check_mode(subject, submission, rules)
        live = [stored for stored in history if not stored.deleted]
        importing = rules.mode == "IMPORT"
        complete = submission if importing else self._completed(submission, live, rules)
        parsed = self._parse(complete, subject, strict=not importing, normalize=normalize or rules.normalize)
        equal = self._equal(complete, parsed, live) if submission.version is None else None
        if equal is None and not importing:
            findings = self._findings(complete, parsed, live, rules)
            if findings:
                raise incompatible(subject, rules.compatibility, findings)
        return _Plan(seen, complete, parsed, equal)

    def _check_mode(self, subject: Subject, submission: Submission, rules: Rules) -> None:
        wanted = "import" if submission.id is not None else "read-write"
        if rules.mode in {"READONLY", "READONLY_OVERRIDE"}:
            problem = "is in read-only mode"
        elif rules.mode != ("IMPORT" if submission.id is not None else "READWRITE"):
            problem = f"is not in {wanted} mode"
        else:
            return
        raise RegistryProblem(
            problems.OPERATION_NOT_PERMITTED, f"Subject {subject.name} in context {subject.context} {problem}"
        )

    def _completed(self, submission: Submission, live: list[StoredSchema], rules: Rules) -> Submission:
        """A submission without schema, metadata or rules takes them over from the latest version."""
        latest = live[-1] if live else None
        if not submission.text.strip():
            if latest is None:
                raise RegistryProblem(problems.INVALID_SCHEMA, "Empty schema")
            submission = replace(
                submission, text=latest.text, schema_type=latest.schema_type, references=latest.references
            )
        metadata = submission.metadata or (latest.metadata if latest else None)
        ruleset = submission.ruleset or (latest.ruleset if latest else None)
        config = rules.config
        metadata = merged_layers(config.get("defaultMetadata"), metadata, config.get("overrideMetadata"))
        ruleset = merged_layers(config.get("defaultRuleSet"), ruleset, config.get("overrideRuleSet"))
        return replace(submission, metadata=metadata, ruleset=ruleset)

    def _write(self, con: sqlite3.Connection, subject: Subject, plan: _Plan) -> StoredSchema:
        submission, parsed = plan.submission, plan.parsed
        schema_id = self._schema_id(con, subject, submission, parsed)
        (newest,) = con.execute(
            "SELECT coalesce(max(version), 0) FROM versions WHERE context = ? AND subject = ?",
            (subject.context, subject.name),
        ).fetchone()
        version = submission.version or newest + 1
        if submission.id is None and version != newest + 1:
            raise RegistryProblem(problems.INVALID_SCHEMA, "Version is not one more than previous version")
        con.execute(
            "DELETE FROM versions WHERE context = ? AND subject = ? AND id = ? AND deleted = 1"
            " AND version < ? AND NOT EXISTS"
            " (SELECT 1 FROM uses u WHERE u.subject = ? AND u.version = versions.version)",
            (subject.context, subject.name, schema_id, version, str(subject)),
        )
        con.execute(
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, 0, ?)",
            (subject.context, subject.name, version, schema_id, time.time_ns() // 1_000_000),
        )
        stored = self._one(con, subject, version)
        if stored is None:
            raise RegistryProblem(problems.STORE_ERROR, "the version that was just written is not there")
        return stored

    def _schema_id(
        self, con: sqlite3.Connection, subject: Subject, submission: Submission, parsed: ParsedSchema
    ) -> int:
        context, identity = subject.context, identity_of(submission, parsed)
        row = con.execute(
            "SELECT id FROM schemas WHERE context = ? AND identity = ?", (context, identity)
        ).fetchone()
        if row and submission.id in {None, row[0]}:
            return int(row[0])
        if (
            submission.id is not None
            and con.execute(
                "SELECT 1 FROM schemas WHERE context = ? AND id = ?", (context, submission.id)
            ).fetchone()
        ):
            raise RegistryProblem(
                problems.OPERATION_NOT_PERMITTED,
                f"Overwrite new schema with id {submission.id} is not permitted.",
            )
        if row:
            identity = f"{identity}:{submission.id}"
        con.execute("INSERT OR IGNORE INTO counters VALUES (?, 0)", (context,))
        (schema_id,) = con.execute(
            "UPDATE counters SET last_id = max(last_id + ?, ?) WHERE context = ? RETURNING last_id",
            (0 if submission.id is not None else 1, submission.id or 0, context),
        ).fetchone()
        schema_id = submission.id if submission.id is not None else schema_id
        references = json.dumps([[r.name, r.subject, r.version] for r in submission.references])
        con.execute(
            "INSERT INTO schemas VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                context,
                schema_id,
                guid_of(identity),
                parsed.schema_type,
                parsed.text,
                references,
                json_or_null(submission.metadata),
                json_or_null(submission.ruleset),
                identity,
            ),
        )
        con.executemany(
            "INSERT OR IGNORE INTO uses VALUES (?, ?, ?, ?)",
            [
                (context, schema_id, str(Subject.parse(r.subject, context)), r.version)
                for r in submission.references
            ],
        )
        return schema_id

    def _seen(self, con: sqlite3.Connection, subject: Subject) -> tuple[object, ...]:
        rows = con.execute(
            "SELECT version, id, deleted FROM versions WHERE context = ? AND subject = ? ORDER BY version",
            (subject.context, subject.name),
        ).fetchall()
        return (tuple(rows), sorted_json(self.settings.all(con)))

    # -- comparison ---------------------------------------------------------------------------------

    def findings(
        self, subject: Subject, submission: Submission, version: int | None = None, *, normalize: bool = False
    ) -> list[Finding]:
        """Why a schema could not be registered now; against one version (-1: the latest) if given.

        Raises RegistryProblem when that version does not exist, SchemaError for a schema not understood.
        """
        with self.database.reading() as con:
            live = [stored for stored in self._select(con, subject) if not stored.deleted]
            rules = self.settings.rules(con, subject)
        if version is not None:
            live = live[-1:] if version == -1 else [s for s in live if s.version == version]
            if not live and version != -1:
                raise problems.version_not_found(version)
        parsed = self._parse(submission, subject, strict=True, normalize=normalize or rules.normalize)
        return self._findings(submission, parsed, live, rules)

    def lookup(
        self, subject: Subject, submission: Submission, *, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema:
        """The version that holds an equal schema. Raises RegistryProblem when there is none."""
        with self.database.reading() as con:
            versions = self._select(con, subject)
            rules = self.settings.rules(con, subject)
        versions = [v for v in versions if deleted or not v.deleted]
        if not versions:
            raise problems.subject_not_found(str(subject))
        parsed = self._parse(submission, subject, strict=False, normalize=normalize or rules.normalize)
        found = self._equal(submission, parsed, versions)
        if found is None:
            completed = self._completed(submission, [v for v in versions if not v.deleted], rules)
            found = self._equal(completed, parsed, versions)
        if found is None:
            raise problems.schema_not_found()
        return found

    def _equal(
        self, submission: Submission, parsed: ParsedSchema, versions: list[StoredSchema]
    ) -> StoredSchema | None:
        identity = identity_of(submission, parsed)
        for stored in reversed(versions):
            if stored.identity.partition(":")[0] == identity:
                return stored
        return None

    def _findings(
        self, submission: Submission, parsed: ParsedSchema, live: list[StoredSchema], rules: Rules
    ) -> list[Finding]:
        group = rules.config.get("compatibilityGroup")
        if group:
            live = [
                s for s in live if property_of(s.metadata, group) == property_of(submission.metadata, group)
            ]
        if not rules.compatibility.endswith("_TRANSITIVE"):
            live = live[-1:]
        return check(parsed, [(s.version, self.parsed(s)) for s in live], rules.compatibility)

    def parsed(self, stored: StoredSchema) -> ParsedSchema:
        """A stored schema, understood; kept for the next time."""
        key = (stored.subject.context, stored.id)
        if key not in self._parsed:
            if len(self._parsed) >= _PARSED_KEPT:
                self._parsed.clear()
            references = self._resolved(stored.references, stored.subject.context)
            self._parsed[key] = parse(stored.schema_type, stored.text, references)
        return self._parsed[key]

    def _parse(
        self, submission: Submission, subject: Subject, *, strict: bool, normalize: bool
    ) -> ParsedSchema:
        references = self._resolved(submission.references, subject.context)
        return parse(submission.schema_type, submission.text, references, strict=strict, normalize=normalize)

    def _resolved(self, references: Iterable[SchemaReference], context: str) -> list[Reference]:
        """Texts of all schemas referred to, directly or not, dependencies first."""
        found: dict[str, str] = {}
        with self.database.reading() as con:
            self._resolve(con, references, context, found, ())
        return [Reference(name, text) for name, text in found.items()]

    def _resolve(
        self,
        con: sqlite3.Connection,
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

    # -- reading ------------------------------------------------------------------------------------

    def versions(self, subject: Subject, *, deleted: bool = False) -> list[StoredSchema]:
        """Versions of a subject, oldest first; with `deleted` the soft-deleted ones as well."""
        with self.database.reading() as con:
            return [s for s in self._select(con, subject) if deleted or not s.deleted]

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
                "SELECT * FROM stored WHERE (? IS NULL OR context = ?) AND (? OR deleted = 0)"
                " ORDER BY context, subject, version",
                (context, context, deleted),
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

    def _select(self, con: sqlite3.Connection, subject: Subject) -> list[StoredSchema]:
        rows = con.execute(
            "SELECT * FROM stored WHERE context = ? AND subject = ? ORDER BY version",
            (subject.context, subject.name),
        ).fetchall()
        return [schema_of_row(row) for row in rows]

    def _one(self, con: sqlite3.Connection, subject: Subject, version: int) -> StoredSchema | None:
        row = con.execute(
            "SELECT * FROM stored WHERE context = ? AND subject = ? AND (version = ? OR ? = -1)"
            " ORDER BY version DESC LIMIT 1",
            (subject.context, subject.name, version, version),
        ).fetchone()
        return schema_of_row(row) if row else None

    # -- deletion -----------------------------------------------------------------------------------

    def delete_version(self, subject: Subject, version: int, *, permanent: bool = False) -> int:
        """Soft-delete a version, or remove one that was soft-deleted. Returns its number.

        Raises RegistryProblem when it is not there, not in the right state, referenced or read-only.
        """
        with self.database.writing() as con:
            self._check_writable(con, subject)
            versions = self._select(con, subject)
            live = [s for s in versions if not s.deleted]
            if not (versions if permanent else live):
                raise problems.subject_not_found(str(subject))
            if version == -1:
                version = (live or versions)[-1].version
            found = next((s for s in versions if s.version == version), None)
            if found is None:
                raise problems.version_not_found(version)
            self._check_deletable(con, found, permanent)
            self._delete(con, [found], permanent)
        return version

    def delete_subject(self, subject: Subject, *, permanent: bool = False) -> list[int]:
        """Soft-delete all versions, or remove a subject that was soft-deleted. Returns their numbers."""
        with self.database.writing() as con:
            self._check_writable(con, subject)
            versions = self._select(con, subject)
            live = [s for s in versions if not s.deleted]
            if not versions:
                raise problems.subject_not_found(str(subject))
            if not permanent and not live:
                raise RegistryProblem(
                    problems.SUBJECT_SOFT_DELETED,
                    f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently",
                )
            if permanent and live:
                raise RegistryProblem(
                    problems.SUBJECT_NOT_SOFT_DELETED,
                    f"Subject '{subject}' was not deleted first before being permanently deleted",
                )
            chosen = versions if permanent else live
            for stored in chosen:
                _check_unreferenced(con, stored, permanent, within=subject)
            self._delete(con, chosen, permanent)
        return [s.version for s in chosen]

    def delete_context(self, context: str) -> None:
        """Forget a context without subjects, and its settings. Raises RegistryProblem when it has some."""
        with self.database.writing() as con:
            if con.execute("SELECT 1 FROM versions WHERE context = ?", (context,)).fetchone():
                raise RegistryProblem(
                    problems.CONTEXT_NOT_EMPTY, f"The specified context '{context}' is not empty."
                )
            con.execute("DELETE FROM counters WHERE context = ?", (context,))
            self.settings.forget(con, str(Subject(context, "")))

    def set_mode(self, scope: Subject | None, mode: str, *, force: bool = False) -> None:
        """Set the mode of everything, a context or a subject. Raises RegistryProblem.

        IMPORT is for an empty scope, unless forced: imported ids must not meet others.
        """
        if mode == "IMPORT" and not force:
            live = self.subjects(scope.context if scope and not scope.name else None)
            if any(scope is None or not scope.name or s.subject == scope for s in live):
                what = "Cannot import since found existing subjects"
                raise RegistryProblem(problems.OPERATION_NOT_PERMITTED, what)
        self.settings.put("mode", scope, {"mode": mode})

    def _check_writable(self, con: sqlite3.Connection, subject: Subject) -> None:
        if self.settings.rules(con, subject).mode in {"READONLY", "READONLY_OVERRIDE"}:
            raise RegistryProblem(
                problems.OPERATION_NOT_PERMITTED,
                f"Subject {subject.name} in context {subject.context} is in read-only mode",
            )

    def _check_deletable(self, con: sqlite3.Connection, stored: StoredSchema, permanent: bool) -> None:
        name = f"Subject '{stored.subject}' Version {stored.version}"
        if permanent and not stored.deleted:
            raise RegistryProblem(
                problems.VERSION_NOT_SOFT_DELETED,
                f"{name} was not deleted first before being permanently deleted",
            )
        if not permanent and stored.deleted:
            raise RegistryProblem(
                problems.VERSION_SOFT_DELETED,
                f"{name} was soft deleted. Set permanent=true to delete permanently",
            )
        _check_unreferenced(con, stored, permanent)

    def _delete(self, con: sqlite3.Connection, chosen: list[StoredSchema], permanent: bool) -> None:
        change = "DELETE FROM versions" if permanent else "UPDATE versions SET deleted = 1"
        for stored in chosen:
            subject = stored.subject
            con.execute(
                f"{change} WHERE context = ? AND subject = ? AND version = ?",
                (subject.context, subject.name, stored.version),
            )
            if permanent:
                self._forget(con, stored)

    def _forget(self, con: sqlite3.Connection, stored: StoredSchema) -> None:
        """A schema that no version holds any more goes, and with a subject's last version its settings."""
        context, key = stored.subject.context, (stored.subject.context, stored.id)
        if not con.execute("SELECT 1 FROM versions WHERE context = ? AND id = ?", key).fetchone():
            con.execute("DELETE FROM uses WHERE context = ? AND id = ?", key)
            con.execute("DELETE FROM schemas WHERE context = ? AND id = ?", key)
            self._parsed.pop((context, stored.id), None)
        if not self._select(con, stored.subject):
            self.settings.forget(con, str(stored.subject))


def incompatible(subject: Subject | str, mode: str, findings: list[Finding]) -> IncompatibleSchema:
    """The refusal of a schema; the first finding stands in the fields, all of them in `findings`."""
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    version = f" (version {first.version})" if first.version is not None else ""
    error = IncompatibleSchema(
        f'Schema being registered is incompatible with an earlier schema for subject "{subject}":'
        f" {first.kind} at {first.path}: {first.message}{more}",
        where=f"subject {subject}, {first.path}, rule {first.kind}, mode {mode}",
        expected=f"what the old schema has: {first.old}{version}",
        got=f"{first.new}",
        fix="give new fields a default, keep the old ones readable, or publish under a new topic",
    )
    error.findings, error.mode = tuple(findings), mode
    return error


def _referenced_by(con: sqlite3.Connection, subject: Subject, version: int, deleted: bool) -> list[int]:
    rows = con.execute(
        "SELECT DISTINCT u.id FROM uses u JOIN versions v ON v.context = u.context AND v.id = u.id"
        " WHERE u.subject = ? AND u.version = ? AND (? OR v.deleted = 0) ORDER BY u.id",
        (str(subject), version, deleted),
    ).fetchall()
    return [row[0] for row in rows]


def _check_unreferenced(
    con: sqlite3.Connection, stored: StoredSchema, deleted: bool, within: Subject | None = None
) -> None:
    rows = con.execute(
        "SELECT v.context, v.subject FROM uses u JOIN versions v ON v.context = u.context AND v.id = u.id"
        " WHERE u.subject = ? AND u.version = ? AND (? OR v.deleted = 0)",
        (str(stored.subject), stored.version, deleted),
    ).fetchall()
    others = {Subject(*row) for row in rows} - ({within} if within else set())
    if others:
        raise RegistryProblem(
            problems.REFERENCE_EXISTS,
            f"One or more references exist to the schema {stored.subject} version {stored.version}",
            where=", ".join(sorted(map(str, others))[:10]),
        )
