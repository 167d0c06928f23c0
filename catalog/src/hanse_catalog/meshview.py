"""`MeshView` over a real mesh: its descriptors, its lakehouse, its event log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from hanse.bootstrap import Mesh
from hanse.descriptors import load_mesh
from hanse.errors import ConfigError, PublicationError, UnknownTopic
from hanse.model.mesh import Domain, MeshModel, Product
from hanse.publish import reader as lakehouse
from hanse.quality.result import CheckResult

from .patience import Patience
from .sql.service import NotPublished
from .view import Check, Lag, Scan, Snapshot

LOOK_AGAIN = 2.0  # seconds between looks at the descriptors' files
MAX_SCANS = 512


@dataclass(slots=True)
class _Model:
    model: MeshModel
    stamp: str
    looked: float
    problem: ConfigError | None = None


class HanseView:
    """Reads a mesh for the catalog. Descriptors are read again when their files change."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._root = mesh.settings.root
        self._reader = lakehouse.Reader(mesh.settings)
        self._lock = threading.RLock()
        self._patience = Patience()
        self._scans: dict[tuple[str, str, str | None], Scan] = {}
        self._current = _Model(mesh.model, _stamp(self._root), time.monotonic())

    @property
    def data_root(self) -> Path:
        """The warehouse: data files only, without the catalog's own databases."""
        return self._mesh.settings.lakehouse_path / "warehouse"

    @property
    def problem(self) -> ConfigError | None:
        """Why changed descriptors could not be read; the ones before are served meanwhile."""
        return self._model().problem

    def _model(self) -> _Model:
        with self._lock:
            current, now = self._current, time.monotonic()
            if now - current.looked < LOOK_AGAIN:
                return current
            current.looked = now
            stamp = _stamp(self._root)
            if stamp != current.stamp:
                current.stamp = stamp
                try:
                    current.model, current.problem = load_mesh(self._root), None
                except ConfigError as error:
                    current.problem = error
            return current

    def domains(self) -> tuple[Domain, ...]:
        """The domains, by name."""
        return tuple(sorted(self._model().model.domains, key=lambda d: d.name))

    def products(self) -> tuple[Product, ...]:
        """The products, by full name."""
        return tuple(sorted(self._model().model.products, key=lambda p: p.full_name))

    def revision(self) -> str:
        """Changes when a descriptor's file does."""
        return self._model().stamp

    def scan(self, full_name: str, as_of: str | None = None) -> Scan | None:
        """The product now, or at a moment or snapshot. Raises NotPublished when that moment is gone."""
        location = self._reader.metadata_location(full_name)
        if location is None:
            return None
        key = (full_name, location, as_of)
        with self._lock:
            known = self._scans.get(key)
        if known is not None:
            return known
        try:
            found = self._reader.scan(full_name, _moment(as_of))
        except PublicationError as error:
            raise NotPublished(error.what, expected=error.expected, got=error.got, fix=error.fix) from error
        if found.snapshot is None and found.snapshot_id is None:
            return None
        at = found.snapshot.committed_at if found.snapshot else datetime.now(UTC)
        scan = Scan(found.sql, str(found.snapshot_id), at)
        with self._lock:
            if len(self._scans) >= MAX_SCANS:
                self._scans.clear()
            self._scans[key] = scan
        return scan

    def history(self, full_name: str) -> list[Snapshot]:
        """Publications and rejections, newest first."""
        return [_snapshot(entry) for entry in reversed(self._reader.history(full_name))]

    def tables(self) -> list[str]:
        """Full names of the products that have an Iceberg table."""
        return self._reader.products()

    def table(self, full_name: str) -> tuple[str, dict[str, Any]] | None:
        """Where the table's Iceberg metadata is, and what it says; None without a table."""
        location = self._reader.metadata_location(full_name)
        return (location, orjson.loads(Path(location).read_bytes())) if location else None

    def lag(self, full_name: str) -> Lag | None:
        """Records between the published offsets and the streams' heads, and the age of the oldest of them.

        None for what is not published, and while the log does not answer.
        """
        head = self._reader.head(full_name)
        model = self._model().model
        product = model.product(full_name)
        if head is None or product is None:
            return None
        waiting = {model.log_name(topic): _offsets_of(head.offsets, topic) for topic in product.inputs}
        return self._patience.ask(lambda: self._waiting(waiting))

    def _waiting(self, published: dict[str, dict[int, int]]) -> Lag:
        records, oldest = 0, None
        for topic, offsets in published.items():
            missing, first = self._behind(topic, offsets)
            records += missing
            oldest = min((t for t in (oldest, first) if t is not None), default=None)
        seconds = 0.0 if not records else None if oldest is None else max(0.0, time.time() - oldest)
        return Lag(records, seconds)

    def _behind(self, topic: str, offsets: dict[int, int]) -> tuple[int, float | None]:
        log = self._mesh.log
        try:
            ranges = log.ranges(topic)
        except UnknownTopic:
            return 0, None
        waiting = {p: max(offsets.get(p, 0), r.low) for p, r in ranges.items() if r.high > offsets.get(p, 0)}
        missing = sum(ranges[p].high - offset for p, offset in waiting.items())
        if not missing:
            return 0, None
        rows = log.read(topic, waiting, max_records=max(len(waiting), 1)).rows
        if rows.num_rows == 0:
            return 0, None
        first = min(moment.timestamp() for moment in rows.column("timestamp").to_pylist())
        return missing, first


def _offsets_of(offsets: dict[str, Any], topic: str) -> dict[int, int]:
    found = offsets.get(topic) or {}
    inner = found.get("offsets", found) if isinstance(found, dict) else {}
    return {int(p): int(o) for p, o in inner.items() if str(p).isdigit()}


def _snapshot(entry: lakehouse.SnapshotInfo) -> Snapshot:
    checks = tuple(_check(c) for c in entry.verdict.checks) if entry.verdict else ()
    published = entry.state in lakehouse.PUBLISHED
    return Snapshot(
        id=str(entry.snapshot_id),
        at=entry.committed_at,
        seq=entry.seq,
        status="published" if published else "rejected",
        rows=entry.rows,
        changed=entry.added + entry.deleted,
        contract_version=entry.contract_version,
        checks=checks,
        detail={"offsets": entry.offsets, "set_aside": entry.set_aside, "code_version": entry.code_version},
    )


def _check(result: CheckResult) -> Check:
    detail = f"expected {result.expected}, got {result.got}" if not result.passed else result.got
    return Check(
        result.name, result.passed, result.severity, result.column, f"{detail} {result.note}".strip()
    )


def _moment(as_of: str | None) -> datetime | int | None:
    if as_of is None:
        return None
    if as_of.isdigit():
        return int(as_of)
    moment = datetime.fromisoformat(as_of)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _stamp(root: Path) -> str:
    """Changes when a descriptor or a projection is added, removed or written."""
    files = [*root.glob("domains/*/*.yaml"), *root.glob("domains/*/products/*/*")]
    newest, count = 0, 0
    for file in files:
        try:
            newest = max(newest, file.stat().st_mtime_ns)
        except FileNotFoundError:
            continue
        count += 1
    return f"{count}-{newest}"
