"""The catalog's own SQLite file: tokens and requests for access."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS token (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, grants TEXT NOT NULL,
  created_at REAL NOT NULL, expires_at REAL NOT NULL, revoked_at REAL);
CREATE TABLE IF NOT EXISTS request (
  id INTEGER PRIMARY KEY AUTOINCREMENT, reader TEXT NOT NULL, product TEXT NOT NULL, reason TEXT NOT NULL,
  days INTEGER NOT NULL, state TEXT NOT NULL, asked_at REAL NOT NULL, decided_by TEXT, decided_at REAL,
  note TEXT, until REAL);
CREATE INDEX IF NOT EXISTS request_reader ON request (reader, state);
"""
_VERSION = 1


def utc(seconds: float) -> datetime:
    """A moment as it is kept."""
    return datetime.fromtimestamp(seconds, UTC)


@contextmanager
def opened(path: Path, *, write: bool = False) -> Generator[sqlite3.Connection]:
    """The file, for a short use; with `write` it is made if need be, in one transaction."""
    fresh = not path.exists()
    if fresh and not write:
        raise FileNotFoundError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    con = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        if fresh:
            path.chmod(0o600)
            con.execute("PRAGMA journal_mode=WAL")
        if con.execute("PRAGMA user_version").fetchall() != [(_VERSION,)]:
            con.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
        if write:
            con.execute("BEGIN IMMEDIATE")
        yield con
        if write:
            con.execute("COMMIT")
    finally:
        con.close()
