"""Settings of the registry: compatibility and mode, global, per context and per subject."""

from __future__ import annotations

import json
from typing import Any, Literal

from hanse.registry.database import Connection, Database
from hanse.registry.records import DEFAULT_CONTEXT, Rules, Subject

Kind = Literal["config", "mode"]
GLOBAL = ""
DEFAULT_CONFIG: dict[str, Any] = {"compatibilityLevel": "BACKWARD"}
DEFAULT_MODE: dict[str, Any] = {"mode": "READWRITE"}


def scope_of(subject: Subject | None) -> str:
    """The key under which a subject's settings stand; a subject without name means its context."""
    if subject is None or (subject.context == DEFAULT_CONTEXT and not subject.name):
        return GLOBAL
    return str(subject)


class SettingsStore:
    """Reads and writes settings; what a subject does not set comes from its context, then from global."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def rules(self, con: Connection, subject: Subject) -> Rules:
        """What is in force for a subject."""
        config = self._in_force(con, "config", subject)
        mode = self._in_force(con, "mode", subject).get("mode", "READWRITE")
        top = self._get(con, "mode", GLOBAL) or {}
        if top.get("mode") == "READONLY_OVERRIDE":
            mode = "READONLY_OVERRIDE"
        return Rules(config["compatibilityLevel"], bool(config.get("normalize")), mode, config)

    def get(self, kind: Kind, subject: Subject | None) -> dict[str, Any] | None:
        """What was set for exactly this scope, or None; global has defaults."""
        scope = scope_of(subject)
        with self.database.reading() as con:
            found = self._get(con, kind, scope)
        return {**_default(kind), **(found or {})} if scope == GLOBAL else found

    def in_force(self, kind: Kind, subject: Subject | None) -> dict[str, Any]:
        """What holds for a scope, inherited values included."""
        with self.database.reading() as con:
            return self._in_force(con, kind, subject or Subject(DEFAULT_CONTEXT, ""))

    def target_of(self, subject: Subject) -> Subject:
        """The subject that a name means: another one where the name was configured as its alias."""
        alias = (self.get("config", subject) or {}).get("alias") if subject.name else None
        return Subject.parse(alias, subject.context) if isinstance(alias, str) and alias else subject

    def put(self, kind: Kind, subject: Subject | None, value: dict[str, Any]) -> None:
        """Set values for a scope, keeping the others that it has; None unsets one."""
        scope = scope_of(subject)
        with self.database.writing() as con:
            merged = {**(self._get(con, kind, scope) or {}), **value}
            kept = {k: v for k, v in merged.items() if v is not None}
            con.execute(
                "INSERT INTO settings VALUES (?, ?, ?) ON CONFLICT (kind, scope)"
                " DO UPDATE SET value = excluded.value",
                (kind, scope, json.dumps(kept)),
            )

    def delete(self, kind: Kind, subject: Subject | None) -> dict[str, Any] | None:
        """Unset a scope; returns what it had."""
        scope = scope_of(subject)
        with self.database.writing() as con:
            found = self._get(con, kind, scope)
            con.execute("DELETE FROM settings WHERE kind = ? AND scope = ?", (kind, scope))
        return {**_default(kind), **(found or {})} if scope == GLOBAL else found

    def forget(self, con: Connection, scope: str) -> None:
        """Drop all settings of a subject, within the caller's transaction."""
        con.execute("DELETE FROM settings WHERE scope = ?", (scope,))

    def all(self, con: Connection) -> list[list[str]]:
        """Every setting, to see whether any has changed."""
        return [list(row) for row in con.execute("SELECT * FROM settings ORDER BY kind, scope").fetchall()]

    def _in_force(self, con: Connection, kind: Kind, subject: Subject) -> dict[str, Any]:
        found = dict(_default(kind))
        for scope in (GLOBAL, scope_of(Subject(subject.context, "")), scope_of(subject)):
            found |= self._get(con, kind, scope) or {}
        return found

    def _get(self, con: Connection, kind: Kind, scope: str) -> dict[str, Any] | None:
        row = con.execute("SELECT value FROM settings WHERE kind = ? AND scope = ?", (kind, scope)).fetchone()
        return json.loads(row[0]) if row else None


def _default(kind: Kind) -> dict[str, Any]:
    return DEFAULT_CONFIG if kind == "config" else DEFAULT_MODE
