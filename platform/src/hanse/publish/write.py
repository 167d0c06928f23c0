"""Step 3 and 4 of a publication: from frozen rows to a `Change` for one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanse.publish import files, positions
from hanse.publish.plan import scan_sql, source, split
from hanse.publish.schema import duckdb_type
from hanse.publish.snapshots import Change, entries
from hanse.publish.state import Pending, SinkState, one
from hanse.quoting import literal, quote

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.manifest import DataFile, ManifestEntry
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

SMALL_FILE = 100_000
"""Rows below which a file of an append product counts as small."""
MAX_SMALL_FILES = 24
"""Small files from which an append merges them into one."""


@dataclass(frozen=True, slots=True)
class Written:
    """Files of a publication, and what they mean: rows of the whole table, and rows set aside by rule."""

    change: Change
    rows: int
    set_aside: dict[str, int]


def write(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    pending: Pending,
    sink: SinkState,
    aside: dict[str, str],
) -> Written:
    """Write the files of a sealed publication; `aside` are predicates of rows to leave out, by rule."""
    base = table.metadata.snapshot_by_id(pending.base) if pending.base else None
    found = entries(table.io, base)
    if pending.mode == "replace":
        added, removed = _replace(con, table, pending, sink, aside, found)
    elif pending.mode == "append":
        added, removed = _append(con, table, pending, sink, aside, base, found)
    else:
        added, removed = _delta(con, table, pending, sink, aside, found)
    counts = {name: _count(con, pending, predicate) for name, predicate in aside.items()}
    files_added = tuple(f for f in added if f is not None)
    rows = _rows(found, files_added, removed)
    return Written(Change(files_added, frozenset(removed)), rows, counts)


def _rows(found: Sequence[ManifestEntry], added: Sequence[DataFile], removed: set[str]) -> int:
    live = [e.data_file for e in found if e.data_file.file_path not in removed]
    return sum(f.record_count if f.content == 0 else -f.record_count for f in [*live, *added])


def frozen(pending: Pending) -> str:
    """The frozen rows: the whole table, or the delta's upserts."""
    return "hanse.publish_whole" if pending.whole else "(SELECT * FROM hanse.publish_delta WHERE _op > 0)"


def columns(schema: Schema, sink: SinkState) -> str:
    """The sink's columns cast to the table's; timestamps with a zone become UTC."""
    types = dict(sink.columns)
    parts: list[str] = []
    for field in schema.fields:
        name, wanted = quote(field.name), duckdb_type(field.field_type)
        value = sink.masks.get(field.name, name)
        zoned = (
            "WITH TIME ZONE" in types.get(field.name, "").upper() or types.get(field.name) == "TIMESTAMPTZ"
        )
        if zoned and wanted == "TIMESTAMP":
            value = f"timezone('UTC', {name})"
        elif wanted == "TIMESTAMP WITH TIME ZONE" and not zoned:
            value = f"timezone('UTC', {name}::TIMESTAMP)"
        parts.append(f"CAST({value} AS {wanted}) AS {name}")
    return ", ".join(parts)


def good(aside: dict[str, str]) -> str:
    """The predicate of rows that no rule sets aside."""
    return " AND ".join(f"({p}) IS NOT TRUE" for p in aside.values()) or "true"


def bad(aside: dict[str, str]) -> str:
    """The predicate of rows that some rule sets aside."""
    return " OR ".join(f"({p}) IS TRUE" for p in aside.values()) or "false"


def _count(con: duckdb.DuckDBPyConnection, pending: Pending, predicate: str) -> int:
    return int(one(con, f"SELECT count(*) FROM {frozen(pending)} WHERE ({predicate}) IS TRUE"))


def _query(table: Table, pending: Pending, sink: SinkState, aside: dict[str, str]) -> str:
    return f"SELECT {columns(table.schema(), sink)} FROM {frozen(pending)} WHERE {good(aside)}"


