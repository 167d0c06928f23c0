"""Step 5: the checks on one snapshot; and the rows that a contract sets aside."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType, TimestampType

from hanse.model.mesh import Contract
from hanse.publish import files, maintenance, snapshots, write
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.plan import escaped, scan_sql, split
from hanse.publish.state import Pending, SinkState
from hanse.publish.verdicts import Verdict
from hanse.quoting import literal, quote

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

REJECTED = "$rejected"


def check(table: Table, snapshot: Snapshot, contract: Contract, oldest: datetime | None) -> Verdict:
    """Run the contract's checks on exactly this snapshot's files."""
    from hanse.quality import run_checks

    aside = json.loads((snapshot.summary or {}).get("hanse.set-aside") or "{}")
    now = datetime.now(UTC)
    with reading(table, snapshot, table.name()[-1]) as (con, view):
        results = run_checks(con, view, contract, oldest=oldest, set_aside=aside, now=now)
    passed = all(r.passed or r.severity == "warning" for r in results)
    return Verdict(passed, tuple(results), now)


@contextmanager
def reading(table: Table, snapshot: Snapshot, name: str) -> Generator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection of its own that sees one snapshot as a view and no other file."""
    import duckdb

    data, deletes = split(snapshots.entries(table.io, snapshot))
    schema = table.schemas()[snapshot.schema_id] if snapshot.schema_id is not None else table.schema()
    con = duckdb.connect()
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE VIEW {quote(name)} AS {scan_sql(schema, data, deletes)}")
        paths = [*data, *deletes]
        allowed = ", ".join(literal(path) for path in {*paths, *map(escaped, paths)})
        con.execute(f"SET allowed_paths = [{allowed}]")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con, quote(name)
    finally:
        con.close()


def set_aside(
    lakehouse: Lakehouse,
    table: Table,
    con: duckdb.DuckDBPyConnection,
    pending: Pending,
    sink: SinkState,
    predicates: dict[str, str],
    count: int,
) -> None:
    """Put the offending rows of a publication into `<product>$rejected`, once.

    A product that is rewritten whole has there what offends now; others collect.
    """
    full_name = ".".join(table.name()) + REJECTED
    rejected = lakehouse.load(full_name)
    if count == 0 and (rejected is None or not pending.whole):
        return
    if rejected is None:
        rejected = lakehouse.create(full_name, _schema(table))
    head = rejected.metadata.current_snapshot()
    if head is not None and (head.summary or {}).get("pub_id") == pending.pub_id:
        return
    files.remove(rejected, pending.pub_id)
    query = write.aside_query(table.schema(), pending, sink, predicates)
    added = files.write_data(con, rejected, f"{pending.pub_id}-0", query)
    gone = (
        {e.data_file.file_path for e in snapshots.entries(rejected.io, head)} if pending.whole else set[str]()
    )
    change = snapshots.Change(
        (added,) if added else (), frozenset(gone), {"pub_id": pending.pub_id, "seq": str(pending.seq)}
    )
    update = snapshots.build(rejected, head, change)
    epoch = int(rejected.properties.get(snapshots.EPOCH, "0"))
    rejected = snapshots.commit(
        rejected,
        epoch,
        [snapshots.on_ref("main", head.snapshot_id if head else None)],
        [update, snapshots.set_ref("main", update.snapshot.snapshot_id)],
    )
    maintenance.expire(lakehouse, full_name, rejected, epoch)


def _schema(table: Table) -> Schema:
    last = table.schema().highest_field_id
    return Schema(
        *table.schema().fields,
        NestedField(last + 1, "hanse_rules", StringType(), required=False),
        NestedField(last + 2, "hanse_seq", LongType(), required=False),
        NestedField(last + 3, "hanse_set_aside_at", TimestampType(), required=False),
    )
