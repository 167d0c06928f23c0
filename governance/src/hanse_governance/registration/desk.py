"""The desk where products are registered: gate, approval, and the record of both.

A bundle goes through the same checks as `hanse check --base`, against the mesh as it is. What the gate
passes is proposed; what the federation wants to be approved waits for somebody else's approval, and the gate
runs again before the files go in. When the gate cannot run, nothing goes in.

`governance/policies.toml` says what waits: `[registration] approve = ["public", "personal", "breaking"]`.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
import tempfile
import time
import tomllib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hanse.errors import ConfigError, HanseError
from hanse.model.mesh import OPEN, Product
from hanse_governance.federation import FILE
from hanse_governance.finding import Finding
from hanse_governance.impact import Impact
from hanse_governance.registration.bundle import Bundle
from hanse_governance.runner import Report, check_folders, check_mesh

State = Literal["proposed", "active", "denied", "superseded"]
Reason = Literal["public", "personal", "breaking", "always"]
_REASONS: tuple[Reason, ...] = ("public", "personal", "breaking", "always")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS registration (
  id INTEGER PRIMARY KEY AUTOINCREMENT, product TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
  files TEXT NOT NULL, state TEXT NOT NULL, waits_for TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL,
  decided_by TEXT, decided_at REAL, note TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS registration_product ON registration (product, id);
"""
_COLUMNS = "id, product, version, digest, state, waits_for, by, at, decided_by, decided_at, note"


class GateRefused(HanseError):
    """The gate found errors: `findings` tell which, `impacts` whom they hit."""

    def __init__(self, product: str, findings: list[Finding], impacts: list[Impact]) -> None:
        first = findings[0]
        super().__init__(
            f"{product} does not pass the gate: {len(findings)} errors",
            where=str(first.at),
            got=f"{first.code} {first.what}",
            fix=first.fix,
        )
        self.findings = findings
        self.impacts = impacts


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration and what became of it. `waits_for` says why it needed an approval. Times are UTC."""

    id: int
    product: str
    version: str
    digest: str
    state: State
    waits_for: tuple[str, ...]
    by: str
    at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.id,
            "product": self.product,
            "version": self.version,
            "digest": self.digest,
            "state": self.state,
            "waits_for": list(self.waits_for),
            "by": self.by,
            "at": self.at.isoformat(),
            "decided_by": self.decided_by,
            "decided_at": self.decided_at and self.decided_at.isoformat(),
            "note": self.note,
            "findings": [f.as_dict() for f in self.findings],
        }


class Desk:
    """Registers products in the mesh at `root`, keeping its record in `data`."""

    def __init__(self, root: Path, data: Path) -> None:
        self._root = root
        self._data = data

    def register(self, bundle: Bundle, by: str) -> Registration:
        """Take a bundle through the gate. The same content again gives the same registration.

        Raises ConfigError for a bundle that is none, GateRefused when the gate says no.
        """
        bundle.check()
        with self._alone():
            last = next(
                iter(self._select("WHERE product = ? ORDER BY id DESC LIMIT 1", bundle.full_name)), None
            )
            if last and last.digest == bundle.digest and last.state in ("proposed", "active"):
                return last
            report, product = self._gate(bundle)
            waits = self._waits_for(product, report)
            if not waits:
                bundle.write(self._root)  # before the record: what is recorded as active is in the mesh
            number = self._keep(bundle, product.version, by, waits)
            warnings = tuple(f for f in report.findings if f.subject.startswith(bundle.full_name))
            return replace(self.find(number), findings=warnings)

    def decide(self, number: int, by: str, *, approve: bool, note: str = "") -> Registration:
        """Approve or deny a proposed registration; the gate runs again before an approval takes effect.

        Raises ConfigError when it is not there, is decided already, or was registered by the same person.
        """
        with self._alone():
            found = self.find(number)
            if found.state != "proposed":
                raise ConfigError(f"registration {number} is decided already", got=found.state)
            if found.by == by:
                raise ConfigError(
                    "nobody approves what they registered", fix="ask somebody else of the owners"
                )
            if approve:
                bundle = self._bundle(number)
                self._gate(bundle)
                bundle.write(self._root)
            with self._database() as con:
                con.execute(
                    "UPDATE registration SET state = ?, decided_by = ?, decided_at = ?, note = ? WHERE id = ?",
                    ("active" if approve else "denied", by, time.time(), note[:1_000], number),
                )
            return self.find(number)

    def find(self, number: int) -> Registration:
        """One registration. Raises ConfigError."""
        found = self._select("WHERE id = ?", number)
        if not found:
            raise ConfigError(f"there is no registration {number}")
        return found[0]

    def history(self, product: str | None = None) -> list[Registration]:
        """All registrations, or those of a product, newest first."""
        return self._select("WHERE ? IS NULL OR product = ? ORDER BY id DESC", product, product)

    def _gate(self, bundle: Bundle) -> tuple[Report, Product]:
        """What the mesh with the bundle in it would be, when that has no errors that are not there already."""
        known = {
            _sign(f) for f in _errors(check_mesh(self._root, cache_folder=self._data / "check").findings)
        }
        with tempfile.TemporaryDirectory(prefix="hanse-register-") as folder:
            staged = Path(folder).resolve() / "mesh"
            _copy(self._root, staged)
            bundle.write(staged)
            report = check_folders(staged, self._root, datetime.now(UTC).date())
            product = _product(staged, bundle)
        errors = [f for f in _errors(report.findings) if _sign(f) not in known]
        if errors:
            raise GateRefused(bundle.full_name, errors, report.impacts)
        return report, product

    def _waits_for(self, product: Product, report: Report) -> list[str]:
        wanted = _approvals(self._root)
        personal = any((c.classification or "none").lower() not in OPEN for c in product.contract.columns)
        facts = {
            "always": True,
            "public": product.access == "public",
            "personal": personal,
            "breaking": any(f.breaking for f in report.findings),
        }
        return [reason for reason in wanted if facts[reason]]

    def _keep(self, bundle: Bundle, version: str, by: str, waits: list[str]) -> int:
        with self._database() as con:
            con.execute(
                "UPDATE registration SET state = 'superseded' WHERE product = ? AND state = 'proposed'",
                (bundle.full_name,),
            )
            rows = con.execute(
                "INSERT INTO registration (product, version, digest, files, state, waits_for, by, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (
                    bundle.full_name,
                    version,
                    bundle.digest,
                    json.dumps(dict(bundle.files)),
                    "proposed" if waits else "active",
                    json.dumps(waits),
                    by,
                    time.time(),
                ),
            ).fetchall()
        return rows[0][0]

    def _bundle(self, number: int) -> Bundle:
        with self._database() as con:
            rows = con.execute("SELECT product, files FROM registration WHERE id = ?", (number,)).fetchall()
        [(product, files)] = rows
        domain, name = product.split(".", 1)
        return Bundle(domain, name, json.loads(files))

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One registration at a time, over all processes."""
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data / "registration.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        self._data.mkdir(parents=True, exist_ok=True)
        con = sqlite3.connect(self._data / "registrations.db", timeout=30, isolation_level=None)
        try:
            con.execute("PRAGMA journal_mode=WAL")
            con.executescript(_SCHEMA)
            con.execute("BEGIN IMMEDIATE")
            yield con
            con.execute("COMMIT")
        finally:
            con.close()

    def _select(self, rest: str, *values: Any) -> list[Registration]:
        with self._database() as con:
            rows = con.execute(f"SELECT {_COLUMNS} FROM registration {rest}", values).fetchall()  # noqa: S608
        return [_registration(row) for row in rows]


