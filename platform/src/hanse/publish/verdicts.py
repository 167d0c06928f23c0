"""What was published when, and what the checks said: an SQLite file beside the Iceberg catalog.

A snapshot is immutable, so its verdict cannot be among its own properties; it is kept here by table and
snapshot. The same file is the index of older moments: time, offsets, metadata file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hanse.errors import PublicationError
from hanse.quality.result import CheckResult

State = Literal["published", "rejected", "released", "discarded"]

_SEEN = "state IN ('published', 'released')"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdict (
  table_uuid TEXT, snapshot_id INTEGER, passed INTEGER, checks TEXT, checked_at REAL,
  PRIMARY KEY (table_uuid, snapshot_id));
CREATE TABLE IF NOT EXISTS history (
  product TEXT, seq INTEGER, table_uuid TEXT, pub_id TEXT, snapshot_id INTEGER, committed_at REAL, state TEXT,
  rows INTEGER, added INTEGER, deleted INTEGER, set_aside INTEGER, offsets TEXT, contract_version TEXT,
  code_version TEXT, note TEXT, metadata_file TEXT, kept INTEGER DEFAULT 1,
  PRIMARY KEY (product, table_uuid, seq));
CREATE INDEX IF NOT EXISTS history_by_time ON history (product, committed_at);
CREATE TABLE IF NOT EXISTS pin (
  product TEXT, reader TEXT, snapshot_id INTEGER, PRIMARY KEY (product, reader, snapshot_id));
CREATE TABLE IF NOT EXISTS digest (path TEXT PRIMARY KEY, sha256 TEXT, bytes INTEGER);
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The checks of one snapshot. `passed` when no check of severity error failed."""

    passed: bool
    checks: tuple[CheckResult, ...]
    checked_at: datetime

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that reject the snapshot."""
        return tuple(c for c in self.checks if not c.passed and c.severity == "error")


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """One publication of a product. `committed_at` is when readers saw it, or when it was rejected (UTC).

    `rows` counts the whole table, `added` and `deleted` the rows this publication wrote or removed.
    `kept` is False once its files are gone; `metadata_file` leads to moments older than the table's own.
    """

    snapshot_id: int
    seq: int
    committed_at: datetime
    rows: int
    added: int
    deleted: int
    offsets: dict[str, Any]
    contract_version: str
    state: State
    verdict: Verdict | None = None
    set_aside: int = 0
    code_version: str = ""
    pub_id: str = ""
    note: str = ""
    metadata_file: str | None = None
    kept: bool = True
    table_uuid: str = field(default="", repr=False)


class Verdicts:
    """The file, opened for each short use, so that several processes share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ready = False

    @contextmanager
    def _open(self, *, write: bool = False) -> Generator[sqlite3.Connection]:
        con = sqlite3.connect(self._made() if write else self.path, timeout=30, isolation_level=None)
        try:
            if write:
                con.execute("BEGIN IMMEDIATE")
            yield con
            if write:
                con.execute("COMMIT")
        except sqlite3.Error as error:
            if write:
                raise
            raise PublicationError(
                "the history of publications cannot be read", where=str(self.path), got=str(error)
            ) from error
        finally:
            con.close()

    def _made(self) -> Path:
        """The file, with its tables; made once a process."""
        if not self._ready or not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            con = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            try:
                con.execute("PRAGMA journal_mode=WAL")
                con.executescript(_SCHEMA)
            finally:
                con.close()
            self._ready = True
        return self.path

    def store(
        self, table_uuid: str, snapshot_id: int, verdict: Verdict, digests: dict[str, tuple[str, int]]
    ) -> None:
        """Keep a verdict, in place of an earlier one, and SHA-256 and size of the snapshot's new files."""
        checks = json.dumps([c.as_dict() for c in verdict.checks], default=str)
        with self._open(write=True) as con:
            con.execute(
                "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?, ?)",
                (table_uuid, snapshot_id, verdict.passed, checks, verdict.checked_at.timestamp()),
            )
            con.executemany(
                "INSERT OR REPLACE INTO digest VALUES (?, ?, ?)", [(p, d, n) for p, (d, n) in digests.items()]
            )

    def get(self, table_uuid: str, snapshot_id: int) -> Verdict | None:
        """The verdict on a snapshot, or None when it was never checked."""
        if not self.path.exists():
            return None
        with self._open() as con:
            row = con.execute(
                "SELECT passed, checks, checked_at FROM verdict WHERE table_uuid = ? AND snapshot_id = ?",
                (table_uuid, snapshot_id),
            ).fetchone()
        return _verdict(row) if row else None

    def record(self, product: str, entry: SnapshotInfo) -> None:
        """Keep an entry of the history; one of the same product, table and seq is replaced."""
        with self._open(write=True) as con:
            con.execute(
                "INSERT OR REPLACE INTO history VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    product,
                    entry.seq,
                    entry.table_uuid,
                    entry.pub_id,
                    entry.snapshot_id,
                    entry.committed_at.timestamp(),
                    entry.state,
                    entry.rows,
                    entry.added,
                    entry.deleted,
                    entry.set_aside,
                    json.dumps(entry.offsets, default=str),
                    entry.contract_version,
                    entry.code_version,
                    entry.note,
                    entry.metadata_file,
                    entry.kept,
                ),
            )

    def mark(self, product: str, table_uuid: str, seqs: Sequence[int], *, state: State) -> None:
        """Give entries another state."""
        with self._open(write=True) as con:
            con.executemany(
                "UPDATE history SET state = ? WHERE product = ? AND table_uuid = ? AND seq = ?",
                [(state, product, table_uuid, seq) for seq in seqs],
            )

    def expire(self, product: str, table_uuid: str, moments: dict[int, str | None]) -> None:
        """Say where snapshots that left the table can be found: a metadata file, or None when gone."""
        with self._open(write=True) as con:
            con.executemany(
                "UPDATE history SET metadata_file = ?, kept = ?"
                " WHERE product = ? AND table_uuid = ? AND seq = ?",
                [(path, path is not None, product, table_uuid, seq) for seq, path in moments.items()],
            )

    def history(self, product: str) -> list[SnapshotInfo]:
        """All publications of a product, oldest first."""
        return self._select("product = ? ORDER BY committed_at, seq", (product,))

    def newest(self, product: str, at: datetime | None = None) -> SnapshotInfo | None:
        """The newest publication that readers saw, at a moment or now."""
        moment = at.timestamp() if at else float("inf")
        found = self._select(
            f"product = ? AND {_SEEN} AND committed_at <= ? ORDER BY committed_at DESC, seq DESC LIMIT 1",
            (product, moment),
        )
        return found[0] if found else None

    def find(self, product: str, number: int) -> SnapshotInfo | None:
        """The publication with that number or snapshot id."""
        found = self._select(
            "product = ? AND ? IN (seq, snapshot_id) ORDER BY committed_at DESC LIMIT 1", (product, number)
        )
        return found[0] if found else None

    def kept(self, product: str) -> list[SnapshotInfo]:
        """Publications that can still be read, oldest first."""
        return self._select(f"product = ? AND kept AND {_SEEN} ORDER BY committed_at", (product,))

    def last_seq(self, product: str) -> int:
        """The highest number of a publication, 0 when there is none."""
        if not self.path.exists():
            return 0
        with self._open() as con:
            row = con.execute("SELECT max(seq) FROM history WHERE product = ?", (product,)).fetchone()
        return int(row[0] or 0)

    def pin(self, product: str, reader: str, snapshot_id: int) -> None:
        """A product that reads this one stands on a snapshot, or is about to: it stays readable."""
        with self._open(write=True) as con:
            con.execute("INSERT OR IGNORE INTO pin VALUES (?, ?, ?)", (product, reader, snapshot_id))

    def unpin(self, product: str, reader: str, keep: int | None) -> None:
        """The reader needs none of the product's snapshots any more, except `keep`."""
        with self._open(write=True) as con:
            con.execute(
                "DELETE FROM pin WHERE product = ? AND reader = ? AND snapshot_id IS NOT ?",
                (product, reader, keep),
            )

    def drop_pins(self, product: str, readers: set[str]) -> None:
        """Products other than these read it no more."""
        marks = ", ".join("?" for _ in readers)
        with self._open(write=True) as con:
            con.execute(f"DELETE FROM pin WHERE product = ? AND reader NOT IN ({marks})", (product, *readers))

    def pinned(self, product: str) -> set[int]:
        """Snapshots of a product that others stand on."""
        with self._open(write=True) as con:
            found = con.execute("SELECT snapshot_id FROM pin WHERE product = ?", (product,)).fetchall()
        return {int(row[0]) for row in found}

    def _select(self, where: str, parameters: tuple[Any, ...]) -> list[SnapshotInfo]:
        if not self.path.exists():
            return []
        query = (
            "SELECT h.*, v.passed, v.checks, v.checked_at FROM history h "
            f"LEFT JOIN verdict v USING (table_uuid, snapshot_id) WHERE {where}"
        )
        with self._open() as con:
            return [_entry(row) for row in con.execute(query, parameters).fetchall()]

    def products(self) -> list[str]:
        """Full names that have a history."""
        if not self.path.exists():
            return []
        with self._open() as con:
            return [str(r[0]) for r in con.execute("SELECT DISTINCT product FROM history ORDER BY 1")]

    def forget_digests(self, paths: Sequence[str]) -> None:
        """Drop the digests of files that were deleted."""
        with self._open(write=True) as con:
            con.executemany("DELETE FROM digest WHERE path = ?", [(p,) for p in paths])

    def digests(self) -> dict[str, tuple[str, int]]:
        """SHA-256 and size in bytes of each data file."""
        if not self.path.exists():
            return {}
        with self._open() as con:
            return {
                str(p): (str(d), int(n)) for p, d, n in con.execute("SELECT path, sha256, bytes FROM digest")
            }


def _verdict(row: Sequence[Any]) -> Verdict:
    passed, checks, checked_at = row
    results = tuple(CheckResult.from_dict(c) for c in json.loads(checks))
    return Verdict(bool(passed), results, datetime.fromtimestamp(checked_at, UTC))


def _entry(row: Sequence[Any]) -> SnapshotInfo:
    (
        _,
        seq,
        uuid,
        pub_id,
        snapshot_id,
        at,
        state,
        rows,
        added,
        deleted,
        aside,
        offsets,
        contract,
        code,
        note,
    ) = row[:15]
    metadata_file, kept, *verdict = row[15:]
    return SnapshotInfo(
        snapshot_id=snapshot_id,
        seq=seq,
        committed_at=datetime.fromtimestamp(at, UTC),
        rows=rows,
        added=added,
        deleted=deleted,
        set_aside=aside,
        offsets=json.loads(offsets),
        contract_version=contract,
        code_version=code,
        state=state,
        note=note or "",
        pub_id=pub_id,
        metadata_file=metadata_file,
        kept=bool(kept),
        table_uuid=uuid,
        verdict=_verdict(verdict) if verdict[1] else None,
    )
