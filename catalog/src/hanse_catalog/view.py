"""What the catalog needs to know of a mesh, and nothing else: one protocol and its plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from hanse.model.mesh import Domain, Product


@dataclass(frozen=True, slots=True)
class Scan:
    """A product at a snapshot, as trusted DuckDB SQL over its data files."""

    sql: str
    snapshot: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """One contract check of one snapshot."""

    name: str
    passed: bool
    severity: str = "error"
    column: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A publication of a product, or one that was rejected. `at` is UTC."""

    id: str
    at: datetime
    seq: int
    status: Literal["published", "rejected"]
    rows: int | None = None
    changed: int | None = None
    contract_version: str | None = None
    checks: tuple[Check, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the published snapshot is behind the head of its streams.

    `records` are those not yet in it. `seconds` is the age of the oldest of them, 0 without any, None
    when it cannot be told.
    """

    records: int
    seconds: float | None = None


class MeshView(Protocol):
    """A mesh as the catalog sees it. Methods may read files; they are called off the event loop."""

    @property
    def data_root(self) -> Path:
        """The folder that holds every data file of every product: all that a worker may read."""
        ...

    def domains(self) -> tuple[Domain, ...]:
        """The domains, by name."""
        ...

    def products(self) -> tuple[Product, ...]:
        """The products, by full name."""
        ...

    def revision(self) -> str:
        """Changes when descriptors do; the search index is made again then."""
        ...

    def scan(self, full_name: str, as_of: str | None = None) -> Scan | None:
        """The product now, or at a moment (ISO 8601) or snapshot id; None when nothing was there."""
        ...

    def history(self, full_name: str) -> list[Snapshot]:
        """Publications and rejections, newest first."""
        ...

    def lag(self, full_name: str) -> Lag | None:
        """Lag behind the streams' head; None when nothing was published."""
        ...

    def tables(self) -> list[str]:
        """Full names of the products that have an Iceberg table."""
        ...

    def table(self, full_name: str) -> tuple[str, dict[str, Any]] | None:
        """Where the table's Iceberg metadata is, and what it says; None without a table."""
        ...
