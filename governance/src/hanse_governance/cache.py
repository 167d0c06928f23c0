"""Answers of earlier runs, kept by content: the same bytes under the same policies give the same report."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson

SUFFIXES = frozenset({".yaml", ".yml", ".avsc", ".json", ".proto", ".sql", ".toml"})
_SKIPPED = frozenset({"__pycache__", "node_modules", ".git", ".hanse", ".venv"})
_KEPT_RUNS = 20
_MAX_BYTES = 1_000_000


def content_key(root: Path, commit: str | None, today: dt.date) -> str:
    """A digest of everything that a check depends on: files, base, day, and the policies' own code."""
    digest = hashlib.sha256()
    digest.update(f"{commit}\0{today}\0{code_key()}\0".encode())
    for path in _inputs(root):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(_file_digest(path))
    return digest.hexdigest()


def _file_digest(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES * 8:
            return b"too large"
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        return f"unreadable {error.errno}".encode()


def _inputs(root: Path) -> Iterator[Path]:
    for name in ("hanse.toml", "governance/policies.toml"):
        if (root / name).is_file():
            yield root / name
    yield from sorted((root / "governance" / "rules").glob("*.sql"))
    for folder, folders, files in os.walk(root / "domains"):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED)
        for name in sorted(files):
            if os.path.splitext(name)[1] in SUFFIXES:  # noqa: PTH122 (a Path for each of 5,000 files is slow)
                yield Path(folder) / name


@cache
def code_key() -> str:
    """Changes when Hanse or its governance is installed anew or edited."""
    import hanse
    import hanse_governance

    digest = hashlib.sha256()
    for package in (hanse, hanse_governance):
        folder = Path(str(package.__file__)).parent
        for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.json"))):
            state = path.stat()
            digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class RunCache:
    """A folder with the last reports and all plans. Without a folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def report(self, key: str) -> dict[str, Any] | None:
        """The report kept under the key."""
        return self._read(f"run-{key}.json")

    def keep(self, key: str, report: dict[str, Any]) -> None:
        """Keep a report; the oldest ones go."""
        self._write(f"run-{key}.json", report)
        if self._folder is not None:
            runs = sorted(self._folder.glob("run-*.json"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
            for stale in runs[_KEPT_RUNS:]:
                stale.unlink(missing_ok=True)

    def plans(self) -> dict[str, Any]:
        """All kept plans by their key."""
        return self._read("plans.json") or {}

    def keep_plans(self, plans: dict[str, Any]) -> None:
        """Replace the kept plans."""
        self._write("plans.json", plans)

    def _read(self, name: str) -> dict[str, Any] | None:
        if self._folder is None:
            return None
        try:
            found: Any = orjson.loads((self._folder / name).read_bytes())
        except (OSError, ValueError):
            return None  # a missing or torn cache costs time, never a finding
        return found if isinstance(found, dict) else None

    def _write(self, name: str, document: dict[str, Any]) -> None:
        if self._folder is None:
            return
        with suppress(OSError):  # a cache that cannot be written, as in a read-only clone, is done without
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(document))
            Path(path).replace(self._folder / name)
