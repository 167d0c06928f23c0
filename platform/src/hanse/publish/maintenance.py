"""Housekeeping of a product's table, inside the publisher: expiry, older moments, scrubbing.

A table keeps few snapshots, so that a publication costs the same whatever their number was. Of what
leaves, the last moment of each hour stays readable through a metadata file of its own; after a week the
last of each day. What another product stands on stays too. All other files are deleted.
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
    if len(table.metadata.snapshots) <= MAX_SNAPSHOTS:
        return table
    chain = _chain(table)
    leaving = chain[:-KEEP_SNAPSHOTS]
    rejected = _rejected(table, chain)
    verdicts, uuid = lakehouse.verdicts, str(table.metadata.table_uuid)
    older = [e for e in verdicts.kept(product) if e.metadata_file and e.table_uuid == uuid]
    known = {s.snapshot_id: verdicts.find(product, s.snapshot_id) for s in leaving}
    entries = [*older, *(e for e in known.values() if e)]
    keep = _moments(entries) | verdicts.pinned(product)
    line = [*((e.snapshot_id, _moment(e)) for e in older), *((s.snapshot_id, s) for s in chain)]
    dropped = {i for i, _ in line[: len(older) + len(leaving)]} - keep
    doomed = _doomed(table, line, dropped) | _own(table, rejected)
    doomed |= {e.metadata_file for e in older if e.snapshot_id in dropped and e.metadata_file}
    moments: dict[int, str | None] = {e.seq: None for e in older if e.snapshot_id in dropped}
    for snapshot in leaving:
        entry = known[snapshot.snapshot_id]
        if entry is not None:
            moments[entry.seq] = _write_moment(table, snapshot) if snapshot.snapshot_id in keep else None
    gone = [s.snapshot_id for s in [*leaving, *rejected]]
    tags = [name for name, ref in table.metadata.refs.items() if ref.snapshot_id in gone]
    verdicts.expire(product, uuid, moments)
    updates = [*(snapshots.drop_ref(name) for name in tags), snapshots.drop_snapshots(gone)]
    table = snapshots.commit(table, epoch, [], updates)
    _delete(lakehouse, doomed)
    return table


def _rejected(table: Table, chain: Sequence[Snapshot]) -> list[Snapshot]:
    """Snapshots that readers never saw, and that nobody needs to inspect any more."""
    seen = {s.snapshot_id for s in chain}
    staying = {s.snapshot_id for s in chain[-KEEP_SNAPSHOTS:]}
    found = sorted(
        (s for s in table.metadata.snapshots if s.snapshot_id not in seen),
        key=lambda s: s.sequence_number or 0,
    )
    recent = found[-KEEP_REJECTED:]
    return [s for s in found if s not in recent or s.parent_snapshot_id not in staying]


def _chain(table: Table) -> list[Snapshot]:
    """Snapshots that readers saw, oldest first."""
    found: list[Snapshot] = []
    snapshot = table.metadata.current_snapshot()
    while snapshot is not None:
        found.append(snapshot)
        parent = snapshot.parent_snapshot_id
        snapshot = table.metadata.snapshot_by_id(parent) if parent is not None else None
    return found[::-1]


def _moments(entries: Sequence[SnapshotInfo]) -> set[int]:
    """Snapshot ids to keep readable: the last of each bucket."""
    now = datetime.now(UTC)
    return set({bucket(entry, now): entry.snapshot_id for entry in entries}.values())


def bucket(entry: SnapshotInfo, now: datetime) -> str:
    """Moments of one bucket stand for each other: an hour, after a week a day (UTC)."""
    recent = now - entry.committed_at < HOURLY
    return entry.committed_at.strftime("%Y-%m-%d %H" if recent else "%Y-%m-%d")


def _moment(entry: SnapshotInfo) -> Snapshot:
    """The snapshot in the metadata file of an older moment."""
    from pyiceberg.table.metadata import TableMetadataUtil

    assert entry.metadata_file is not None
    metadata = TableMetadataUtil.parse_raw(Path(entry.metadata_file).read_text(encoding="utf-8"))
    return metadata.snapshots[0]


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


def _doomed(table: Table, line: Sequence[tuple[int, Snapshot]], dropped: set[int]) -> set[str]:
    """Files that only dropped snapshots of a line hold.

    A file is held by an unbroken run of the line, so the nearest retained neighbours tell.
    """
    doomed: set[str] = set()
    before: set[str] = set()
    waiting: set[str] = set()
    for snapshot_id, snapshot in line:
        if snapshot_id in dropped:
            waiting |= _held(table, snapshot)
        elif waiting or _next_dropped(line, snapshot_id, dropped):
            held = _held(table, snapshot)
            doomed |= waiting - before - held
            before, waiting = held, set()
    return doomed


def _next_dropped(line: Sequence[tuple[int, Snapshot]], snapshot_id: int, dropped: set[int]) -> bool:
    """Whether the snapshot after this one is dropped."""
    ids = [i for i, _ in line]
    after = ids.index(snapshot_id) + 1
    return after < len(ids) and ids[after] in dropped


def _own(table: Table, rejected: Sequence[Snapshot]) -> set[str]:
    """Files that belong to rejected snapshots alone."""
    own: set[str] = set()
    for snapshot in rejected:
        manifests = [m for m in snapshot.manifests(table.io) if m.added_snapshot_id == snapshot.snapshot_id]
        pub_id = (snapshot.summary or {}).get("pub_id") or "?"
        paths = {e.data_file.file_path for m in manifests for e in snapshots.live(table.io, m)}
        own |= {snapshot.manifest_list, *(m.manifest_path for m in manifests)}
        own |= {path for path in paths if f"/{pub_id}-" in path}
    return own


def _held(table: Table, snapshot: Snapshot) -> set[str]:
    """Every file that reading a snapshot needs."""
    manifests = {m.manifest_path for m in snapshot.manifests(table.io)}
    data = {e.data_file.file_path for e in snapshots.entries(table.io, snapshot)}
    return {snapshot.manifest_list, *manifests, *data}


def _delete(lakehouse: Lakehouse, paths: set[str]) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)
    lakehouse.verdicts.forget_digests(sorted(p for p in paths if p.endswith(".parquet")))


def purge(lakehouse: Lakehouse, product: str, table: Table, epoch: int) -> Table:
    """Only what readers see now stays: older moments, rejected snapshots and every file of theirs go."""
    main = table.metadata.current_snapshot()
    gone = [
        s.snapshot_id for s in table.metadata.snapshots if main is None or s.snapshot_id != main.snapshot_id
    ]
    uuid, verdicts = str(table.metadata.table_uuid), lakehouse.verdicts
    entries = [e for e in verdicts.history(product) if main is None or e.snapshot_id != main.snapshot_id]
    verdicts.expire(product, uuid, {e.seq: None for e in entries if e.table_uuid == uuid})
    refs = [name for name, ref in table.metadata.refs.items() if ref.snapshot_id in gone]
    updates = [*map(snapshots.drop_ref, refs), *([snapshots.drop_snapshots(gone)] if gone else [])]
    if updates:
        table = snapshots.commit(table, epoch, [], updates)
    sweep(lakehouse, product, table)
    return table


def sweep(lakehouse: Lakehouse, product: str, table: Table) -> list[str]:
    """Delete files under the table's folder that nothing leads to; returns their paths.

    A crash leaves them: between writing and committing, between forgetting a snapshot and deleting its files.
    The caller owns the product, so nothing is being written.
    """
    held: set[str] = {table.metadata_location, *(e.metadata_file for e in table.metadata.metadata_log)}
    for snapshot in table.metadata.snapshots:
        held |= _held(table, snapshot)
    for entry in lakehouse.verdicts.kept(product):
        if entry.metadata_file and Path(entry.metadata_file).exists():
            held |= {entry.metadata_file, *_held(table, _moment(entry))}
    folder = Path(table.location())
    names = {path.removeprefix("file://") for path in held}
    found = [str(p) for p in sorted(folder.rglob("*")) if p.is_file() and str(p) not in names]
    _delete(lakehouse, set(found))
    return found


def scrub(lakehouse: Lakehouse) -> list[str]:
    """Paths of data files that are missing or whose bytes are not those that were written."""
    wrong: list[str] = []
    for path, (sha256, size) in sorted(lakehouse.verdicts.digests().items()):
        file = Path(path)
        if not file.exists() or file.stat().st_size != size or files.digest(path)[0] != sha256:
            wrong.append(path)
    return wrong
