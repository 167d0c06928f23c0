"""The publisher's tables in a product's DuckDB state, in the schema `hanse`.

publish_pending   the one sealed publication that is not recorded yet
publish_delta     its frozen changes: the newest of each key, or all rows of an append product
publish_whole     its frozen rows, when the table is rewritten whole
publish_done      publications that readers saw
publish_position  (file, position) of each live key, for large keyed tables
publish_file      files of a large keyed table: rows, and how many of them are deleted
publish_gone      positions that were deleted, for merging delete files
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from hanse.quoting import quote

if TYPE_CHECKING:
    import duckdb

Mode = Literal["append", "replace", "delta"]


@dataclass(frozen=True, slots=True)
class SinkState:
    """What the projection's state offers for publication.

    `changes`: quoted table of changes ("_op", "_seq", columns); `output`: relation with all rows, None for an
    append product; `columns`: (name, DuckDB type); `key`: primary key, empty for append. `masks` and `clear`
    give, for columns that are masked, the SQL of what readers and what the restricted table see.
    """

    changes: str
    output: str | None
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...] = ()
    append: bool = False
    masks: Mapping[str, str] = field(default_factory=dict[str, str])
    clear: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Context:
    """What goes along with a publication. `oldest` is the log time of the oldest record in it (UTC)."""

    code_version: str = ""
    oldest: datetime | None = None
    extra: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Pending:
    """A sealed publication. `base` is main's snapshot; `watermark` the highest `_seq` it holds.

    `whole`: its rows are those of `publish_whole`, not those of the delta. `note`: why an operator released it.
    """

    pub_id: str
    seq: int
    base: int | None
    table_uuid: str
    mode: Mode
    offsets: dict[str, Any]
    contract_version: str
    code_version: str
    oldest: datetime | None
    upserts: int
    deletes: int
    whole: bool = False
    watermark: int = 0
    note: str = ""


_TABLES = """
CREATE SCHEMA IF NOT EXISTS hanse;
CREATE TABLE IF NOT EXISTS hanse.publish_pending (pub_id VARCHAR, body VARCHAR);
CREATE TABLE IF NOT EXISTS hanse.publish_done (
  seq BIGINT, pub_id VARCHAR, snapshot_id BIGINT, table_uuid VARCHAR, offsets VARCHAR,
  contract_version VARCHAR);
CREATE TABLE IF NOT EXISTS hanse.publish_rejected (seq BIGINT, body VARCHAR);
CREATE TABLE IF NOT EXISTS hanse.publish_rebuild (base BIGINT);
CREATE TABLE IF NOT EXISTS hanse.publish_file (file_id BIGINT, path VARCHAR, rows BIGINT);
CREATE TABLE IF NOT EXISTS hanse.publish_gone (file_id BIGINT, pos BIGINT);
"""


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Generator[None]:
    """All or nothing."""
    con.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that are missing."""
    con.execute(_TABLES)


