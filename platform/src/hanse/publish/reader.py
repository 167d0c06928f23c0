"""Reading products: files and SQL of a snapshot, history, moments of the past. Never writes.

A reader opens the Iceberg catalog's row and the metadata file it names, plans the files and gives DuckDB
SQL; several processes read while one publishes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.errors import PublicationError
from hanse.publish.verdicts import SnapshotInfo, Verdict, Verdicts
from hanse.settings import Settings, is_postgres

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

__all__ = ["Files", "Moment", "Reader", "Scan", "SnapshotInfo", "Verdict"]

PUBLISHED = ("published", "released")
_TABLE = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?"


@dataclass(frozen=True, slots=True)
class Files:
    """Paths of a snapshot's data files and position delete files."""

    data: tuple[str, ...]
    deletes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """How to read a snapshot. `sql` is a SELECT of all its rows; `schema` gives (name, DuckDB type).

    `snapshot` is None for a product that nothing was published of: `sql` then gives no rows.
    """

    sql: str
    schema: tuple[tuple[str, str], ...]
    snapshot: SnapshotInfo | None
    snapshot_id: int | None
    files: Files


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot and the table's metadata that holds it; `info` is None when it has no history."""

    metadata: TableMetadata
    snapshot: Snapshot | None
    info: SnapshotInfo | None

    @property
    def schema(self) -> Schema:
        """The columns as they were."""
        return _schema(self.metadata, self.snapshot)

    @property
    def io(self) -> FileIO:
        """Reads the table's files."""
        from pyiceberg.io.pyarrow import PyArrowFileIO

        return PyArrowFileIO()