def _replace(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    pending: Pending,
    sink: SinkState,
    aside: dict[str, str],
    found: Sequence[ManifestEntry],
) -> tuple[list[DataFile | None], set[str]]:
    added = files.write_data(con, table, f"{pending.pub_id}-0", _query(table, pending, sink, aside))
    return [added], {e.data_file.file_path for e in found}


def _append(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    pending: Pending,
    sink: SinkState,
    aside: dict[str, str],
    base: Snapshot | None,
    found: Sequence[ManifestEntry],
) -> tuple[list[DataFile | None], set[str]]:
    """New rows as a new file; when small files have piled up, one file takes them in as well."""
    query = _query(table, pending, sink, aside)
    small = {e.data_file.file_path for e in found if e.data_file.record_count < SMALL_FILE}
    if len(small) < MAX_SMALL_FILES or base is None:
        return [files.write_data(con, table, f"{pending.pub_id}-0", query)], set()
    merged = f"{scan_sql(table.schema(), sorted(small))} UNION ALL {query}"
    return [files.write_data(con, table, f"{pending.pub_id}-0", merged)], small


def _delta(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    pending: Pending,
    sink: SinkState,
    aside: dict[str, str],
    found: Sequence[ManifestEntry],
) -> tuple[list[DataFile | None], set[str]]:
    """Upserts as a new file, the rows they replace as positions; crowded files are compacted on the way."""
    data, deletes = split(found)
    crowded = positions.crowded(con, sink)
    query = _query(table, pending, sink, aside)
    if crowded:
        query = f"{query} UNION ALL {_survivors(table, sink, crowded)}"
    added = files.write_data(con, table, f"{pending.pub_id}-0", query)
    ids = ", ".join(str(i) for i, _ in crowded) or "NULL"
    gone = positions.hit(sink)
    merge = bool(crowded) or len(deletes) >= positions.MAX_DELETE_FILES
    if merge:
        gone = f"{gone} UNION ALL SELECT file_id, pos FROM hanse.publish_gone"
    where = f"WHERE g._file NOT IN ({ids})" if crowded else ""
    rows = (
        "SELECT f.path AS file_path, g._pos AS pos FROM "
        f"({gone}) AS g(_file, _pos) JOIN hanse.publish_file f ON f.file_id = g._file {where}"
    )
    removed = {path for _, path in crowded} | (set(deletes) if merge else set())
    assert removed <= {*data, *deletes}
    return [added, files.write_deletes(con, table, f"{pending.pub_id}-d", rows)], removed


def _survivors(table: Table, sink: SinkState, crowded: list[tuple[int, str]]) -> str:
    """Live rows of crowded files that the delta does not touch."""
    ids = ", ".join(str(i) for i, _ in crowded)
    paths = [path for _, path in crowded]
    names = ", ".join(f"s.{quote(f.name)}" for f in table.schema().fields)
    join = " AND ".join(f"p.{quote(n)} IS NOT DISTINCT FROM d.{quote(n)}" for n in sink.key)
    return (
        f"SELECT {names} FROM {source(table.schema(), paths, positions=True)} s SEMI JOIN "
        "(SELECT f.path, p._pos FROM hanse.publish_position p "
        "JOIN hanse.publish_file f ON f.file_id = p._file "
        f"ANTI JOIN hanse.publish_delta d ON {join} WHERE p._file IN ({ids})) l "
        "ON s.filename = l.path AND s.file_row_number = l._pos"
    )


def aside_query(table_schema: Schema, pending: Pending, sink: SinkState, aside: dict[str, str]) -> str:
    """Rows that were set aside, with the rules they broke and the publication."""
    rules = ", ".join(f"CASE WHEN ({p}) IS TRUE THEN {literal(name)} END" for name, p in aside.items())
    broken = f"concat_ws(', ', {rules})"
    return (
        f"SELECT {columns(table_schema, sink)}, {broken} AS hanse_rules, "
        f"{pending.seq}::BIGINT AS hanse_seq, timezone('UTC', now()) AS hanse_set_aside_at "
        f"FROM {frozen(pending)} WHERE {bad(aside)}"
    )
