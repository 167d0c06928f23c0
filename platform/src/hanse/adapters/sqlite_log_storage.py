"""How the embedded log lies in its SQLite file: schema, connections, and rows of Arrow IPC.

A row of `batches` holds up to `ROW_RECORDS` records of one partition as one Arrow IPC message, raw
or compressed with LZ4, under a CRC-32. Its offsets are contiguous from `base`, unless compaction
took some away; then the message carries a column `offset` too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from hanse.errors import LogError
from hanse.log.rows import BODY
from hanse.ports.event_log import RECORDS

Sync = Literal["full", "normal"]

ROW_RECORDS = 10_000
ROW_BYTES = 4 * 1024 * 1024
_LZ4_FROM = 1_024
_APPLICATION_ID = 0x48414E53  # "HANS"
_VERSION = 1
_SCHEMA = """
CREATE TABLE topics (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    topic_id TEXT NOT NULL,
    partitions INTEGER NOT NULL,
    cleanup TEXT NOT NULL,
    retention_ms INTEGER,
    retention_bytes INTEGER
);
CREATE TABLE partitions (
    topic INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    topic INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    last INTEGER NOT NULL,
    base INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min_ts INTEGER NOT NULL,
    max_ts INTEGER NOT NULL,
    appended_ms INTEGER NOT NULL,
    raw_size INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    sparse INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX batches_by_offset ON batches (topic, partition, last);
"""

SPARSE = pa.schema([RECORDS.field("offset"), *BODY])
_LZ4 = pa.Codec("lz4_raw")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `batches` before it has its place."""

    count: int
    min_ts: int
    max_ts: int
    raw_size: int
    crc: int
    data: bytes


def encode(rows: pa.RecordBatch) -> Row:
    """The stored form of rows shaped as `BODY` or `SPARSE`."""
    raw = rows.serialize()
    data = raw.to_pybytes()
    if len(data) >= _LZ4_FROM:
        packed = _LZ4.compress(raw, asbytes=True)
        if len(packed) < len(data) * 9 // 10:
            data = packed
    stamps = np.asarray(rows.column("timestamp").cast(pa.int64()).to_numpy())
    return Row(rows.num_rows, int(stamps.min()), int(stamps.max()), raw.size, zlib.crc32(data), data)


def decode(data: bytes, raw_size: int, crc: int, sparse: int, where: str) -> pa.RecordBatch:
    """Rows shaped as `BODY` or `SPARSE`. Raises LogError when the bytes are not those written."""
    if zlib.crc32(data) != crc:
        raise LogError(
            "the event log is damaged: stored bytes do not match their checksum",
            where=where,
            expected=f"CRC-32 {crc:08x}",
            got=f"{zlib.crc32(data):08x}",
            fix="restore log.db from a backup; records before and after this batch are readable",
        )
    buffer = pa.py_buffer(data)
    if len(data) != raw_size:
        buffer = _LZ4.decompress(buffer, decompressed_size=raw_size)
    return pa.ipc.read_record_batch(buffer, SPARSE if sparse else BODY)


def pieces(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Slices that fit a row of `batches` (a single record may be larger than `ROW_BYTES`)."""
    total = rows.num_rows
    step = min(ROW_RECORDS, max(1, total))
    if rows.nbytes > ROW_BYTES:
        step = min(step, max(1, total * ROW_BYTES // rows.nbytes))
    for start in range(0, total, step):
        piece = rows.slice(start, step)
        if piece.num_rows > 1 and piece.nbytes > 2 * ROW_BYTES:
            half = piece.num_rows // 2
            yield from pieces(piece.slice(0, half))
            yield from pieces(piece.slice(half))
        else:
            yield piece


def connect(path: Path, sync: Sync, max_bytes: int | None = None) -> sqlite3.Connection:
    """A connection in autocommit mode with the log's pragmas. Raises LogError for a foreign file."""
    con = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    try:
        con.execute(f"PRAGMA synchronous={sync.upper()}")
        con.execute("PRAGMA wal_autocheckpoint=4000")
        con.execute("PRAGMA journal_size_limit=67108864")
        con.execute("PRAGMA cache_size=-8192")
        if max_bytes is not None:
            page = int(con.execute("PRAGMA page_size").fetchone()[0])
            con.execute(f"PRAGMA max_page_count={max(1, max_bytes // page)}")
    except BaseException:
        con.close()
        raise
    return con


def prepare(con: sqlite3.Connection, path: Path) -> None:
    """Make the schema in a new file, or see that the file is a log of this version."""
    found = int(con.execute("PRAGMA application_id").fetchone()[0])
    if found == 0 and not con.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        con.execute("PRAGMA auto_vacuum=INCREMENTAL")
        con.execute("PRAGMA journal_mode=WAL")
        con.execute("BEGIN IMMEDIATE")
        if not con.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in _SCHEMA.split(";\n"):
                con.execute(statement)
            con.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            con.execute(f"PRAGMA user_version={_VERSION}")
        con.execute("COMMIT")
        found = int(con.execute("PRAGMA application_id").fetchone()[0])
    version = int(con.execute("PRAGMA user_version").fetchone()[0])
    if (found, version) != (_APPLICATION_ID, _VERSION):
        raise LogError(
            "the file is not an event log of this version",
            where=str(path),
            expected=f"application id {_APPLICATION_ID:#x}, version {_VERSION}",
            got=f"application id {found:#x}, version {version}",
        )


@contextlib.contextmanager
def errors_named(path: Path) -> Generator[None]:
    """Turns what SQLite raises into one clear LogError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _named(error, path) from error


class Full(LogError):
    """No room for a commit; a smaller one may still fit."""


def _named(error: sqlite3.Error, path: Path) -> LogError:
    text = str(error)
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith("SQLITE_FULL") or "full" in text:
        return Full(
            "the event log is full; nothing of this batch was stored",
            where=str(path),
            got=text,
            fix="free space on the disk, or run `hanse log retain`",
        )
    if code.startswith("SQLITE_IOERR"):
        return LogError(
            "the event log could not be written or read; nothing of this batch was stored",
            where=str(path),
            got=f"{text} ({code})",
            fix="see whether the disk is full, has a quota, or is failing",
        )
    if code.startswith("SQLITE_BUSY"):
        return LogError(
            "another process holds the event log", where=str(path), got=text, fix="try again when it is done"
        )
    return LogError("the event log failed", where=str(path), got=f"{text} ({code})".removesuffix(" ()"))


@contextlib.contextmanager
def transaction(con: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """A write transaction that commits, or rolls back when something is raised."""
    con.execute("BEGIN IMMEDIATE")
    try:
        yield con
        con.execute("COMMIT")
    except BaseException:
        if con.in_transaction:
            con.execute("ROLLBACK")
        raise


class Turns:
    """Lets the processes that write take turns: SQLite's own lock starves a waiter for seconds.

    Two file locks make a turnstile: who waits for the second holds the first, so a writer that
    comes back at once stands behind it.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._next = os.open(
            path.with_name(f"{path.name}-next"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
        self._turn = os.open(
            path.with_name(f"{path.name}-turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
        self._timeout = timeout_s
        self._path = path

    @contextlib.contextmanager
    def take(self) -> Generator[None]:
        """Hold the turn to write. Raises LogError after the timeout."""
        deadline = time.monotonic() + self._timeout
        self._lock(self._next, deadline)
        try:
            self._lock(self._turn, deadline)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _lock(self, handle: int, deadline: float) -> None:
        pause = 0.000_2
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LogError(
                        "another process holds the event log",
                        where=str(self._path),
                        fix="see which process is writing; a stopped one must be continued or ended",
                    ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.002)

    def close(self) -> None:
        """Close the lock files; they stay on disk."""
        os.close(self._next)
        os.close(self._turn)


class Readers:
    """Connections for reading, handed out one a thread at a time and kept for the next."""

    def __init__(self, path: Path, sync: Sync) -> None:
        self._path = path
        self._sync: Sync = sync
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def borrow(self) -> Generator[sqlite3.Connection]:
        """A connection; given back without an open transaction."""
        with self._lock:
            if self._closed:
                raise LogError("the event log is closed", where=str(self._path))
            con = self._idle.pop() if self._idle else None
        con = con or connect(self._path, self._sync)
        try:
            yield con
        finally:
            if con.in_transaction:
                con.execute("ROLLBACK")
            with self._lock:
                keep = not self._closed and len(self._idle) < 8
                if keep:
                    self._idle.append(con)
            if not keep:
                con.close()

    def close(self) -> None:
        """Close idle connections; borrowed ones close when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for con in idle:
            con.close()


def insert(con: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Insert rows of `batches`: all columns but the id, in the order of the schema."""
    con.executemany("INSERT INTO batches VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
