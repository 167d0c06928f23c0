"""Iceberg snapshots and commits, made step by step.

pyiceberg's own append rebases a stale writer and its overwrite makes two snapshots; so the manifests of a
snapshot are written here, and each commit names what it asserts. Follows the Iceberg specification,
version 2 (https://iceberg.apache.org/spec). The delete manifest's writer uses pyiceberg's private API.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    AssertTableUUID,
    RemoveSnapshotRefUpdate,
    RemoveSnapshotsUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    ValidatableTableRequirement,
)

from hanse.errors import StaleWriter
from hanse.publish.failpoints import reach

EPOCH = "hanse.epoch"
MAX_MANIFESTS = 16
MAX_REMEMBERED = 256


class AssertEpoch(ValidatableTableRequirement):
    """The table's owner is still this one. `newer_than` takes the table over from an older owner."""

    type: str = "assert-hanse-epoch"
    epoch: int
    newer_than: bool = False

    def validate(self, base_metadata: TableMetadata | None) -> None:
        """Raises CommitFailedException."""
        found = int(base_metadata.properties.get(EPOCH, "0")) if base_metadata else 0
        if (found > self.epoch) if self.newer_than else (found != self.epoch):
            raise CommitFailedException(f"the owner of epoch {found} has taken over from epoch {self.epoch}")


class AssertRef(ValidatableTableRequirement):
    """A branch is where it should be. pyiceberg's own refuses any branch but main on an empty table."""

    type: str = "assert-hanse-ref"
    ref: str
    snapshot_id: int | None = None

    def validate(self, base_metadata: TableMetadata | None) -> None:
        """Raises CommitFailedException."""
        found = ref(base_metadata, self.ref) if base_metadata else None
        if found != self.snapshot_id:
            raise CommitFailedException(f"{self.ref} is at {found}, not at {self.snapshot_id}")


class DeleteManifestWriter(ManifestWriterV2):
    """Writes a manifest of position delete files; pyiceberg 0.12 writes data manifests only."""

    def content(self) -> ManifestContent:
        """DELETES."""
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


@dataclass(frozen=True, slots=True)
class Change:
    """What a snapshot adds to and removes from its parent: files by content, paths of files that go."""

    added: tuple[DataFile, ...] = ()
    removed: frozenset[str] = frozenset()
    properties: dict[str, str] = field(default_factory=dict[str, str])


def commit(
    table: Table, epoch: int, requirements: Sequence[Any], updates: Sequence[Any], *, take: bool = False
) -> Table:
    """One atomic commit, asserting table, epoch and what is given; returns the table. Raises StaleWriter."""
    asserted = (
        AssertTableUUID(uuid=table.metadata.table_uuid),
        AssertEpoch(epoch=epoch, newer_than=take),
        *requirements,
    )
    before = {entry.metadata_file for entry in table.metadata.metadata_log}
    try:
        catalog: Any = table.catalog
        catalog.commit_table(table, asserted, tuple(updates))
    except CommitFailedException as error:
        raise StaleWriter(
            f"{'.'.join(table.name())} was changed by another writer",
            got=str(error),
            fix="nothing was published; run the product again",
        ) from error
    table = table.refresh()
    for path in before - {entry.metadata_file for entry in table.metadata.metadata_log}:
        Path(path).unlink(missing_ok=True)
    return table


def on_ref(name: str, snapshot_id: int | None) -> AssertRef:
    """The branch or tag is where it should be; None when it should not exist."""
    return AssertRef(ref=name, snapshot_id=snapshot_id)


def set_ref(
    name: str, snapshot_id: int, kind: SnapshotRefType = SnapshotRefType.BRANCH
) -> SetSnapshotRefUpdate:
    """Point a branch or tag to a snapshot."""
    return SetSnapshotRefUpdate.model_validate({"ref-name": name, "type": kind, "snapshot-id": snapshot_id})


def tag(name: str, snapshot_id: int) -> SetSnapshotRefUpdate:
    """Make a tag."""
    return set_ref(name, snapshot_id, SnapshotRefType.TAG)


def drop_ref(name: str) -> RemoveSnapshotRefUpdate:
    """Remove a branch or tag."""
    return RemoveSnapshotRefUpdate.model_validate({"ref-name": name})


def drop_snapshots(ids: Sequence[int]) -> RemoveSnapshotsUpdate:
    """Forget snapshots."""
    return RemoveSnapshotsUpdate.model_validate({"snapshot-ids": list(ids)})


def set_properties(properties: dict[str, str]) -> SetPropertiesUpdate:
    """Set table properties."""
    return SetPropertiesUpdate(updates=properties)


def ref(metadata: TableMetadata, name: str) -> int | None:
    """The snapshot id of a branch or tag."""
    found = metadata.refs.get(name)
    return found.snapshot_id if found else None


