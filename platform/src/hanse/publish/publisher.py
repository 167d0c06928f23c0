"""From a projection's state to readers: the publication protocol.

1. (the projector) state, offsets and changes in one transaction
2. seal: id, number, base, offsets and the frozen delta, in one transaction
3. branch `audit` = base; data files named by the id
4. one snapshot on `audit`, asserting audit = base and the owner's epoch
5. checks on that very snapshot; the verdict is stored
6. one commit that asserts main = base and audit = the snapshot, moves `main` and sets `hanse.head`;
   or, when a check failed, a tag `rejected-<seq>`, and the changes are dirty again
7. the state records the publication and drops it as pending

A process may die after each step; `recover` goes on from what the lakehouse shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hanse.errors import PublicationError, PublicationRejected
from hanse.model.mesh import Product
from hanse.publish import audit, files, maintenance, positions, snapshots, state, write
from hanse.publish.failpoints import reach
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.lease import Lease
from hanse.publish.state import Context, Mode, Pending, SinkState
from hanse.publish.verdicts import SnapshotInfo, State, Verdict
from hanse.quality.plan import set_aside_predicates

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

HEAD = "hanse.head"
MAIN, AUDIT = "main", "audit"


@dataclass(frozen=True, slots=True)
class Publication:
    """What readers see since. `rows` counts the whole table; `set_aside` rows by rule."""

    pub_id: str
    seq: int
    snapshot_id: int
    rows: int
    added: int
    deleted: int
    set_aside: dict[str, int]
    offsets: dict[str, Any]
    verdict: Verdict
    committed_at: datetime


class Rejected(PublicationRejected):
    """A contract check failed; carries the verdict. Readers stay on the last good snapshot."""

    def __init__(self, product: str, seq: int, snapshot_id: int, verdict: Verdict) -> None:
        failed = verdict.failed
        super().__init__(
            f"publication {seq} of {product} breaks its contract; readers keep the last good snapshot",
            where=f"snapshot {snapshot_id}, tag rejected-{seq}",
            expected="; ".join(f"{c.name}: {c.expected}" for c in failed),
            got="; ".join(c.sentence() for c in failed),
            fix=f"mend the source or the contract, then `hanse product retry {product}`; "
            f"or `hanse product release {product} {seq}`",
        )
        self.seq = seq
        self.snapshot_id = snapshot_id
        self.verdict = verdict


class Publisher:
    """Publishes one product. The caller holds the lease, and the state's connection is its alone."""

    def __init__(self, lakehouse: Lakehouse, product: Product, lease: Lease) -> None:
        self.lakehouse = lakehouse
        self.product = product
        self.lease = lease
        self._table: Table | None = None
        self._anew = False

    @property
    def name(self) -> str:
        """The product's full name."""
        return self.product.full_name

    def table(self) -> Table:
        """The product's table, owned: its epoch is the lease's. Raises StaleWriter, PublicationError."""
        self.lease.check()
        if self._table is None:
            table = self.lakehouse.ensure(self.name, self.product.contract, anew=self._anew)
            seen = int(table.properties.get(snapshots.EPOCH, "0"))
            if seen > self.lease.epoch:
                self.lease.raise_to(seen + 1)
            if seen != self.lease.epoch:
                epoch = snapshots.set_properties({snapshots.EPOCH: str(self.lease.epoch)})
                table = snapshots.commit(table, self.lease.epoch, [], [epoch], take=True)
            self._table = table
        return self._table

    def publish(
        self,
        con: duckdb.DuckDBPyConnection,
        sink: SinkState,
        offsets: Mapping[str, Any],
        context: Context | None = None,
        *,
        rebuild: bool = False,
    ) -> Publication | None:
        """Publish what changed since the last time; None when nothing did.

        A publication left over from a crash is finished first. With `rebuild` the state is new and holds
        everything: it replaces what readers have. Raises Rejected, StaleWriter, PublicationError.
        """
        left = self.recover(con, sink, rebuild=rebuild)
        pending = self._seal(con, sink, offsets, context or Context())
        return left if pending is None else self._from_files(con, sink, pending)

    def recover(
        self, con: duckdb.DuckDBPyConnection, sink: SinkState, *, rebuild: bool = False
    ) -> Publication | None:
        """Finish the publication that a crash left; None when there is none. Raises as `publish` does."""
        con.execute("SET TimeZone = 'UTC'")
        state.prepare(con)
        self._table, self._anew = None, rebuild
        table = self.table()
        if rebuild:
            state.start_rebuild(con, _id(table.metadata.current_snapshot()))
        pending = state.load(con)
        head = table.properties.get(HEAD, "").split("/")
        if pending is not None and head[:2] == [str(pending.seq), pending.pub_id]:
            return self._record(con, sink, pending, self._main(table))
        self._same_history(con, table, pending)
        if pending is None:
            return None
        audit_id = snapshots.ref(table.metadata, AUDIT)
        made = table.metadata.snapshot_by_id(audit_id) if audit_id else None
        if made is not None and _pub_id(made) == pending.pub_id and made.parent_snapshot_id == pending.base:
            return self._judge(con, sink, pending, made)
        files.remove(table, pending.pub_id)
        return self._from_files(con, sink, pending)

    def _main(self, table: Table) -> Snapshot:
        snapshot = table.metadata.current_snapshot()
        assert snapshot is not None
        return snapshot

    def _same_history(self, con: duckdb.DuckDBPyConnection, table: Table, pending: Pending | None) -> None:
        """main must be what this state published, and the pending publication must stand on it."""
        main = table.metadata.current_snapshot()
        uuid = str(table.metadata.table_uuid)
        lost = pending is not None and (pending.table_uuid != uuid or pending.base != _id(main))
        known = state.last_pub(con) == _pub_id(main) or state.rebuilding(con, _id(main))
        if lost or not known:
            raise PublicationError(
                f"the state of {self.name} did not make what its readers see",
                expected=f"publication {_pub_id(main)} in the state" if main else "an empty table",
                got="a state that was lost, or restored from another time",
                fix=f"hanse product rebuild {self.name}",
            )

    def _seal(
        self,
        con: duckdb.DuckDBPyConnection,
        sink: SinkState,
        offsets: Mapping[str, Any],
        context: Context,
    ) -> Pending | None:
        """Step 2."""
        table = self.table()
        main = table.metadata.current_snapshot()
        rebuild = main is not None and state.rebuilding(con, main.snapshot_id)
        contract = self.product.contract
        same = main is not None and state.last_contract(con) == contract.version
        changed = bool(state.one(con, f"SELECT count(*) FROM (SELECT 1 FROM {sink.changes} LIMIT 1)"))
        if not changed and not rebuild and (same or main is None):
            return None
        with state.transaction(con):
            upserts, deletes, watermark = state.freeze(con, sink)
            mode = self._mode(con, sink, upserts, rebuild=rebuild, same=same)
            whole = mode == "replace" and sink.output is not None
            if whole:
                con.execute(f"CREATE OR REPLACE TABLE hanse.publish_whole AS SELECT * FROM {sink.output}")
            pending = Pending(
                pub_id=state.new_id(),
                seq=self._next_seq(con, table),
                base=_id(main),
                table_uuid=str(table.metadata.table_uuid),
                mode=mode,
                offsets=state.offsets_of(offsets),
                contract_version=contract.version,
                code_version=context.code_version,
                oldest=context.oldest,
                upserts=upserts,
                deletes=deletes,
                whole=whole,
                watermark=watermark,
            )
            state.store(con, pending)
        reach("sealed")
        return pending

    def _mode(
        self, con: duckdb.DuckDBPyConnection, sink: SinkState, upserts: int, *, rebuild: bool, same: bool
    ) -> Mode:
        if sink.output is None or sink.append:
            return "replace" if rebuild else "append"
        if not sink.key or rebuild or not same or not positions.known(con):
            return "replace"
        rows = int(state.one(con, "SELECT count(*) FROM hanse.publish_position"))
        small = rows < positions.LARGE // 2
        return "replace" if small or upserts > rows * 0.4 else "delta"

    def _next_seq(self, con: duckdb.DuckDBPyConnection, table: Table) -> int:
        """One more than any publication of this product, rejected ones included."""
        tried = self.lakehouse.verdicts.last_seq(self.name)
        head = table.properties.get(HEAD, "0").split("/")[0]
        return max(state.last_seq(con), int(head), tried) + 1

    def _from_files(self, con: duckdb.DuckDBPyConnection, sink: SinkState, pending: Pending) -> Publication:
        """Steps 3 and 4."""
        table = self.table()
        self._agree(table, sink)
        at = snapshots.ref(table.metadata, AUDIT)
        if pending.base is not None and at != pending.base:
            table = self._commit([], [snapshots.set_ref(AUDIT, pending.base)])
        elif pending.base is None and at is not None:
            table = self._commit([], [snapshots.drop_ref(AUDIT)])
        reach("audit-set")
        aside = set_aside_predicates(self.product.contract)
        written = self._write(con, table, pending, sink, aside)
        reach("files-written")
        properties = self._properties(pending, written)
        base = table.metadata.snapshot_by_id(pending.base) if pending.base else None
        added = snapshots.build(table, base, replace(written.change, properties=properties))
        made = added.snapshot.snapshot_id
        asserted = [snapshots.on_ref(AUDIT, pending.base), snapshots.on_ref(MAIN, pending.base)]
        table = self._commit(asserted, [added, snapshots.set_ref(AUDIT, made)])
        reach("snapshot-made")
        snapshot = table.metadata.snapshot_by_id(made)
        assert snapshot is not None
        return self._judge(con, sink, pending, snapshot)

    def _write(
        self,
        con: duckdb.DuckDBPyConnection,
        table: Table,
        pending: Pending,
        sink: SinkState,
        aside: dict[str, str],
    ) -> write.Written:
        import duckdb

        try:
            return write.write(con, table, pending, sink, aside)
        except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
            raise PublicationError(
                f"a row of {self.name} does not fit the types of its contract",
                where=str(self.product.contract.path),
                got=str(error).splitlines()[0][:300],
                fix="widen the column in contract.yaml, or cast in the projection",
            ) from error

    def _agree(self, table: Table, sink: SinkState) -> None:
        """The projection gives the columns that the contract promises."""
        have = {name for name, _ in sink.columns}
        want = {field.name for field in table.schema().fields}
        if have != want:
            raise PublicationError(
                f"the projection of {self.name} does not give the columns of its contract",
                where=str(self.product.sql_path),
                expected=", ".join(sorted(want)),
                got=", ".join(sorted(have)),
                fix="name the columns of the query as in contract.yaml",
            )

    def _properties(self, pending: Pending, written: write.Written) -> dict[str, str]:
        return {
            "pub_id": pending.pub_id,
            "seq": str(pending.seq),
            "base": str(pending.base),
            "offsets": json.dumps(pending.offsets),
            "epoch": str(self.lease.epoch),
            "contract_version": pending.contract_version,
            "code_version": pending.code_version,
            "hanse.rows": str(written.rows),
            "hanse.set-aside": json.dumps(written.set_aside),
            "added-records": str(pending.upserts),
            "deleted-records": str(pending.deletes),
            "total-records": str(written.rows),
            "added-data-files": str(sum(f.content == 0 for f in written.change.added)),
        }

    def _commit(self, requirements: list[Any], updates: list[Any]) -> Table:
        self.lease.check()
        self._table = snapshots.commit(self.table(), self.lease.epoch, requirements, updates)
        return self._table

    def _judge(
        self, con: duckdb.DuckDBPyConnection, sink: SinkState, pending: Pending, snapshot: Snapshot
    ) -> Publication:
        """Steps 5 and 6."""
        table = self.table()
        verdict = self.lakehouse.verdicts.get(pending.table_uuid, snapshot.snapshot_id)
        if verdict is None:
            verdict = audit.check(table, snapshot, self.product.contract, pending.oldest)
            reach("checked")
            digests = self._digests(table, pending, snapshot)
            self.lakehouse.verdicts.store(pending.table_uuid, snapshot.snapshot_id, verdict, digests)
        reach("verdict-stored")
        if not verdict.passed:
            self._reject(con, sink, pending, snapshot, verdict)
            raise Rejected(self.name, pending.seq, snapshot.snapshot_id, verdict)
        self._move(pending, snapshot)
        reach("main-moved")
        return self._record(con, sink, pending, snapshot)

    def _digests(self, table: Table, pending: Pending, snapshot: Snapshot) -> dict[str, tuple[str, int]]:
        paths = [e.data_file.file_path for e in snapshots.entries(table.io, snapshot)]
        return {path: files.digest(path) for path in paths if f"/{pending.pub_id}-" in path}

    def _move(self, pending: Pending, snapshot: Snapshot, *more: Any) -> None:
        digest = files.digest(snapshot.manifest_list)[0]
        self._commit(
            [snapshots.on_ref(MAIN, pending.base), snapshots.on_ref(AUDIT, snapshot.snapshot_id)],
            [
                snapshots.set_ref(MAIN, snapshot.snapshot_id),
                snapshots.set_properties({HEAD: f"{pending.seq}/{pending.pub_id}/{digest}"}),
                *more,
            ],
        )

    def _reject(
        self,
        con: duckdb.DuckDBPyConnection,
        sink: SinkState,
        pending: Pending,
        snapshot: Snapshot,
        verdict: Verdict,
    ) -> None:
        name = f"rejected-{pending.seq}"
        if name not in self.table().metadata.refs:
            self._commit([], [snapshots.tag(name, snapshot.snapshot_id)])
        reach("tagged")
        self.lakehouse.verdicts.record(
            self.name, self._entry(pending, snapshot, "rejected", datetime.now(UTC), verdict)
        )
        with state.transaction(con):
            state.thaw(con, sink, pending)

    def release(self, con: duckdb.DuckDBPyConnection, sink: SinkState, seq: int, reason: str) -> Publication:
        """Show readers a rejected publication all the same: the operator's word against the contract's.

        Raises PublicationError when it is unknown or readers have moved on since.
        """
        self._settle(con, sink, seq)
        table = self.table()
        pending = state.rejected(con, seq)
        tagged = snapshots.ref(table.metadata, f"rejected-{seq}")
        snapshot = table.metadata.snapshot_by_id(tagged) if tagged else None
        if pending is None or snapshot is None or _id(table.metadata.current_snapshot()) != pending.base:
            raise PublicationError(
                f"publication {seq} of {self.name} cannot be released",
                expected="a rejected publication that stands on what readers see now",
                got="none of that number" if pending is None else "readers have moved on since",
                fix=f"hanse product retry {self.name}",
            )
        pending = replace(pending, note=reason)
        # first the branch: a pending publication that is not on it would be written anew, over these files
        if snapshots.ref(table.metadata, AUDIT) != snapshot.snapshot_id:
            self._commit([], [snapshots.set_ref(AUDIT, snapshot.snapshot_id)])
        reach("audit-set")
        with state.transaction(con):
            state.freeze(con, sink, pending.watermark)
            if pending.whole:
                con.execute(f"CREATE OR REPLACE TABLE hanse.publish_whole AS SELECT * FROM {sink.output}")
            state.store(con, pending)
        reach("sealed")
        self._move(pending, snapshot, snapshots.drop_ref(f"rejected-{seq}"))
        reach("main-moved")
        return self._record(con, sink, pending, snapshot)

    def _settle(self, con: duckdb.DuckDBPyConnection, sink: SinkState, seq: int) -> None:
        """Finish what a crash left; if that was the release of `seq`, its check refuses it once more."""
        try:
            self.recover(con, sink)
        except Rejected as error:
            if error.seq != seq:
                raise

    def _record(
        self, con: duckdb.DuckDBPyConnection, sink: SinkState, pending: Pending, snapshot: Snapshot
    ) -> Publication:
        """Step 7, and what may be repeated: rows set aside, history, expiry."""
        self._set_aside(con, sink, pending, snapshot)
        reach("set-aside")
        verdict = self.lakehouse.verdicts.get(pending.table_uuid, snapshot.snapshot_id)
        assert verdict is not None
        outcome: State = "published" if verdict.passed else "released"
        entry = self._entry(pending, snapshot, outcome, _moved(self.table(), snapshot), verdict)
        self.lakehouse.verdicts.record(self.name, entry)
        with state.transaction(con):
            if outcome == "released":
                positions.forget(con)
            else:
                self._update_positions(con, sink, pending, snapshot)
            state.done(con, pending, snapshot.snapshot_id)
        reach("recorded")
        self._table = maintenance.expire(self.lakehouse, self.name, self.table(), self.lease.epoch)
        return Publication(
            pub_id=pending.pub_id,
            seq=pending.seq,
            snapshot_id=snapshot.snapshot_id,
            rows=entry.rows,
            added=pending.upserts,
            deleted=pending.deletes,
            set_aside=_aside(snapshot),
            offsets=pending.offsets,
            verdict=verdict,
            committed_at=entry.committed_at,
        )

    def _set_aside(
        self, con: duckdb.DuckDBPyConnection, sink: SinkState, pending: Pending, snapshot: Snapshot
    ) -> None:
        predicates = set_aside_predicates(self.product.contract)
        if predicates:
            audit.set_aside(
                self.lakehouse, self.table(), con, pending, sink, predicates, sum(_aside(snapshot).values())
            )
        if sink.clear:
            audit.restrict(self.lakehouse, self.table(), con, pending, sink, predicates)

    def _update_positions(
        self, con: duckdb.DuckDBPyConnection, sink: SinkState, pending: Pending, snapshot: Snapshot
    ) -> None:
        if not sink.key or sink.output is None:
            return
        table = self.table()
        found = snapshots.entries(table.io, snapshot)
        data = [e.data_file for e in found if e.data_file.content == 0]
        if pending.mode == "replace":
            if sum(f.record_count for f in data) >= positions.LARGE:
                positions.rebuild(con, sink, [f.file_path for f in data])
            else:
                positions.forget(con)
            return
        live = {f.file_path for f in data}
        had = {str(r[0]) for r in con.execute("SELECT path FROM hanse.publish_file").fetchall()}
        positions.apply(con, sink, sorted(had - live), sorted(live - had))

    def _entry(
        self,
        pending: Pending,
        snapshot: Snapshot,
        outcome: State,
        at: datetime,
        verdict: Verdict,
    ) -> SnapshotInfo:
        properties = _summary(snapshot)
        return SnapshotInfo(
            snapshot_id=snapshot.snapshot_id,
            seq=pending.seq,
            committed_at=at,
            rows=int(properties.get("hanse.rows", 0)),
            added=pending.upserts,
            deleted=pending.deletes,
            set_aside=sum(_aside(snapshot).values()),
            offsets=pending.offsets,
            contract_version=pending.contract_version,
            code_version=pending.code_version,
            state=outcome,
            note=pending.note if outcome == "released" else "",
            pub_id=pending.pub_id,
            table_uuid=pending.table_uuid,
            verdict=verdict,
        )


def _id(snapshot: Snapshot | None) -> int | None:
    return snapshot.snapshot_id if snapshot else None


def _summary(snapshot: Snapshot) -> dict[str, str]:
    return dict(snapshot.summary.additional_properties) if snapshot.summary else {}


def _pub_id(snapshot: Snapshot | None) -> str | None:
    return _summary(snapshot).get("pub_id") if snapshot else None


def _aside(snapshot: Snapshot) -> dict[str, int]:
    return json.loads(_summary(snapshot).get("hanse.set-aside", "{}"))


def _moved(table: Table, snapshot: Snapshot) -> datetime:
    """When main came to the snapshot."""
    log = [e.timestamp_ms for e in table.metadata.snapshot_log if e.snapshot_id == snapshot.snapshot_id]
    return datetime.fromtimestamp((log[-1] if log else snapshot.timestamp_ms) / 1000, UTC)