def one(con: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> Any:
    """The first value of the first row, or None."""
    row = con.execute(query, parameters or []).fetchone()
    return row[0] if row else None


def has(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether a table of the schema `hanse` exists."""
    query = (
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database()"
        " AND schema_name = 'hanse' AND table_name = ?"
    )
    return bool(one(con, query, [table]))


def load(con: duckdb.DuckDBPyConnection) -> Pending | None:
    """The pending publication."""
    body = one(con, "SELECT body FROM hanse.publish_pending")
    return _pending(body) if body else None


def rejected(con: duckdb.DuckDBPyConnection, seq: int) -> Pending | None:
    """A publication that a check refused."""
    body = one(con, "SELECT body FROM hanse.publish_rejected WHERE seq = ?", [seq])
    return _pending(body) if body else None


def _pending(body: str) -> Pending:
    data: dict[str, Any] = json.loads(body)
    data["oldest"] = datetime.fromisoformat(data["oldest"]) if data["oldest"] else None
    return Pending(**data)


def _body(pending: Pending) -> str:
    data = {name: getattr(pending, name) for name in Pending.__dataclass_fields__}
    data["oldest"] = pending.oldest.astimezone(UTC).isoformat() if pending.oldest else None
    return json.dumps(data, default=str)


def store(con: duckdb.DuckDBPyConnection, pending: Pending) -> None:
    """Make a publication the pending one."""
    con.execute("DELETE FROM hanse.publish_pending")
    con.execute("INSERT INTO hanse.publish_pending VALUES (?, ?)", [pending.pub_id, _body(pending)])


def freeze(con: duckdb.DuckDBPyConnection, sink: SinkState, up_to: int | None = None) -> tuple[int, int, int]:
    """Move the changes, up to a `_seq`, into the frozen delta.

    Returns how many rows it upserts and deletes, and its highest `_seq`.
    """
    where = "" if up_to is None else f" WHERE _seq <= {up_to:d}"
    newest = ""
    if sink.key and not sink.append:
        key = ", ".join(quote(name) for name in sink.key)
        newest = f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _seq DESC) = 1"
    con.execute(f"CREATE OR REPLACE TABLE hanse.publish_delta AS SELECT * FROM {sink.changes}{where}{newest}")
    con.execute(f"DELETE FROM {sink.changes}{where}")
    row = con.execute(
        "SELECT count(*) FILTER (WHERE _op > 0), count(*) FILTER (WHERE _op < 0), coalesce(max(_seq), 0)"
        " FROM hanse.publish_delta"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def thaw(con: duckdb.DuckDBPyConnection, sink: SinkState, pending: Pending) -> None:
    """Make the frozen changes dirty again, older than any that came since; the publication was rejected."""
    con.execute(f"INSERT INTO {sink.changes} BY NAME SELECT * FROM hanse.publish_delta")
    con.execute("INSERT INTO hanse.publish_rejected VALUES (?, ?)", [pending.seq, _body(pending)])
    drop(con)


def drop(con: duckdb.DuckDBPyConnection) -> None:
    """Forget the pending publication and what was frozen for it."""
    con.execute("DELETE FROM hanse.publish_pending")
    con.execute("DROP TABLE IF EXISTS hanse.publish_delta")
    con.execute("DROP TABLE IF EXISTS hanse.publish_whole")


def done(con: duckdb.DuckDBPyConnection, pending: Pending, snapshot_id: int) -> None:
    """Record a publication that readers see, and drop it as pending."""
    con.execute(
        "INSERT INTO hanse.publish_done VALUES (?, ?, ?, ?, ?, ?)",
        [
            pending.seq,
            pending.pub_id,
            snapshot_id,
            pending.table_uuid,
            json.dumps(pending.offsets, default=str),
            pending.contract_version,
        ],
    )
    con.execute("DELETE FROM hanse.publish_rebuild")
    drop(con)


def start_rebuild(con: duckdb.DuckDBPyConnection, base: int | None) -> None:
    """This state is new and complete: until a publication has succeeded, each replaces all of `base`."""
    con.execute("DELETE FROM hanse.publish_rebuild")
    con.execute("INSERT INTO hanse.publish_rebuild VALUES (?)", [base])


def rebuilding(con: duckdb.DuckDBPyConnection, base: int | None) -> bool:
    """Whether this state is about to replace `base`."""
    return bool(
        one(con, "SELECT count(*) FROM hanse.publish_rebuild WHERE base IS NOT DISTINCT FROM ?", [base])
    )


def last_pub(con: duckdb.DuckDBPyConnection) -> str | None:
    """The id of the newest publication that this state recorded."""
    return one(con, "SELECT pub_id FROM hanse.publish_done ORDER BY seq DESC LIMIT 1")


def last_contract(con: duckdb.DuckDBPyConnection) -> str | None:
    """The contract version of the newest publication."""
    return one(con, "SELECT contract_version FROM hanse.publish_done ORDER BY seq DESC LIMIT 1")


def last_seq(con: duckdb.DuckDBPyConnection) -> int:
    """The highest number of a publication that this state made or tried."""
    return int(one(con, "SELECT coalesce(max(seq), 0) FROM hanse.publish_done"))


def new_id() -> str:
    """A new publication's id."""
    return uuid4().hex


def offsets_of(offsets: Mapping[str, Any]) -> dict[str, Any]:
    """Offsets as JSON keeps them: keys are texts."""
    return json.loads(json.dumps(offsets, default=str))