def entries(io: FileIO, snapshot: Snapshot | None) -> list[ManifestEntry]:
    """The live files of a snapshot, data and deletes."""
    if snapshot is None:
        return []
    return [entry for manifest in snapshot.manifests(io) for entry in live(io, manifest)]


_live: dict[str, list[ManifestEntry]] = {}


def live(io: FileIO, manifest: ManifestFile) -> list[ManifestEntry]:
    """The live entries of a manifest; manifests never change, so the newest few hundred are remembered."""
    found = _live.get(manifest.manifest_path)
    if found is None:
        found = manifest.fetch_manifest_entry(io, discard_deleted=True)
        while len(_live) >= MAX_REMEMBERED:
            del _live[next(iter(_live))]
        _live[manifest.manifest_path] = found
    return found


def build(table: Table, parent: Snapshot | None, change: Change) -> AddSnapshotUpdate:
    """Write the manifests of a new snapshot on `parent`; the update that adds it."""
    snapshot_id = table.metadata.new_snapshot_id()
    maker = _Manifests(table, snapshot_id)
    manifests = maker.carried(parent, change.removed) + maker.added(change.added)
    reach("manifests-written")
    sequence = table.metadata.next_sequence_number()
    path = f"{table.metadata.location}/metadata/snap-{snapshot_id}-{maker.uuid}.avro"
    parent_id = parent.snapshot_id if parent else None
    with write_manifest_list(
        2, table.io.new_output(path), snapshot_id, parent_id, sequence, "deflate"
    ) as writer:
        writer.add_manifests(manifests)
    return AddSnapshotUpdate(
        snapshot=Snapshot.model_validate(
            {
                "snapshot-id": snapshot_id,
                "parent-snapshot-id": parent_id,
                "sequence-number": sequence,
                "timestamp-ms": max(int(time.time() * 1000), table.metadata.last_updated_ms),
                "manifest-list": path,
                "summary": Summary(_operation(change), **change.properties),
                "schema-id": table.metadata.current_schema_id,
            }
        )
    )


def _operation(change: Change) -> Operation:
    deletes = any(f.content != DataFileContent.DATA for f in change.added)
    return Operation.OVERWRITE if change.removed or deletes else Operation.APPEND


class _Manifests:
    """Writes the manifests of one snapshot."""

    def __init__(self, table: Table, snapshot_id: int) -> None:
        self.table = table
        self.snapshot_id = snapshot_id
        self.uuid = uuid4().hex
        self.count = 0

    def carried(self, parent: Snapshot | None, removed: frozenset[str]) -> list[ManifestFile]:
        """The parent's manifests, rewritten where files go or where there are many."""
        if parent is None:
            return []
        io = self.table.io
        manifests = [m for m in parent.manifests(io) if m.has_added_files() or m.has_existing_files()]
        merge = len(manifests) > MAX_MANIFESTS
        if not removed and not merge:
            return manifests
        kept: list[ManifestFile] = []
        rewritten: dict[ManifestContent, list[ManifestEntry]] = {}
        for manifest in manifests:
            found = live(io, manifest)
            if merge or any(e.data_file.file_path in removed for e in found):
                rewritten.setdefault(manifest.content, []).extend(found)
            else:
                kept.append(manifest)
        return kept + [self._write(content, found, removed) for content, found in rewritten.items()]

    def added(self, files: Sequence[DataFile]) -> list[ManifestFile]:
        """One manifest for new data files, one for new delete files."""
        by_content: dict[ManifestContent, list[ManifestEntry]] = {}
        for file in files:
            data = file.content == DataFileContent.DATA
            entry = ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED, snapshot_id=self.snapshot_id, data_file=file
            )
            by_content.setdefault(ManifestContent.DATA if data else ManifestContent.DELETES, []).append(entry)
        return [self._write(content, found, frozenset()) for content, found in by_content.items()]

    def _write(
        self, content: ManifestContent, found: Sequence[ManifestEntry], removed: frozenset[str]
    ) -> ManifestFile:
        kind = ManifestWriterV2 if content == ManifestContent.DATA else DeleteManifestWriter
        self.count += 1
        path = f"{self.table.metadata.location}/metadata/{self.uuid}-m{self.count}.avro"
        output = self.table.io.new_output(path)
        with kind(self.table.spec(), self.table.schema(), output, self.snapshot_id, "deflate") as writer:
            for entry in found:
                if entry.status == ManifestEntryStatus.ADDED and entry.snapshot_id == self.snapshot_id:
                    writer.add_entry(entry)
                elif entry.data_file.file_path in removed:
                    writer.delete(entry)
                else:
                    writer.existing(entry)
        return writer.to_manifest_file()
