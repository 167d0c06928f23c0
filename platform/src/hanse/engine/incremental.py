"""Incremental maintainers: what a batch changes is worked out from the batch and a small state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.engine.state import State, first_row
from hanse.sql.catalog import Source
from hanse.sql.incremental import Grouped, Stateless
from hanse.sql.program import Sink
from hanse.sql.types import quote
from hanse.sql.windows import now_watermark

if TYPE_CHECKING:
    import duckdb


class Maintainer:
    """What all maintainers share: names, the changes table, and how the engine drives them."""

    mode = "incremental"
    needs_history = False
    needs_latest = False
    timed = False
    output_table: str | None = None

    def __init__(self, con: duckdb.DuckDBPyConnection, state: State, sink: Sink, number: int) -> None:
        self.con = con
        self.state = state
        self.sink = sink
        self.number = number
        self.changes_table = f'engine."changes_{number}"'
        self.names = ", ".join(column.sql for column in sink.columns)
        self.columns = ", ".join(f"{column.sql} {column.type.duckdb}" for column in sink.columns)

    def create(self) -> None:
        """Its tables."""
        self.con.execute(
            f"CREATE TABLE IF NOT EXISTS {self.changes_table} (_op TINYINT, _seq BIGINT, {self.columns})"
        )

    def apply(self, source: Source) -> bool:
        """Take the batch of a source in _hanse_delta; True when a refresh must follow."""
        del source
        return False

    def refresh(self) -> None:
        """Come up to date with stored rows and watermarks."""

    def emit(self, text: str, order: str = "_op") -> None:
        """Append rows of `text` (_op, then the sink's columns) to the changes."""
        row = first_row(self.con, "SELECT max(value) FROM engine.counter WHERE name = 'change'")
        first = int(row[0]) if row is not None and row[0] is not None else 1
        self.con.execute(
            f"INSERT INTO {self.changes_table} SELECT _op, {first} - 1 + row_number() OVER (ORDER BY {order}), {self.names} FROM ({text})"
        )
        found = first_row(self.con, f"SELECT max(_seq) FROM {self.changes_table} WHERE _seq >= {first}")
        if found is not None and found[0] is not None:
            self.state.take("change", int(found[0]) - first + 1)

    def same_key(self, left: str, right: str) -> str:
        """The condition that two rows have the sink's key in common."""
        return " AND ".join(
            f"{left}.{quote(n)} IS NOT DISTINCT FROM {right}.{quote(n)}" for n in self.sink.primary_key
        )

    def explain(self) -> list[str]:
        """Lines for EXPLAIN."""
        return [f"mode: {self.mode}"]


class Appending(Maintainer):
    """Filters and projections into a sink without a key: changes pass through, nothing is kept."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, state: State, sink: Sink, number: int, plan: Stateless
    ) -> None:
        super().__init__(con, state, sink, number)
        self.plan = plan

    def apply(self, source: Source) -> bool:
        """Project the batch."""
        self.emit(f"SELECT _k AS _op, _s, {self.names} FROM ({self.plan.sql})", "_s")
        return super().apply(source)

    def explain(self) -> list[str]:
        """Lines for EXPLAIN."""
        return [
            "mode: incremental (filter and project the batch; no rows are kept)",
            f"batch: {self.plan.sql}",
        ]


class Replacing(Maintainer):
    """Filters and projections of keyed rows: a key's new row takes the place of the old one.

    The output also holds the source's key (`_k0`, …), by which rows are replaced.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, state: State, sink: Sink, number: int, plan: Stateless
    ) -> None:
        super().__init__(con, state, sink, number)
        self.plan = plan
        self.rows_table = f'engine."rows_{number}"'
        self.output_table = f'engine."output_{number}"'
        by_name = {column.name: column for column in plan.source.columns}
        upsert = plan.source.changelog == "upsert"
        self.keys = [by_name[name] for name in plan.source.primary_key] if upsert else []

    def create(self) -> None:
        """The kept rows and the view of them."""
        super().create()
        extra = "".join(f", _k{at} {key.type.duckdb}" for at, key in enumerate(self.keys))
        self.con.execute(f"CREATE TABLE IF NOT EXISTS {self.rows_table} ({self.columns}{extra})")
        self.con.execute(
            f"CREATE VIEW IF NOT EXISTS {self.output_table} AS SELECT {self.names} FROM {self.rows_table}"
        )

    def apply(self, source: Source) -> bool:
        """Replace the rows of the batch's keys."""
        extra = "".join(f", d.{key.sql} AS _k{at}" for at, key in enumerate(self.keys))
        last = ""
        if self.sink.primary_key and not self.keys:
            keys = ", ".join(f"n.{quote(name)}" for name in self.sink.primary_key)
            last = f" QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY n._s DESC) = 1"
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_come AS SELECT n.* EXCLUDE (_s, _k){extra} FROM ({self.plan.sql}) n "
            f"JOIN _hanse_delta d ON d._seq = n._s[1] AND d._k = 1 WHERE n._k = 1{last}"
        )
        if self.keys:
            touched = " AND ".join(
                f"o._k{at} IS NOT DISTINCT FROM l.{key.sql}" for at, key in enumerate(self.keys)
            )
            batch = "_hanse_last l"
        else:
            touched, batch = self.same_key("o", "l"), "_hanse_come l"
        old = f"SELECT o.* FROM {self.rows_table} o WHERE EXISTS (SELECT 1 FROM {batch} WHERE {touched})"
        gone = f"SELECT -1 AS _op, {self.names} FROM ({old}) o"
        if self.sink.primary_key:
            gone += f" WHERE NOT EXISTS (SELECT 1 FROM _hanse_come c WHERE {self.same_key('o', 'c')})"
        self.emit(f"{gone} UNION ALL SELECT 1 AS _op, {self.names} FROM _hanse_come")
        self.con.execute(f"DELETE FROM {self.rows_table} o USING {batch} WHERE {touched}")
        self.con.execute(f"INSERT INTO {self.rows_table} SELECT * FROM _hanse_come")
        return super().apply(source)

    def explain(self) -> list[str]:
        """Lines for EXPLAIN."""
        return [f"mode: incremental (replace by key in {self.rows_table})", f"batch: {self.plan.sql}"]


