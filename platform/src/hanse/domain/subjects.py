"""Keys of data subjects: what is encrypted for a person can be read until the person is forgotten.

One AES-256 key a subject, in a file of its own. Personal fields are encrypted with AES-GCM (NIST SP 800-38D),
the subject's name bound in as associated data. Forgetting destroys the key and keeps a tombstone, so that no
new key is ever made for that subject.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hanse.errors import ConcurrencyConflict, DecodeError, StoreError, SubjectForgotten

PREFIX = "enc:v1:"
_NONCE_BYTES = 12
_CACHE = 100_000
_UNKNOWN = object()


class SubjectKeys:
    """The keys in one SQLite file, readable by its owner only. Threads may share it, and processes may open it too."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._path = path
        self._lock = threading.RLock()
        try:
            self._connection = _open(path)
        except sqlite3.Error as error:
            raise StoreError("cannot open the keys of subjects", where=str(path), got=str(error)) from error
        self._ciphers: dict[str, Any] = {}
        self._fresh: dict[str, bytes] = {}
        self._batching = self._looked = False
        self._seen_version = -1

    def encrypt(self, subject: str, plaintext: str) -> str:
        """`enc:v1:` and the base64 of nonce, ciphertext and tag; a new subject gets a key.

        The key is durable on return, or in a `batch` when the batch ends. Raises SubjectForgotten.
        """
        with self._lock:
            cipher = self._cipher(subject) or self._new_key(subject)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, plaintext.encode(), subject.encode())
        return PREFIX + urlsafe_b64encode(sealed).decode("ascii")

    def decrypt(self, subject: str, ciphertext: str) -> str | None:
        """The plaintext, or None when the subject was forgotten or never known.

        Raises DecodeError when the text is not a ciphertext of this subject.
        """
        if not ciphertext.startswith(PREFIX):
            raise DecodeError("a personal field is not encrypted", expected=PREFIX + "…")
        with self._lock:
            cipher = self._cipher(subject)
        if cipher is None:
            return None
        try:
            sealed = urlsafe_b64decode(ciphertext[len(PREFIX) :])
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], subject.encode()).decode()
        except (InvalidTag, Base64Error, ValueError) as error:
            raise DecodeError("a ciphertext does not belong to its subject's key") from error

    @contextmanager
    def batch(self) -> Generator[None]:
        """Collect the keys of new subjects and commit them together at the end.

        Raises ConcurrencyConflict when another process made a key for one of them first: what was
        encrypted within the batch is then worthless and must be encrypted again.
        """
        with self._lock:
            self._batching, self._looked = True, False
            try:
                yield
                self.commit()
            finally:
                self._batching = False
                for subject in self._fresh:
                    self._ciphers.pop(subject, None)
                self._fresh.clear()

    def commit(self) -> None:
        """Within a batch: make the new keys durable now, before what they encrypt is."""
        if not self._fresh:
            return
        with self._writing():
            before = self._connection.total_changes
            self._connection.executemany(
                "INSERT OR IGNORE INTO subjects VALUES (?, ?, NULL)", list(self._fresh.items())
            )
            if self._connection.total_changes - before != len(self._fresh):
                raise ConcurrencyConflict("another process made the key of a new subject first")
        self._fresh.clear()

    def forget(self, subject: str) -> None:
        """Destroy the subject's key for good; what was encrypted with it decrypts to None. Idempotent."""
        self.forget_all([subject])

    def forget_all(self, subjects: Iterable[str]) -> None:
        """Forget several subjects in one commit."""
        moment = datetime.now(UTC).isoformat()
        subjects = list(subjects)
        if not subjects:
            return
        with self._lock, self._writing():
            self._connection.executemany(
                "INSERT INTO subjects VALUES (?, NULL, ?) ON CONFLICT (subject) "
                "DO UPDATE SET key = NULL, forgotten_at = excluded.forgotten_at WHERE key IS NOT NULL",
                [(subject, moment) for subject in subjects],
            )
        with self._lock:
            for subject in subjects:
                self._ciphers.pop(subject, None)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def forgotten(self, subject: str) -> bool:
        """Whether the subject was forgotten."""
        with self._lock:
            cipher = self._cipher(subject)
            return cipher is None and subject in self._ciphers

    def close(self) -> None:
        """Close the file; later calls fail."""
        self._ciphers.clear()
        self._connection.close()

    def _cipher(self, subject: str) -> AESGCM | None:
        if not (self._batching and self._looked):
            self._look_for_changes()
            self._looked = True
        cipher = self._ciphers.get(subject, _UNKNOWN)
        if cipher is not _UNKNOWN:
            return cipher
        if len(self._ciphers) >= _CACHE and not self._fresh:
            self._ciphers.clear()
        row = self._connection.execute("SELECT key FROM subjects WHERE subject = ?", (subject,)).fetchone()
        if row is None:
            return None
        self._ciphers[subject] = cipher = AESGCM(row[0]) if row[0] else None
        return cipher

    def _new_key(self, subject: str) -> AESGCM:
        if subject in self._ciphers:
            raise SubjectForgotten("the data subject was forgotten and gets no new key")
        key = AESGCM.generate_key(256)
        if self._batching:
            self._fresh[subject] = key
            self._ciphers[subject] = cipher = AESGCM(key)
            return cipher
        with self._writing():
            self._connection.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?, NULL)", (subject, key))
        return self._cipher(subject) or self._new_key(subject)

    def _look_for_changes(self) -> None:
        """Drop what is remembered when another connection has written; a batch looks once, at its start."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._seen_version:
            self._seen_version = version
            self._ciphers.clear()

    @contextmanager
    def _writing(self) -> Generator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(
                "cannot write the keys of subjects", where=str(self._path), got=str(error)
            ) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS subjects "
        "(subject TEXT PRIMARY KEY, key BLOB, forgotten_at TEXT) WITHOUT ROWID"
    )
    return connection
