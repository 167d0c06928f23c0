"""The registry's store: registration under the rules in force, over what `reading` and `deletions` do.

Safe for several processes on one file or database. A registration is checked outside the write lock and committed
inside it if nothing that it was checked against has changed; otherwise it is checked again.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hanse.errors import IncompatibleSchema
from hanse.registry import problems
from hanse.registry.database import Connection, open_database
from hanse.registry.deletions import READ_ONLY, Deletions
from hanse.registry.problems import RegistryProblem
from hanse.registry.records import Rules, StoredSchema, Subject, Submission
from hanse.registry.rows import (
    guid_of,
    identity_of,
    json_or_null,
    merged_layers,
    property_of,
)
from hanse.schemas import Finding, ParsedSchema, check, parse
from hanse.schemas.text import sorted_json


@dataclass(frozen=True, slots=True)
class _Plan:
    """A registration thought through: what it was checked against and what to write."""

    seen: tuple[object, ...]
    submission: Submission
    parsed: ParsedSchema
    equal: StoredSchema | None


class RegistryStore(Deletions):
    """All that the registry knows, in one SQLite file or PostgreSQL database."""

    def __init__(self, place: Path | str) -> None:
        super().__init__(open_database(place))

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
            history = self._versions_of(con, subject)
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
        if rules.mode in READ_ONLY:
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

    def _write(self, con: Connection, subject: Subject, plan: _Plan) -> StoredSchema:
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
            "INSERT INTO versions VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (context, subject, version)"
            " DO UPDATE SET id = excluded.id, deleted = 0, created_ms = excluded.created_ms",
            (subject.context, subject.name, version, schema_id, time.time_ns() // 1_000_000),
        )
        stored = self._one(con, subject, version)
        if stored is None:
            raise RegistryProblem(problems.STORE_ERROR, "the version that was just written is not there")
        return stored

    def _schema_id(
        self, con: Connection, subject: Subject, submission: Submission, parsed: ParsedSchema
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
        con.execute("INSERT INTO counters VALUES (?, 0) ON CONFLICT DO NOTHING", (context,))
        step, wanted = (1, 0) if submission.id is None else (0, submission.id)
        (schema_id,) = con.execute(
            "UPDATE counters SET last_id = CASE WHEN last_id + ? > ? THEN last_id + ? ELSE ? END"
            " WHERE context = ? RETURNING last_id",
            (step, wanted, step, wanted, context),
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
            "INSERT INTO uses VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                (context, schema_id, str(Subject.parse(r.subject, context)), r.version)
                for r in submission.references
            ],
        )
        return schema_id

    def _seen(self, con: Connection, subject: Subject) -> tuple[object, ...]:
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
            live = [stored for stored in self._versions_of(con, subject) if not stored.deleted]
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
            versions = self._versions_of(con, subject)
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

    def _parse(
        self, submission: Submission, subject: Subject, *, strict: bool, normalize: bool
    ) -> ParsedSchema:
        references = self._resolved(submission.references, subject.context)
        return parse(submission.schema_type, submission.text, references, strict=strict, normalize=normalize)

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
