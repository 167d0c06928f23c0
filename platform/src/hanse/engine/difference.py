"""The maintainer that works out what a batch changes: by the delta rule, or from the groups it touches.

While the state is small, or the batch large beside it, it recomputes as the universal one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.engine.incremental import Maintainer
from hanse.engine.state import State, first_row
from hanse.sql.catalog import Source
from hanse.sql.differential import Differential
from hanse.sql.program import Sink
from hanse.sql.types import quote

if TYPE_CHECKING:
    import duckdb

SMALL = 20_000
"""Rows of state up to which recomputing costs less than the statements of a delta."""
PROBE = 8
"""How many rows a delta's look at the keys of the state passes over in the time that recomputing takes one."""
TAKE = 4
"""How many rows recomputing takes in the time that a delta takes one of its batch."""
BATCH = "_hanse_delta"


class Difference(Maintainer):
    """Keeps every row of the query's result, and replaces those that a batch changes.

    A sink with a key shows, of rows with the same key, the one that arrived last.
    """

    needs_history = True
    timed = False

    def __init__(
        self, con: duckdb.DuckDBPyConnection, state: State, sink: Sink, number: int, plan: Differential, small: int,
        *, defer: bool,
    ) -> None:  # fmt: skip
        super().__init__(con, state, sink, number)
        self.plan = plan
        self.small = small
        self.defer = defer
        self.spent = 0
        self.keyed = bool(sink.primary_key)
        self.output_table = f'engine."output_{number}"'
        self.rows_table = f'engine."rows_{number}"'
        self.kept = f"{self.names}, _s" if self.keyed else self.names
        self.keys = ", ".join(quote(name) for name in sink.primary_key)

    def create(self) -> None:
        """The kept rows and the view of those that are shown."""
        super().create()
        hidden = ", _s BIGINT[]" if self.keyed else ""
        self.con.execute(f"CREATE TABLE IF NOT EXISTS {self.rows_table} ({self.columns}{hidden})")
        shown = self._shown(self.rows_table) if self.keyed else f"SELECT * FROM {self.rows_table}"
        self.con.execute(f"CREATE VIEW IF NOT EXISTS {self.output_table} AS {shown}")

    def _shown(self, rows: str) -> str:
        last = f"row_number() OVER (PARTITION BY {self.keys} ORDER BY _s DESC) = 1"
        return f"SELECT {self.names} FROM {rows} QUALIFY {last}"

    # a batch

    def apply(self, source: Source) -> bool:
        """Take the batch in _hanse_delta; True leaves it to the next refresh."""
        way = self.plan.way(source)
        if way == "whole" or self._recomputes():
            return True
        batch = "_hanse_rows" if self._is_log(source) else BATCH
        keys = self.plan.keys(source)
        if way == "delta":
            keys = [key for key in keys if len(key) > 1]
        self._find_keys(source, keys, batch)
        if way == "groups" and self.small and 2 * self._touched(source, keys) > self.size():
            return True
        if way == "delta":
            self._evaluate("_hanse_come", source, keys, _half(1))
            self._evaluate("_hanse_gone", source, keys, _half(-1))
        else:
            self._evaluate("_hanse_come", source, keys, source.table)
            self._evaluate("_hanse_gone", source, keys, self._before(source, batch))
        self._merge("_hanse_come", "_hanse_gone")
        return False

    def _is_log(self, source: Source) -> bool:
        return source.changelog == "upsert" and source.number not in self.plan.latest

    def _recomputes(self) -> bool:
        """The cost rule. A deferred sink has saved up what its deltas cost since it was last recomputed."""
        if self.small == 0:
            return False
        state = self.size()
        delta = self.small + state // PROBE + TAKE * _count(self.con, BATCH)
        self.spent = self.spent + delta if self.defer else delta
        return self.spent > state

    def size(self) -> int:
        """Rows of the sources that the query reads."""
        tables = {source.table for source in self.plan.scans.values()}
        return sum(_count(self.con, table) for table in tables)

    def _find_keys(self, source: Source, keys: list[dict[int, str]], batch: str) -> None:
        picked = [
            ", ".join(f"{key[scan]} AS k{at}" for at, key in enumerate(keys)) for scan in self.plan.of(source)
        ]
        text = " UNION ".join(f"SELECT DISTINCT {columns} FROM {batch}" for columns in picked)
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_keys AS {text if keys else 'SELECT 1 AS k0'}")

    def _touched(self, source: Source, keys: list[dict[int, str]]) -> int:
        """Rows of the source in the groups of the batch, which are read as they were and as they are."""
        return max(
            _count(self.con, self._narrowed(scan, source.table, keys)) for scan in self.plan.of(source)
        )

    def _evaluate(self, table: str, source: Source, keys: list[dict[int, str]], rows: str) -> None:
        """Make `table` the query's rows when the source's scans read `rows`, and all only what has the keys."""
        readings = {
            scan: self._narrowed(scan, rows if read.number == source.number else read.table, keys)
            for scan, read in self.plan.scans.items()
        }
        text = f"SELECT {self.kept} FROM ({bound(self.plan.sql, readings)})"
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {text}")

    def _narrowed(self, scan: int, rows: str, keys: list[dict[int, str]]) -> str:
        tests = [f"k.k{at} IS NOT DISTINCT FROM r.{key[scan]}" for at, key in enumerate(keys) if scan in key]
        if not tests or rows.startswith("(SELECT * EXCLUDE (_k)"):
            return rows
        wanted = f"SELECT 1 FROM _hanse_keys k WHERE {' AND '.join(tests)}"
        return f"(SELECT r.* FROM {rows} r WHERE EXISTS ({wanted}))"

    def _before(self, source: Source, batch: str) -> str:
        """The source's rows as they were before the batch."""
        if source.number not in self.plan.latest:
            return f"(SELECT * FROM {source.table} WHERE _seq < (SELECT min(_seq) FROM {batch}))"
        same = " AND ".join(f"t.{quote(n)} IS NOT DISTINCT FROM l.{quote(n)}" for n in source.primary_key)
        return (
            f"(SELECT * FROM {source.table} t WHERE NOT EXISTS (SELECT 1 FROM _hanse_last l WHERE {same}) "
            f"UNION ALL SELECT * EXCLUDE (_k) FROM {BATCH} WHERE _k = -1)"
        )

    # results

    def refresh(self) -> None:
        """Recompute the whole query."""
        self.spent = 0
        whole = bound(self.plan.sql, {scan: source.table for scan, source in self.plan.scans.items()})
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_whole AS SELECT {self.kept} FROM ({whole})")
        self._merge("_hanse_whole", self.rows_table)

    def _merge(self, new: str, old: str) -> None:
        """Take `old` out of the kept rows, put `new` in, and write what that changes for readers."""
        con = self.con
        for name, one, other in (("_hanse_in", new, old), ("_hanse_out", old, new)):
            con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {one} EXCEPT ALL FROM {other}")
        come, gone = _count(con, "_hanse_in"), _count(con, "_hanse_out")
        if come + gone == 0:
            return
        if self.keyed:
            self._replace_by_key(gone)
            return
        self.emit(
            f"SELECT -1 AS _op, {self.names} FROM _hanse_out UNION ALL SELECT 1 AS _op, {self.names} FROM _hanse_in"
        )
        if gone:
            self._take_out([column.sql for column in self.sink.columns], gone)
        con.execute(f"INSERT INTO {self.rows_table} FROM _hanse_in")

    def _replace_by_key(self, gone: int) -> None:
        con, keys = self.con, [quote(name) for name in self.sink.primary_key]
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_touched AS SELECT {self.keys} FROM _hanse_in "
            f"UNION SELECT {self.keys} FROM _hanse_out"
        )
        touched = " AND ".join(f"t.{key} IS NOT DISTINCT FROM r.{key}" for key in keys)
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_old AS SELECT r.* FROM {self.rows_table} r "
            f"WHERE EXISTS (SELECT 1 FROM _hanse_touched t WHERE {touched})"
        )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE _hanse_new AS (FROM _hanse_old EXCEPT ALL FROM _hanse_out) UNION ALL FROM _hanse_in"
        )
        new, old = self._shown("_hanse_new"), self._shown("_hanse_old")
        same = " AND ".join(f"g.{key} IS NOT DISTINCT FROM n.{key}" for key in keys)
        self.emit(
            f"SELECT -1 AS _op, * FROM ({old}) g WHERE NOT EXISTS (SELECT 1 FROM _hanse_new n WHERE {same}) "
            f"UNION ALL SELECT 1 AS _op, * FROM (({new}) EXCEPT ALL ({old}))"
        )
        if gone:
            con.execute(f"DELETE FROM {self.rows_table} r USING _hanse_touched t WHERE {touched}")
        con.execute(f"INSERT INTO {self.rows_table} FROM {'_hanse_new' if gone else '_hanse_in'}")

    def _take_out(self, columns: list[str], gone: int) -> None:
        """Delete as many copies of each row as are in _hanse_out."""
        con = self.con
        if gone == _count(con, self.rows_table):
            con.execute(f"DELETE FROM {self.rows_table}")
            return
        same = " AND ".join(f"o.{column} IS NOT DISTINCT FROM r.{column}" for column in columns)
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_old AS SELECT r.* FROM {self.rows_table} r "
            f"WHERE EXISTS (SELECT 1 FROM _hanse_out o WHERE {same})"
        )
        con.execute(
            f"DELETE FROM {self.rows_table} r USING (SELECT DISTINCT * FROM _hanse_out) o WHERE {same}"
        )
        con.execute(f"INSERT INTO {self.rows_table} (FROM _hanse_old EXCEPT ALL FROM _hanse_out)")

    # explain

    @property
    def mode(self) -> str:  # type: ignore[override]
        """The way of most consequence."""
        ways = {self.plan.way(source) for source in self.plan.scans.values()}
        return "incremental" if ways == {"delta"} else "affected groups"

    def explain(self) -> list[str]:
        """Lines for EXPLAIN."""
        said = {"delta": "the delta rule", "groups": "the groups it touches", "whole": "the whole query"}
        lines = [f"mode: {self.mode}", f"operators: {', '.join(self.sink.operators) or 'scan'}"]
        for source in dict.fromkeys(s.number for s in self.plan.scans.values()):
            read = next(s for s in self.plan.scans.values() if s.number == source)
            way = self.plan.way(read)
            keys = [f"{next(column for scan, column in sorted(key.items()) if scan in self.plan.of(read))}"
                    for key in self.plan.keys(read)] if way == "groups" else []  # fmt: skip
            by = f" by {', '.join(keys)}" if keys else ""
            lines.append(f"  a batch of {read.name}: {said[way]}{by}")
        state = self.size()
        now = "recomputed now" if state - state // PROBE < self.small else "not recomputed now"
        lines.append(
            f"  cost: recomputed while that is cheaper than a delta, as on up to {self.small:,} rows; {state:,} rows, {now}"
        )
        return [*lines, f"batch: {self.plan.sql}"]


def bound(sql: str, readings: dict[int, str]) -> str:
    """The text with what each scan reads."""
    for scan, text in readings.items():
        sql = sql.replace(f'"_hanse_scan_{scan}"', text)
    return sql


def _half(sign: int) -> str:
    return f"(SELECT * EXCLUDE (_k) REPLACE (CAST(0 AS TINYINT) AS _kind) FROM {BATCH} WHERE _k = {sign})"


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = first_row(con, f"SELECT count(*) FROM {table}")
    return int(row[0]) if row else 0