class Grouping(Maintainer):
    """Aggregates by group or window: partial values are merged, empty groups deleted by a hidden count."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, state: State, sink: Sink, number: int, plan: Grouped
    ) -> None:
        super().__init__(con, state, sink, number)
        self.plan = plan
        self.groups = f'engine."groups_{number}"'
        self.needs_latest = plan.source.changelog == "upsert"
        self.closing = self.timed = plan.end is not None and sink.closed
        self.output_table = None if self.closing else f'engine."output_{number}"'
        self.finals = ", ".join(
            f"{text} AS {c.sql}" for text, c in zip(plan.finals, sink.columns, strict=True)
        )

    def create(self) -> None:
        """The groups, and the view of the rows they come to."""
        super().create()
        columns = [f"{name} {duckdb}" for name, duckdb in self.plan.keys] + ["_n BIGINT"]
        columns += [f"{part.name} {part.duckdb}" for part in self.plan.partials]
        self.con.execute(f"CREATE TABLE IF NOT EXISTS {self.groups} ({', '.join(columns)})")
        if self.output_table:
            self.con.execute(
                f"CREATE VIEW IF NOT EXISTS {self.output_table} AS SELECT {self.finals} FROM {self.groups}"
            )

    def _same(self, left: str, right: str) -> str:
        tests = [f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name, _ in self.plan.keys]
        return " AND ".join(tests) or "TRUE"

    def apply(self, source: Source) -> bool:
        """Merge the batch's groups into the state, and write what that changes."""
        del source
        con = self.con
        con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_part AS {self.plan.sql}")
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_old AS SELECT s.* FROM {self.groups} s "
            f"WHERE EXISTS (SELECT 1 FROM _hanse_part d WHERE {self._same('s', 'd')})"
        )
        keys = "".join(f"{name}, " for name, _ in self.plan.keys)
        merged = [
            f"CAST({part.merge}({part.name}) AS {part.duckdb}) AS {part.name}" for part in self.plan.partials
        ]
        group = " GROUP BY ALL" if self.plan.keys else ""
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_new AS SELECT {keys}{', '.join(['CAST(sum(_n) AS BIGINT) AS _n', *merged])} "
            f"FROM (SELECT * FROM _hanse_part UNION ALL SELECT * FROM _hanse_old){group}"
        )
        if not self.closing:
            self._changes()
        con.execute(f"DELETE FROM {self.groups} s USING _hanse_part d WHERE {self._same('s', 'd')}")
        con.execute(f"INSERT INTO {self.groups} SELECT * FROM _hanse_new WHERE _n > 0")
        return self.closing

    def _changes(self) -> None:
        old = f"SELECT {self.finals} FROM _hanse_old"
        new = f"SELECT {self.finals} FROM _hanse_new WHERE _n > 0"
        come = f"SELECT 1 AS _op, * FROM ({new} EXCEPT ALL {old})"
        gone = f"SELECT -1 AS _op, * FROM ({old} EXCEPT ALL {new}) o"
        if self.sink.primary_key:
            gone += f" WHERE NOT EXISTS (SELECT 1 FROM ({new}) n WHERE {self.same_key('o', 'n')})"
        self.emit(f"{gone} UNION ALL {come}")

    def refresh(self) -> None:
        """Show and forget the windows that the watermark has closed."""
        if not self.closing:
            return
        test = f"epoch_ms({self.plan.end}) - 1 <= {now_watermark(self.plan.governs)}"
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE _hanse_shut AS SELECT * FROM {self.groups} WHERE {test}"
        )
        self.emit(f"SELECT 1 AS _op, {self.finals} FROM _hanse_shut")
        self.con.execute(f"DELETE FROM {self.groups} WHERE {test}")

    def explain(self) -> list[str]:
        """Lines for EXPLAIN."""
        kept = "closed windows are shown and forgotten" if self.closing else "hidden count, delete when empty"
        return [f"mode: incremental (merge into {self.groups}; {kept})", f"batch: {self.plan.sql}"]
