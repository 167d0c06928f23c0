"""Housekeeping of a product's table, inside the publisher: expiry, older moments, scrubbing.

A table keeps few snapshots, so that a publication costs the same whatever their number was. Of what
leaves, the last moment of each hour stays readable through a metadata file of its own; after a week the
last of each day. All other files are deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.publish import files, snapshots
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.verdicts import SnapshotInfo

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

MAX_SNAPSHOTS = 40
"""Snapshots of a table above which the oldest leave it (the protocol allows 100)."""
KEEP_SNAPSHOTS = 20
"""Snapshots that stay when others leave."""
KEEP_REJECTED = 5
"""Rejected snapshots that stay inspectable."""
HOURLY = timedelta(days=7)
"""How long one moment an hour stays; after that, one a day."""


def expire(lakehouse: Lakehouse, product: str, table: Table, epoch: int) -> Table:
    """Let the oldest snapshots go when there are many; returns the table."""
    found = table.metadata.snapshots
    if len(found) <= MAX_SNAPSHOTS:
        return table
    chain = _chain(table)
    rejected = sorted((s for s in found if s not in chain), key=lambda s: s.sequence_number or 0)
    leaving = [*chain[:-KEEP_SNAPSHOTS], *rejected[:-KEEP_REJECTED]]
    known = (lakehouse.verdicts.find(product, s.snapshot_id) for s in leaving)
    history = {entry.snapshot_id: entry for entry in known if entry}
    keep = _moments([history[s.snapshot_id] for s in chain if s in leaving and s.snapshot_id in history])
    moments = {s.snapshot_id: _write_moment(table, s) for s in leaving if s.snapshot_id in keep}
    uuid = str(table.metadata.table_uuid)
    lakehouse.verdicts.expire(
        product,
        uuid,
        {history[s.snapshot_id].seq: moments.get(s.snapshot_id) for s in leaving if s.snapshot_id in history},
    )
    doomed = _doomed(table, leaving, keep)
    tags = [n for n, r in table.metadata.refs.items() if r.snapshot_id in {s.snapshot_id for s in leaving}]
    table = snapshots.commit(
        table,
        epoch,
        [],
        [*(snapshots.drop_ref(n) for n in tags), snapshots.drop_snapshots([s.snapshot_id for s in leaving])],
    )
    _delete(lakehouse, doomed)
    return table


def _chain(table: Table) -> list[Snapshot]:
    """Snapshots that readers saw, oldest first."""
    found: list[Snapshot] = []
    snapshot = table.metadata.current_snapshot()
    while snapshot is not None:
        found.append(snapshot)
        parent = snapshot.parent_snapshot_id
        snapshot = table.metadata.snapshot_by_id(parent) if parent is not None else None
    return found[::-1]


def _moments(leaving: Sequence[SnapshotInfo]) -> set[int]:
    """Snapshot ids to keep readable: the last of each hour, after a week the last of each day (UTC)."""
    now = datetime.now(UTC)
    last: dict[str, int] = {}
    for entry in leaving:
        recent = now - entry.committed_at < HOURLY
        last[entry.committed_at.strftime("%Y-%m-%d %H" if recent else "%Y-%m-%d")] = entry.snapshot_id
    return set(last.values())


def _write_moment(table: Table, snapshot: Snapshot) -> str:
    """A metadata file in which this snapshot is the only one."""
    from pyiceberg.table.refs import SnapshotRef, SnapshotRefType

    ref = SnapshotRef.model_validate({"snapshot-id": snapshot.snapshot_id, "type": SnapshotRefType.BRANCH})
    metadata = table.metadata.model_copy(
        update={
            "snapshots": [snapshot],
            "current_snapshot_id": snapshot.snapshot_id,
            "snapshot_log": [],
            "metadata_log": [],
            "refs": {"main": ref},
        }
    )
    path = Path(table.metadata.location) / "metadata" / f"moment-{snapshot.snapshot_id}.metadata.json"
    path.write_text(metadata.model_dump_json(exclude_none=True, by_alias=True), encoding="utf-8")
    return str(path)


def _doomed(table: Table, leaving: Sequence[Snapshot], keep: set[int]) -> set[str]:
    """Files that only leaving snapshots hold, and no moment that is kept."""
    stays = [s for s in table.metadata.snapshots if s not in leaving or s.snapshot_id in keep]
    needed: set[str] = set()
    for snapshot in stays:
        needed |= _held(table, snapshot)
    doomed: set[str] = set()
    for snapshot in leaving:
        if snapshot.snapshot_id not in keep:
            doomed |= _held(table, snapshot)
    return doomed - needed


def _held(table: Table, snapshot: Snapshot) -> set[str]:
    """Every file that reading a snapshot needs."""
    manifests = {m.manifest_path for m in snapshot.manifests(table.io)}
    data = {e.data_file.file_path for e in snapshots.entries(table.io, snapshot)}
    return {snapshot.manifest_list, *manifests, *data}


def _delete(lakehouse: Lakehouse, paths: set[str]) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)
    lakehouse.verdicts.forget_digests(sorted(p for p in paths if p.endswith(".parquet")))


def scrub(lakehouse: Lakehouse) -> list[str]:
    """Paths of data files that are missing or whose bytes are not those that were written."""
    wrong: list[str] = []
    for path, (sha256, size) in sorted(lakehouse.verdicts.digests().items()):
        file = Path(path)
        if not file.exists() or file.stat().st_size != size or files.digest(path)[0] != sha256:
            wrong.append(path)
    return wrong
