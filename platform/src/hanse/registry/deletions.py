"""Deletion of versions, subjects and contexts: soft first, then for good, and never what others refer to."""

from __future__ import annotations

from hanse.registry import problems
from hanse.registry.database import Connection
from hanse.registry.problems import RegistryProblem
from hanse.registry.reading import Reading
from hanse.registry.records import StoredSchema, Subject

READ_ONLY = frozenset({"READONLY", "READONLY_OVERRIDE"})


class Deletions(Reading):
    """The part of the store that takes away."""

    def delete_version(self, subject: Subject, version: int, *, permanent: bool = False) -> int:
        """Soft-delete a version, or remove one that was soft-deleted. Returns its number.

        Raises RegistryProblem when it is not there, not in the right state, referenced or read-only.
        """
        with self.database.writing() as con:
            self._check_writable(con, subject)
            versions = self._versions_of(con, subject)
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
            versions = self._versions_of(con, subject)
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

    def _check_writable(self, con: Connection, subject: Subject) -> None:
        if self.settings.rules(con, subject).mode in READ_ONLY:
            raise RegistryProblem(
                problems.OPERATION_NOT_PERMITTED,
                f"Subject {subject.name} in context {subject.context} is in read-only mode",
            )

    def _check_deletable(self, con: Connection, stored: StoredSchema, permanent: bool) -> None:
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

    def _delete(self, con: Connection, chosen: list[StoredSchema], permanent: bool) -> None:
        change = "DELETE FROM versions" if permanent else "UPDATE versions SET deleted = 1"
        for stored in chosen:
            subject = stored.subject
            con.execute(
                f"{change} WHERE context = ? AND subject = ? AND version = ?",
                (subject.context, subject.name, stored.version),
            )
            if permanent:
                self._forget(con, stored)

    def _forget(self, con: Connection, stored: StoredSchema) -> None:
        """A schema that no version holds any more goes, and with a subject's last version its settings."""
        context, key = stored.subject.context, (stored.subject.context, stored.id)
        if not con.execute("SELECT 1 FROM versions WHERE context = ? AND id = ?", key).fetchone():
            con.execute("DELETE FROM uses WHERE context = ? AND id = ?", key)
            con.execute("DELETE FROM schemas WHERE context = ? AND id = ?", key)
            self._parsed.pop((context, stored.id), None)
        if not self._versions_of(con, stored.subject):
            self.settings.forget(con, str(stored.subject))


def _check_unreferenced(
    con: Connection, stored: StoredSchema, deleted: bool, within: Subject | None = None
) -> None:
    rows = con.execute(
        "SELECT v.context, v.subject FROM uses u JOIN versions v ON v.context = u.context AND v.id = u.id"
        " WHERE u.subject = ? AND u.version = ? AND v.deleted <= ?",
        (str(stored.subject), stored.version, int(deleted)),
    ).fetchall()
    others = {Subject(*row) for row in rows} - ({within} if within else set())
    if others:
        raise RegistryProblem(
            problems.REFERENCE_EXISTS,
            f"One or more references exist to the schema {stored.subject} version {stored.version}",
            where=", ".join(sorted(map(str, others))[:10]),
        )
