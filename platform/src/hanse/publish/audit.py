"""Step 5: the checks on one snapshot; the rows that a contract sets aside, and those in the clear."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
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

REJECTED, RESTRICTED = "$rejected", "$restricted"


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
    query = write.aside_query(table.schema(), pending, sink, predicates)
    _beside(lakehouse, full_name, rejected, con, pending, query, whole=pending.whole)


def restrict(
    lakehouse: Lakehouse,
    table: Table,
    con: duckdb.DuckDBPyConnection,
    pending: Pending,
    sink: SinkState,
    predicates: dict[str, str],
) -> None:
    """Put a publication's rows with their clear values into `<product>$restricted`, once.

    Its folder is readable by the owner of the mesh only.
    """
    full_name = ".".join(table.name()) + RESTRICTED
    found = lakehouse.load(full_name)
    if found is None or found.schema().fields != table.schema().fields:
        if found is not None:
            lakehouse.drop(full_name)
        found = lakehouse.create(full_name, table.schema())
        Path(found.location()).mkdir(parents=True, exist_ok=True)
        Path(found.location()).chmod(0o700)
    rows = write.frozen(pending) if pending.whole or sink.output is None else sink.output
    seen = replace(sink, masks=sink.clear)
    query = f"SELECT {write.columns(table.schema(), seen)} FROM {rows} WHERE {write.good(predicates)}"
    whole = sink.output is not None or pending.mode == "replace"
    _beside(lakehouse, full_name, found, con, pending, query, whole=whole)


def _beside(
    lakehouse: Lakehouse,
    full_name: str,
    table: Table,
    con: duckdb.DuckDBPyConnection,
    pending: Pending,
    query: str,
    *,
    whole: bool,
) -> None:
    """One snapshot of a table beside the product's, named by the publication; nothing when it is there."""
    head = table.metadata.current_snapshot()
    if head is not None and (head.summary or {}).get("pub_id") == pending.pub_id:
        return
    files.remove(table, pending.pub_id)
    added = files.write_data(con, table, f"{pending.pub_id}-0", query)
    gone = {e.data_file.file_path for e in snapshots.entries(table.io, head)} if whole else set[str]()
    change = snapshots.Change(
        (added,) if added else (), frozenset(gone), {"pub_id": pending.pub_id, "seq": str(pending.seq)}
    )
    update = snapshots.build(table, head, change)
    epoch = int(table.properties.get(snapshots.EPOCH, "0"))
    table = snapshots.commit(
        table,
        epoch,
        [snapshots.on_ref("main", head.snapshot_id if head else None)],
        [update, snapshots.set_ref("main", update.snapshot.snapshot_id)],
    )
    maintenance.expire(lakehouse, full_name, table, epoch)


def _schema(table: Table) -> Schema:
    last = table.schema().highest_field_id
    return Schema(
        *table.schema().fields,
        NestedField(last + 1, "hanse_rules", StringType(), required=False),
        NestedField(last + 2, "hanse_seq", LongType(), required=False),
        NestedField(last + 3, "hanse_set_aside_at", TimestampType(), required=False),
    )
