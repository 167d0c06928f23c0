"""The universal maintainer: recompute a sink's query and take the difference with its last output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.engine.incremental import Maintainer
from hanse.engine.state import State, first_row
from hanse.sql.catalog import Source
from hanse.sql.program import Sink
from hanse.sql.types import quote

if TYPE_CHECKING:
    import duckdb


class Universal(Maintainer):
    """Keeps a sink right for every query of the language, at the cost of its whole input per refresh."""

    mode = "full"
    needs_history = True
    timed = True

    def __init__(self, con: duckdb.DuckDBPyConnection, state: State, sink: Sink, number: int) -> None:
        super().__init__(con, state, sink, number)
        self.output_table = f'engine."output_{number}"'

    def create(self) -> None:
        """Its output and changes tables."""
        super().create()
        self.con.execute(f"CREATE TABLE IF NOT EXISTS {self.output_table} ({self.columns})")

    def current(self) -> str:
        """The text of the rows that the sink should hold now."""
        relation = self.sink.relation
        if not self.sink.primary_key:
            return f"SELECT {self.names}, _s FROM ({relation.sql})"
        keys = ", ".join(quote(name) for name in self.sink.primary_key)
        return (
            f"SELECT {self.names}, _s FROM (SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY _s DESC) AS _r "
            f"FROM ({relation.sql})) WHERE _r = 1"
        )

    def apply(self, source: Source) -> bool:
        """Leave it to the next refresh."""
        del source
        return True

    def refresh(self) -> None:
        """Recompute, write the net changes, and keep the new output."""
        con, names = self.con, self.names
        con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_new AS {self.current()}")
        new = f"SELECT {names} FROM _hanse_new"
        old = f"SELECT {names} FROM {self.output_table}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_gone AS {old} EXCEPT ALL {new}")
        con.execute(f"CREATE OR REPLACE TEMP TABLE _hanse_come AS {new} EXCEPT ALL {old}")
        gone = _count(con, "_hanse_gone")
        come = _count(con, "_hanse_come")
        if gone + come == 0:
            return
        first = self.state.take("change", gone + come)
        removed = "SELECT -1 AS _op, 0 AS _side, * FROM _hanse_gone"
        if self.sink.primary_key:
            keys = ", ".join(quote(name) for name in self.sink.primary_key)
            same = " AND ".join(
                f"g.{quote(name)} IS NOT DISTINCT FROM c.{quote(name)}" for name in self.sink.primary_key
            )
            removed = f"SELECT -1 AS _op, 0 AS _side, g.* FROM _hanse_gone g WHERE NOT EXISTS (SELECT {keys} FROM _hanse_come c WHERE {same})"
        con.execute(
            f"INSERT INTO {self.changes_table} SELECT _op, {first} + row_number() OVER (ORDER BY _side), {names} "
            f"FROM ({removed} UNION ALL SELECT 1 AS _op, 1 AS _side, * FROM _hanse_come)"
        )
        if gone:
            con.execute(f"DELETE FROM {self.output_table}")
            con.execute(f"INSERT INTO {self.output_table} SELECT {names} FROM _hanse_new ORDER BY _s")
        else:
            con.execute(f"INSERT INTO {self.output_table} SELECT {names} FROM _hanse_come")

    def explain(self) -> list[str]:
        """Lines for EXPLAIN."""
        steps = ", ".join(self.sink.operators) or "scan"
        return [
            f"mode: full (recompute, then the difference with {self.output_table})",
            f"operators: {steps}",
        ]


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = first_row(con, f"SELECT count(*) FROM {table}")
    return int(row[0]) if row else 0
