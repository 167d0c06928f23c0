"""(file, position) of each live key of a large keyed table, kept in the product's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.publish.state import SinkState, has, one
from hanse.quoting import literal, quote

if TYPE_CHECKING:
    import duckdb

LARGE = 200_000
"""Rows from which a keyed table is changed by position deletes instead of being rewritten whole."""
COMPACT_ABOVE = 0.2
"""Share of deleted rows above which a file is compacted."""
MAX_DELETE_FILES = 16
"""Delete files above which they are merged into one."""


def known(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the table is kept by positions."""
    return has(con, "publish_position")


def rebuild(con: duckdb.DuckDBPyConnection, sink: SinkState, paths: list[str]) -> None:
    """Start anew: the table consists of these files, and nothing in them is deleted."""
    forget(con)
    types = dict(sink.columns)
    key = ", ".join(f"{quote(name)} {types[name]}" for name in sink.key)
    con.execute(f"CREATE TABLE hanse.publish_position ({key}, _file BIGINT, _pos BIGINT)")
    for path in paths:
        add(con, sink, path)


def add(con: duckdb.DuckDBPyConnection, sink: SinkState, path: str) -> None:
    """All rows of a new file are live."""
    key = ", ".join(quote(name) for name in sink.key)
    file_id = int(one(con, "SELECT coalesce(max(file_id), 0) + 1 FROM hanse.publish_file"))
    con.execute(
        f"INSERT INTO hanse.publish_position SELECT {key}, {file_id}, file_row_number "
        f"FROM read_parquet({literal(path)}, file_row_number = true)"
    )
    con.execute(
        "INSERT INTO hanse.publish_file SELECT ?, ?, count(*) FROM hanse.publish_position WHERE _file = ?",
        [file_id, path, file_id],
    )


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """The table is not kept by positions any more."""
    con.execute("DROP TABLE IF EXISTS hanse.publish_position")
    con.execute("DELETE FROM hanse.publish_file")
    con.execute("DELETE FROM hanse.publish_gone")


def hit(sink: SinkState) -> str:
    """Query of (_file, _pos) of the rows that the frozen delta replaces or deletes."""
    join = " AND ".join(f"p.{quote(n)} IS NOT DISTINCT FROM d.{quote(n)}" for n in sink.key)
    return f"SELECT p._file, p._pos FROM hanse.publish_position p SEMI JOIN hanse.publish_delta d ON {join}"


def crowded(con: duckdb.DuckDBPyConnection, sink: SinkState) -> list[tuple[int, str]]:
    """Files (id, path) in which more than COMPACT_ABOVE of the rows are deleted once the delta is applied."""
    rows = con.execute(
        f"""SELECT file_id, path FROM hanse.publish_file WHERE rows > 0 AND
        ((SELECT count(*) FROM hanse.publish_gone g WHERE g.file_id = publish_file.file_id)
         + (SELECT count(*) FROM ({hit(sink)}) h WHERE h._file = publish_file.file_id)) > ? * rows""",
        [COMPACT_ABOVE],
    ).fetchall()
    return [(int(i), str(p)) for i, p in rows]


def apply(con: duckdb.DuckDBPyConnection, sink: SinkState, compacted: list[str], added: list[str]) -> None:
    """The delta is published: move its keys' positions, drop compacted files, add the new ones."""
    con.execute(f"INSERT INTO hanse.publish_gone {hit(sink)}")
    join = " AND ".join(f"p.{quote(n)} IS NOT DISTINCT FROM d.{quote(n)}" for n in sink.key)
    con.execute(f"DELETE FROM hanse.publish_position p USING hanse.publish_delta d WHERE {join}")
    for path in compacted:
        file_id = one(con, "SELECT file_id FROM hanse.publish_file WHERE path = ?", [path])
        for table, column in (
            ("publish_position", "_file"),
            ("publish_gone", "file_id"),
            ("publish_file", "file_id"),
        ):
            con.execute(f"DELETE FROM hanse.{table} WHERE {column} = ?", [file_id])
    for path in added:
        add(con, sink, path)
