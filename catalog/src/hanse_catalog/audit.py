"""Who read which products, when and how much: kept in an SQLite file, never with the rows or the query's text.

The text of a query can hold personal values, so only its digest is kept; equal digests are equal texts.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reading (
  at REAL NOT NULL, reader TEXT NOT NULL, action TEXT NOT NULL, products TEXT NOT NULL,
  query TEXT NOT NULL, outcome TEXT NOT NULL, rows INTEGER, ms REAL NOT NULL);
CREATE INDEX IF NOT EXISTS reading_at ON reading (at);
"""
KEPT_DAYS = 400
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading. `at` is UTC; `query` the first 16 hex digits of the text's SHA-256; `rows` None for a stream."""

    at: datetime
    reader: str
    action: str
    products: tuple[str, ...]
    query: str
    outcome: str
    rows: int | None
    ms: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "at": self.at.isoformat(), "products": list(self.products)}


_Row = tuple[float, str, str, str, str, str, int | None, float]


class Audit:
    """The file, written by a thread of its own, many readings in one transaction.

    Without a path nothing is kept. `close` writes what is still waiting; a crash loses the last moment.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: SimpleQueue[_Row | None] = SimpleQueue()
        self._writer: threading.Thread | None = None

    @contextmanager
    def _open(self, path: Path) -> Generator[sqlite3.Connection]:
        fresh = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        con = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            if fresh:
                path.chmod(0o600)
                con.execute("PRAGMA journal_mode=WAL")
                con.executescript(_SCHEMA)
            yield con
        finally:
            con.close()

    def start(self) -> None:
        """Start the writer, and forget what is older than `KEPT_DAYS`."""
        if self._path is None:
            return
        with self._open(self._path) as con:
            con.execute("DELETE FROM reading WHERE at < ?", (time.time() - KEPT_DAYS * 86_400,))
        self._writer = threading.Thread(target=self._write, args=(self._path,), name="audit")
        self._writer.start()

    def close(self) -> None:
        """Write what waits and end the writer."""
        if self._writer is not None:
            self._rows.put(None)
            self._writer.join()
            self._writer = None

    def note(
        self,
        reader: str,
        action: str,
        products: Iterable[str],
        text: str,
        outcome: str,
        rows: int | None,
        seconds: float,
    ) -> None:
        """Keep one reading."""
        if self._writer is not None:
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            names = json.dumps(sorted(products))
            self._rows.put((time.time(), reader, action, names, digest, outcome, rows, seconds * 1_000))

    def _write(self, path: Path) -> None:
        with self._open(path) as con:
            while (row := self._rows.get()) is not None:
                batch = [row]
                while not self._rows.empty() and len(batch) < _BATCH:
                    more = self._rows.get()
                    if more is None:
                        self._rows.put(None)
                        break
                    batch.append(more)
                con.execute("BEGIN IMMEDIATE")
                con.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?, ?)", batch)
                con.execute("COMMIT")

    def last(self, count: int, product: str | None = None, reader: str | None = None) -> list[Reading]:
        """The newest readings first, of one product or one reader if asked."""
        if self._path is None or not self._path.exists():
            return []
        wanted = "(? IS NULL OR EXISTS (SELECT 1 FROM json_each(products) WHERE value = ?))"
        with self._open(self._path) as con:
            rows = con.execute(
                f"SELECT * FROM reading WHERE {wanted} AND (? IS NULL OR reader = ?)"  # noqa: S608
                " ORDER BY at DESC LIMIT ?",
                (product, product, reader, reader, count),
            ).fetchall()
        return [
            Reading(datetime.fromtimestamp(at, UTC), who, action, tuple(json.loads(products)), *rest)
            for at, who, action, products, *rest in rows
        ]
