"""The registry's tables in a PostgreSQL database, in a schema of their own."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from hanse.errors import ConfigError, SchemaError
from hanse.registry.database import TABLES, Connection, Rows

try:
    import psycopg
except ImportError as error:
    raise ConfigError(
        "the setting `registry` names PostgreSQL, whose driver is not installed",
        got=str(error),
        fix="install hanse with its extra: hanse[postgres]",
    ) from error

SCHEMA = "hanse_registry"
CONNECT_SECONDS = 30
_LOCK = 0x48616E7365  # any number that nobody else takes; held by the one writer


class PostgresDatabase:
    """One PostgreSQL database, a connection per thread. Writers wait for each other at the start."""

    def __init__(self, address: str) -> None:
        self._address = address
        parts = urlsplit(address)
        self.place = f"postgresql://{parts.hostname or ''}{parts.path}"
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[psycopg.Connection[Any]] = []
        self._closed = False
        with self.writing() as con:
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            for statement in TABLES:
                con.execute(_dialect(statement))

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A consistent view for the block; within a transaction of this thread, that one."""
        con = self._connection()
        if con.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            yield _Statements(con)
            return
        with self._errors("read", con):
            con.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield _Statements(con)
            con.execute("COMMIT")

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that holds the writers' lock."""
        con = self._connection()
        with self._errors("written", con):
            con.execute("BEGIN")
            con.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            yield _Statements(con)
            con.execute("COMMIT")

    def close(self) -> None:
        """Close all connections; the registry is unusable afterwards."""
        self._closed = True
        with self._lock:
            while self._open:
                self._open.pop().close()

    def _connection(self) -> psycopg.Connection[Any]:
        if self._closed:
            raise SchemaError("the schema registry is closed", where=self.place)
        con: psycopg.Connection[Any] | None = getattr(self._local, "con", None)
        if con is None or con.closed:
            con = self._connect()
            self._local.con = con
        return con

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            con = psycopg.connect(
                self._address,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options=f"-c search_path={SCHEMA} -c client_min_messages=warning",
            )
        except psycopg.Error as error:
            raise SchemaError(
                "the schema registry cannot be opened", where=self.place, got=str(error)
            ) from error
        with self._lock:
            self._open = [known for known in self._open if not known.closed]
            self._open.append(con)
        return con

    @contextmanager
    def _errors(self, verb: str, con: psycopg.Connection[Any]) -> Generator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise SchemaError(
                f"the schema registry could not be {verb}", where=self.place, got=str(error)
            ) from error
        finally:
            # whatever ended the block early ended its transaction too
            if not con.closed and con.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                con.rollback()


class _Statements:
    """The statements of both databases, in psycopg's spelling."""

    def __init__(self, con: psycopg.Connection[Any]) -> None:
        self._con = con

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> Rows:
        return self._con.execute(_spelt(statement), parameters or None)

    def executemany(self, statement: str, parameters: Sequence[Sequence[object]], /) -> object:
        with self._con.cursor() as cursor:
            cursor.executemany(_spelt(statement), parameters)
        return None


def _spelt(statement: str) -> Any:
    return statement.replace("?", "%s")


def _dialect(statement: str) -> str:
    """A table's statement: texts sorted by their code points, as SQLite does."""
    text = statement.replace("CREATE VIEW IF NOT EXISTS", "CREATE OR REPLACE VIEW")
    return text.replace(" TEXT", ' TEXT COLLATE "C"')
