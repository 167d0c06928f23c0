"""The engine's state tables: rows of sources with their arrival and watermarks, counters, outputs.

    engine.counter      name, value: the next arrival number, the next change number
    engine.fact         name, value: the program's text, changelogs that turned out otherwise
    engine.watermark    source, moment (as queries see it), reached (by rows): milliseconds
    engine.late_<n>     _seq, _watermark and the columns of a source's late rows, where late rows drop
    engine.source_<n>   _seq, _kind, _w<m> for each watermarked source m, and the source's columns
    engine.output_<n>   the sink's current rows
    engine.changes_<n>  _op, _seq, and the sink's columns: what the publisher has yet to take

Everything is written inside the caller's transaction; nothing is cached that a rollback would undo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hanse.engine.info import EngineError
from hanse.sql.catalog import Catalog, Source
from hanse.sql.relation import HIGHEST, LOWEST
from hanse.sql.types import quote

if TYPE_CHECKING:
    import duckdb

KINDS = {"+I": 0, "-U": 1, "+U": 2, "-D": 3}


def first_row(
    con: duckdb.DuckDBPyConnection, sql: str, values: list[object] | None = None
) -> tuple[Any, ...] | None:
    """The first row of a query, read to its end so that the connection is free again; None without rows."""
    rows = con.execute(sql, values or []).fetchall()
    return rows[0] if rows else None


class State:
    """The state tables of one program on a caller's connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, catalog: Catalog, *, marks: bool = True) -> None:
        self.con = con
        self.catalog = catalog
        self.marks = marks

    def create_base(self) -> None:
        """The tables that every program has."""
        self.con.execute("CREATE SCHEMA IF NOT EXISTS engine")
        self.con.execute("CREATE TABLE IF NOT EXISTS engine.counter (name VARCHAR, value BIGINT)")
        self.con.execute("CREATE TABLE IF NOT EXISTS engine.fact (name VARCHAR, value VARCHAR)")
        self.con.execute(
            "CREATE TABLE IF NOT EXISTS engine.watermark (source INTEGER, moment BIGINT, reached BIGINT)"
        )

    def create_source(self, source: Source, *, stored: bool) -> None:
        """A source's watermark, and its table when its rows are kept."""
        self.con.execute(
            "INSERT INTO engine.watermark SELECT $1, $2, $2 WHERE NOT EXISTS "
            "(SELECT 1 FROM engine.watermark WHERE source = $1)",
            [source.number, LOWEST],
        )
        if self.marks and source.watermark:
            late = ", ".join(f"{column.sql} {column.type.duckdb}" for column in source.columns)
            self.con.execute(
                f"CREATE TABLE IF NOT EXISTS {source.late_table} (_seq BIGINT, _watermark BIGINT, {late})"
            )
        if stored:
            columns = ", ".join(f"{column.sql} {column.type.duckdb}" for column in source.columns)
            marks = "".join(f"_w{number} BIGINT, " for number in self.timed())
            self.con.execute(
                f"CREATE TABLE IF NOT EXISTS {source.table} (_seq BIGINT, _kind TINYINT, {marks}{columns})"
            )

    def keep_late(self, source: Source, batch: str) -> None:
        """Keep the batch's rows that came behind the source's watermark, with what it was (milliseconds)."""
        time = next(column.sql for column in source.columns if column.name == source.rowtime)
        names, mark = ", ".join(column.sql for column in source.columns), f"_w{source.number}"
        self.con.execute(
            f"INSERT INTO {source.late_table} SELECT _seq, {mark}, {names} FROM {batch} "
            f"WHERE epoch_ms({time}) <= {mark} AND _kind IN (0, 2)"
        )

    def delta(self, source: Source, staged: str, *, latest: bool) -> None:
        """Make _hanse_delta from a staged batch: its rows as changes.

        Of an upsert source only each key's last row counts; with `latest` the source's table holds the
        current rows, the replaced ones become changes of their own, and the table is brought up to date.
        """
        sign = "CASE WHEN _kind IN (0, 2) THEN 1 ELSE -1 END AS _k"
        if source.changelog != "upsert":
            one = "1 AS _k" if source.changelog == "append" else sign
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_delta AS SELECT *, {one} FROM ({staged})")
            return
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_rows AS {staged}")
        key = ", ".join(quote(name) for name in source.primary_key)
        same = " AND ".join(f"t.{quote(n)} IS NOT DISTINCT FROM l.{quote(n)}" for n in source.primary_key)
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_last AS SELECT * EXCLUDE (_r) FROM (SELECT *, row_number() OVER "
            f"(PARTITION BY {key} ORDER BY _seq DESC) AS _r FROM _hanse_rows) WHERE _r = 1"
        )
        live = "SELECT *, 1 AS _k FROM _hanse_last WHERE _kind IN (0, 2)"
        if not latest:
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_delta AS {live}")
            return
        old = f"SELECT t.*, -1 AS _k FROM {source.table} t WHERE EXISTS (SELECT 1 FROM _hanse_last l WHERE {same})"
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_delta AS {live} UNION ALL {old}")
        self.con.execute(f"DELETE FROM {source.table} t USING _hanse_last l WHERE {same}")
        self.con.execute(f"INSERT INTO {source.table} SELECT * FROM _hanse_last WHERE _kind IN (0, 2)")

    def timed(self) -> list[int]:
        """The numbers of the sources whose watermark each row carries: none when late rows are kept."""
        if not self.marks:
            return []
        return [source.number for source in self.catalog.sources.values() if source.watermark]

    def fact(self, name: str) -> str | None:
        """A stored fact."""
        row = first_row(self.con, "SELECT value FROM engine.fact WHERE name = ?", [name])
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Store a fact."""
        self.con.execute("DELETE FROM engine.fact WHERE name = ?", [name])
        self.con.execute("INSERT INTO engine.fact VALUES (?, ?)", [name, value])

    def take(self, name: str, count: int) -> int:
        """Reserve `count` numbers of a counter; returns the first."""
        row = first_row(self.con, "SELECT value FROM engine.counter WHERE name = ?", [name])
        if row is None:
            self.con.execute("INSERT INTO engine.counter VALUES (?, ?)", [name, 1 + count])
            return 1
        self.con.execute("UPDATE engine.counter SET value = value + ? WHERE name = ?", [count, name])
        return int(row[0])

    def watermarks(self) -> dict[int, int]:
        """What each source's rows have reached, in milliseconds. Takes back an end of input."""
        rows = self.con.execute("SELECT source, reached, moment FROM engine.watermark").fetchall()
        if any(reached != moment for _, reached, moment in rows):
            self.con.execute("UPDATE engine.watermark SET moment = reached WHERE moment <> reached")
        return {int(number): int(reached) for number, reached, _ in rows}

    def end(self) -> None:
        """Let queries see the end of time."""
        self.con.execute("UPDATE engine.watermark SET moment = ?", [HIGHEST])

    def advance(self, source: int, moment: int) -> None:
        """A source's watermark after a batch."""
        self.con.execute(
            "UPDATE engine.watermark SET moment = $2, reached = $2 WHERE source = $1", [source, moment]
        )

    def stage(
        self, source: Source, rows: pa.Table, kinds: Sequence[str] | None, first: int, reached: dict[int, int]
    ) -> str:
        """Register a batch as _hanse_batch; returns the text that selects it as the source's table holds it.

        `first` is the first row's arrival number, `reached` each source's watermark before the batch.
        """
        self.con.register("_hanse_batch", _batch(source, rows, kinds))
        given = ", ".join(
            f"CAST({quote(name)} AS {kind.duckdb}) AS {quote(name)}"
            for name, kind in ((c.name, c.type) for c in source.columns if c.name in source.physical)
        )
        base = f"SELECT _row + {first} AS _seq, _kind, make_timestamptz(_row + {first}) AS _proctime, {given} FROM _hanse_batch"
        computed = "".join(f", {text} AS {quote(name)}" for name, text in source.computed.items())
        text = f"SELECT *{computed} FROM ({base})"
        marks = text
        if source.watermark and self.marks:
            # without ORDER BY both windows stream in the order of the batch
            top = "max(_mark) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
            marks = f"SELECT *, {top} AS _top FROM (SELECT *, {source.watermark} AS _mark FROM ({text}))"
        parts = []
        for number in self.timed():
            if number == source.number:
                before = "lag(_top) OVER ()"
                parts.append(
                    f"greatest(coalesce({before}, {LOWEST}), {reached.get(number, LOWEST)}) AS _w{number}, "
                )
            else:
                parts.append(f"CAST({reached.get(number, LOWEST)} AS BIGINT) AS _w{number}, ")
        columns = ", ".join(column.sql for column in source.columns)
        return f"SELECT _seq, CAST(_kind AS TINYINT) AS _kind, {''.join(parts)}{columns} FROM ({marks})"


def _batch(source: Source, rows: pa.Table, kinds: Sequence[str] | None) -> pa.Table:
    missing = [name for name in source.physical if name not in rows.column_names]
    if missing:
        raise EngineError(
            f"the rows of {source.name} lack the column {missing[0]}",
            expected=", ".join(source.physical),
            got=", ".join(rows.column_names),
        )
    count = rows.num_rows
    if kinds is None:
        codes = pa.repeat(pa.scalar(0, pa.int8()), count)
    else:
        if len(kinds) != count:
            raise EngineError(f"{len(kinds)} kinds for {count} rows of {source.name}")
        unknown = set(kinds) - set(KINDS)
        if unknown:
            raise EngineError(f"the row kind {unknown.pop()!r}", expected=", ".join(KINDS))
        codes = pa.array([KINDS[kind] for kind in kinds], pa.int8())
    batch = rows.select(list(source.physical))
    batch = batch.append_column("_row", pa.array(range(count), pa.int64()))
    return batch.append_column("_kind", codes)