class Reader:
    """Reads the lakehouse of a mesh. Holds nothing open."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.lakehouse_path
        self.address = settings.lakehouse
        self.verdicts = Verdicts(self.path / "verdicts.db")

    def products(self) -> list[str]:
        """Full names of products that have a table, those beside them (`$rejected`, `$restricted`) left out."""
        rows = self._catalog("SELECT table_namespace, table_name FROM iceberg_tables ORDER BY 1, 2", ())
        return [f"{domain}.{name}" for domain, name in rows if "$" not in name]

    def history(self, full_name: str) -> list[SnapshotInfo]:
        """All publications of a product, oldest first, rejected ones too."""
        return self.verdicts.history(full_name)

    def head(self, full_name: str) -> SnapshotInfo | None:
        """The newest publication that readers see."""
        return self.verdicts.newest(full_name)

    def scan(self, full_name: str, as_of: datetime | int | None = None) -> Scan:
        """The product now, at a moment, or at a publication's number or snapshot id.

        Raises PublicationError when the product has no table, or the moment is not kept.
        """
        return _scan(self.moment(full_name, as_of))

    def moment(self, full_name: str, as_of: datetime | int | None = None) -> Moment:
        """The snapshot and its metadata. Raises as `scan`."""
        metadata = self._metadata(full_name)
        if as_of is None:
            current = metadata.current_snapshot()
            info = self.verdicts.find(full_name, current.snapshot_id) if current else None
            return Moment(metadata, current, info)
        entry = self._entry(full_name, as_of)
        snapshot = metadata.snapshot_by_id(entry.snapshot_id)
        if snapshot is None:
            metadata = _parse(self._moment(full_name, entry))
            snapshot = metadata.snapshot_by_id(entry.snapshot_id)
        return Moment(metadata, snapshot, entry)

    def files(self, full_name: str, as_of: datetime | int | None = None) -> Files:
        """The files of a snapshot. Raises as `scan`."""
        return self.scan(full_name, as_of).files

    def rejected(self, full_name: str, seq: int) -> Scan:
        """A rejected publication, for inspection. Raises PublicationError when there is none."""
        entry = self.verdicts.find(full_name, seq)
        metadata = self._metadata(full_name)
        snapshot = metadata.snapshot_by_id(entry.snapshot_id) if entry else None
        if entry is None or snapshot is None or entry.state != "rejected":
            raise PublicationError(f"no rejected publication {seq} of {full_name} is kept")
        return _scan(Moment(metadata, snapshot, entry))

    def set_aside(self, full_name: str) -> Scan | None:
        """The rows that the contract set aside; None when there never were any."""
        try:
            return self.scan(f"{full_name}$rejected")
        except PublicationError:
            return None

    def restricted(self, full_name: str) -> Scan | None:
        """The product with clear values where it is masked; None when nothing of it is masked."""
        name = f"{full_name}$restricted"
        return None if self.metadata_location(name) is None else self.scan(name)

    def metadata_location(self, full_name: str) -> str | None:
        """The Iceberg metadata file of a table; None when there is no table."""
        rows = self._catalog(_TABLE, tuple(full_name.split(".", 1)))
        return rows[0][0] if rows else None

    def _catalog(self, query: str, parameters: tuple[Any, ...]) -> list[Any]:
        if is_postgres(self.address):
            return self._in_postgres(query.replace("?", "%s"), parameters)
        file = self.path / "catalog.db"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as con:
            try:
                return con.execute(query, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []  # the catalog is just being made
                raise

    def _in_postgres(self, query: str, parameters: tuple[Any, ...]) -> list[Any]:
        import psycopg

        try:
            with psycopg.connect(self.address, autocommit=True) as con:
                return con.execute(query.encode(), parameters).fetchall()
        except psycopg.errors.UndefinedTable:
            return []  # nothing was ever published
        except psycopg.Error as error:
            raise PublicationError(
                "the Iceberg catalog does not answer", where="the setting lakehouse", got=str(error)[:300]
            ) from error

    def _metadata(self, full_name: str) -> TableMetadata:
        for attempt in range(3):
            location = self.metadata_location(full_name)
            if location is None:
                raise PublicationError(
                    f"nothing was ever published of {full_name}",
                    expected=", ".join(self.products()) or "a published product",
                    fix=f"hanse product run {full_name}",
                )
            if attempt == 2 or Path(location).exists():
                return _parse(location)
        raise AssertionError

    def _entry(self, full_name: str, as_of: datetime | int) -> SnapshotInfo:
        if isinstance(as_of, datetime):
            moment = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
            found = self.verdicts.newest(full_name, moment)
        else:
            found = self.verdicts.find(full_name, as_of)
        if found is None or found.state not in PUBLISHED:
            raise PublicationError(f"{full_name} had nothing published then", got=str(as_of))
        return found

    def _moment(self, full_name: str, entry: SnapshotInfo) -> str:
        if entry.metadata_file and entry.kept:
            return entry.metadata_file
        kept = self.verdicts.kept(full_name)
        near = min(kept, key=lambda e: abs(e.committed_at - entry.committed_at), default=None)
        fix = (
            f"the nearest kept is publication {near.seq}, of {near.committed_at.isoformat()}"
            if near
            else None
        )
        raise PublicationError(
            f"the files of publication {entry.seq} of {full_name} are gone",
            got=entry.committed_at.isoformat(),
            fix=fix,
        )


def _parse(location: str) -> TableMetadata:
    from pyiceberg.table.metadata import TableMetadataUtil

    return TableMetadataUtil.parse_raw(Path(location).read_text(encoding="utf-8"))


def _scan(moment: Moment) -> Scan:
    from hanse.publish.plan import scan_sql, split
    from hanse.publish.schema import duckdb_type
    from hanse.publish.snapshots import entries

    schema, snapshot = moment.schema, moment.snapshot
    data, deletes = split(entries(moment.io, snapshot))
    return Scan(
        sql=scan_sql(schema, data, deletes),
        schema=tuple((f.name, duckdb_type(f.field_type)) for f in schema.fields),
        snapshot=moment.info,
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        files=Files(tuple(data), tuple(deletes)),
    )


def _schema(metadata: TableMetadata, snapshot: Snapshot | None) -> Schema:
    wanted = metadata.current_schema_id if snapshot is None else snapshot.schema_id
    return next(s for s in metadata.schemas if s.schema_id == wanted)
