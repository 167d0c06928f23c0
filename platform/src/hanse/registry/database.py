"""What the registry asks of its database, and the tables that it keeps there.

Statements are written in what SQLite and PostgreSQL have in common, with `?` for parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from hanse.settings import is_postgres

_TABLES = """
CREATE TABLE IF NOT EXISTS schemas (
    context TEXT NOT NULL, id BIGINT NOT NULL, guid TEXT NOT NULL, type TEXT NOT NULL, text TEXT NOT NULL,
    refs TEXT NOT NULL, metadata TEXT, ruleset TEXT, identity TEXT NOT NULL,
    PRIMARY KEY (context, id), UNIQUE (context, identity));
CREATE TABLE IF NOT EXISTS versions (
    context TEXT NOT NULL, subject TEXT NOT NULL, version BIGINT NOT NULL, id BIGINT NOT NULL,
    deleted BIGINT NOT NULL DEFAULT 0, created_ms BIGINT NOT NULL,
    PRIMARY KEY (context, subject, version));
CREATE INDEX IF NOT EXISTS versions_by_id ON versions (context, id);
CREATE TABLE IF NOT EXISTS uses (
    context TEXT NOT NULL, id BIGINT NOT NULL, subject TEXT NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (context, id, subject, version));
CREATE INDEX IF NOT EXISTS uses_by_subject ON uses (subject, version);
CREATE TABLE IF NOT EXISTS settings (
    kind TEXT NOT NULL, scope TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, scope));
CREATE TABLE IF NOT EXISTS counters (context TEXT PRIMARY KEY, last_id BIGINT NOT NULL);
CREATE VIEW IF NOT EXISTS stored AS
    SELECT v.context, v.subject, v.version, v.id, s.guid, s.type, s.text, s.refs, s.metadata, s.ruleset,
           v.deleted, v.created_ms, s.identity
    FROM versions v JOIN schemas s ON s.context = v.context AND s.id = v.id;
"""
TABLES = tuple(_TABLES.strip().removesuffix(";").split(";\n"))


class Rows(Protocol):
    """What a statement answers."""

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...


class Connection(Protocol):
    """An open transaction."""

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, statement: str, parameters: Sequence[Sequence[object]], /) -> object:
        """Run one statement for each row of parameters."""
        ...


class Database(Protocol):
    """Transactions on the registry's tables; several processes may use the same ones at once.

    `place` names it without its password.
    """

    place: str

    def reading(self) -> AbstractContextManager[Connection]:
        """A consistent view for the block; keep it short. Raises SchemaError."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction with no other writer: committed at the block's end, rolled back when it raises."""
        ...

    def close(self) -> None:
        """Close all connections; the registry is unusable afterwards."""
        ...


def open_database(place: Path | str) -> Database:
    """The database of a SQLite file's path, or of a `postgresql://` address. Raises SchemaError, ConfigError."""
    if is_postgres(str(place)):
        from hanse.registry.postgres_database import PostgresDatabase

        return PostgresDatabase(str(place))
    from hanse.registry.sqlite_database import SqliteDatabase

    return SqliteDatabase(place)