def _registration(row: tuple[Any, ...]) -> Registration:
    number, product, version, digest, state, waits, by, at, decided_by, decided_at, note = row
    reasons = tuple(json.loads(waits))
    decided = decided_at and datetime.fromtimestamp(decided_at, UTC)
    asked = datetime.fromtimestamp(at, UTC)
    return Registration(
        number, product, version, digest, state, reasons, by, asked, decided_by, decided, note
    )


def _errors(findings: Iterable[Finding]) -> Iterable[Finding]:
    return (f for f in findings if f.severity == "error" and not f.waiver)


def _sign(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.subject, finding.what


def _copy(root: Path, target: Path) -> None:
    """The mesh's descriptors, without code and data."""
    ignore = shutil.ignore_patterns("src", "tests", "data", ".*", "__pycache__", "node_modules")
    target.mkdir()
    shutil.copy(root / "hanse.toml", target)
    for part in ("domains", "governance"):
        if (root / part).is_dir():
            shutil.copytree(root / part, target / part, ignore=ignore, symlinks=True)
    (target / "domains").mkdir(exist_ok=True)


def _product(root: Path, bundle: Bundle) -> Product:
    from hanse.descriptors import try_load

    product = try_load(root)[0].product(bundle.full_name)
    if product is None:
        raise ConfigError(
            f"the bundle holds no product {bundle.full_name}",
            expected="`name` in product.yaml and the folder's name to be alike, and a domain that is known",
        )
    return product


def _approvals(root: Path) -> list[Reason]:
    """What the federation wants to be approved. Raises ConfigError when that cannot be read."""
    path = root / FILE
    if not path.is_file():
        return []
    try:
        section: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("registration", {})
    except (OSError, ValueError) as error:
        raise ConfigError("the federation's rules cannot be read", where=FILE, got=str(error)) from error
    wanted: Any = section.get("approve", []) if isinstance(section, dict) else None
    if not isinstance(wanted, list) or not set(wanted) <= set(_REASONS):
        raise ConfigError(
            "[registration] approve is not a list of reasons", where=FILE, expected=", ".join(_REASONS)
        )
    return [reason for reason in _REASONS if reason in wanted]
