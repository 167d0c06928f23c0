"""The registry's tables in a SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hanse.errors import SchemaError
from hanse.registry.database import TABLES

BUSY_SECONDS = 30.0


class SqliteDatabase:
    """One SQLite file, a connection per thread. Writes take the lock at once (BEGIN IMMEDIATE)."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.place = str(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        self._closed = False
        with self.writing() as con:
            for statement in TABLES:
                con.execute(statement)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection. Raises SchemaError after close."""
        if self._closed:
            raise SchemaError("the schema registry is closed", where=str(self.path))
        con: sqlite3.Connection | None = getattr(self._local, "con", None)
        if con is None:
            con = self._connect()
            self._local.con = con
        return con

    def _connect(self) -> sqlite3.Connection:
        try:
            con = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            con.execute("PRAGMA journal_mode=WAL")
            con.execute("PRAGMA synchronous=FULL")
        except sqlite3.DatabaseError as error:
            raise SchemaError(
                "the schema registry cannot be opened", where=str(self.path), got=str(error)
            ) from error
        with self._lock:
            self._open.append(con)
        return con

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A consistent view for the block; keep it short."""
        con = self.connection()
        if con.in_transaction:
            yield con
            return
        try:
            con.execute("BEGIN")
            try:
                yield con
            finally:
                if con.in_transaction:
                    con.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            raise SchemaError(
                "the schema registry could not be read", where=str(self.path), got=str(error)
            ) from error

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A write transaction: committed at the end of the block, rolled back when it raises."""
        con = self.connection()
        try:
            con.execute("BEGIN IMMEDIATE")
            try:
                yield con
            except BaseException:
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if con.in_transaction:
                con.execute("ROLLBACK")
            raise SchemaError(
                "the schema registry could not be written", where=str(self.path), got=str(error)
            ) from error

    def close(self) -> None:
        """Close all connections; the registry is unusable afterwards."""
        self._closed = True
        with self._lock:
            while self._open:
                self._open.pop().close()
