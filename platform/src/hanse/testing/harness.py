"""`ProjectionHarness`: try a projection on rows, with restarts, without a mesh around it.

>>> harness = ProjectionHarness("CREATE TABLE o (state STRING); SELECT state, COUNT(*) AS n FROM o GROUP BY state")
>>> harness.feed("o", [["open"], ["open"], ["paid"]])
>>> sorted(harness.rows())
[('open', 2), ('paid', 1)]
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from struct import pack, unpack
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from hanse.engine import Emission, Engine, Late
from hanse.engine.arrow import arrow_table
from hanse.engine.difference import SMALL
from hanse.sql.types import Type, quote


class ProjectionHarness:
    """A program on a state file of its own.

    Rows are an Arrow table, or sequences or mappings of Python values; times may be ISO text, decimals
    text, maps `{"$map": [[k, v]]}`, bytes `0x…`. Raises UnsupportedSQL when the program is refused.
    """

    def __init__(
        self, program: str, *, emission: Emission = "update", late: Late = "keep", fast: bool = True,
        small: int = SMALL,
    ) -> None:  # fmt: skip
        self.program = program
        self.fast = fast
        self.small = small
        self.emission: Emission = emission
        self.late: Late = late
        self._folder = tempfile.TemporaryDirectory(prefix="hanse-harness-")
        self._path = Path(self._folder.name) / "state.duckdb"
        self._open()

    def _open(self) -> None:
        self._con = duckdb.connect(str(self._path), config={"threads": 2})
        self._con.execute("SET TimeZone = 'UTC'")
        try:
            self.engine = Engine(
                self._con, self.program, emission=self.emission, late=self.late, defer=True, fast=self.fast,
                small=self.small,
            )  # fmt: skip
        except BaseException:
            self._con.close()
            raise

    def feed(
        self,
        source: str,
        rows: pa.Table | Sequence[Sequence[Any] | Mapping[str, Any]],
        kinds: Sequence[str] | None = None,
    ) -> None:
        """Give one batch of rows to a source, as one transaction. `kinds`: +I, -U, +U, -D a row."""
        table = rows if isinstance(rows, pa.Table) else arrow_table(rows, self._columns(source))
        self._con.execute("BEGIN")
        try:
            self.engine.feed(source, table, kinds)
        except BaseException:
            self._con.execute("ROLLBACK")
            raise
        self._con.execute("COMMIT")

    def _columns(self, source: str) -> list[tuple[str, Type]]:
        found = self.engine.find_source(source)
        return [(column.name, column.type) for column in found.columns if column.name in found.physical]

    def restart(self) -> None:
        """Lose everything that is not in the state file, and open it again."""
        self._con.close()
        self._open()

    def end_of_input(self) -> None:
        """Close every window: no more rows will come."""
        self._con.execute("BEGIN")
        self.engine.end_of_input()
        self._con.execute("COMMIT")

    def rows(self, sink: str | None = None) -> list[tuple[Any, ...]]:
        """The sink's current rows as Python values (rows as tuples, maps as dicts, instants in UTC)."""
        name = sink or next(iter(self.engine.sinks))
        self._con.execute("BEGIN")
        try:
            found = self._con.execute(self._current(name)).fetchall()
        except BaseException:
            self._con.execute("ROLLBACK")
            raise
        self._con.execute("COMMIT")
        columns = self.engine.program.sinks[name].columns
        return [
            tuple(_plain(value, column.type) for value, column in zip(row, columns, strict=True))
            for row in found
        ]

    def table(self, sink: str | None = None) -> pa.Table:
        """The sink's current rows as an Arrow table."""
        name = sink or next(iter(self.engine.sinks))
        self._con.execute("BEGIN")
        try:
            found = self._con.sql(self._current(name)).to_arrow_table()
        except BaseException:
            self._con.execute("ROLLBACK")
            raise
        self._con.execute("COMMIT")
        return found

    def _current(self, name: str) -> str:
        """The rows of a sink: as the engine keeps them, or its changes put together."""
        relation = self.engine.output(name)
        if relation is not None:
            return f"SELECT * FROM {relation}"
        changes, keys = self.engine.changes(name), self.engine.sinks[name].primary_key
        names = ", ".join(column.sql for column in self.engine.program.sinks[name].columns)
        if keys:
            by = ", ".join(quote(key) for key in keys)
            return f"SELECT {names} FROM {changes} QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY _seq DESC) = 1 AND _op = 1"
        counted = f"SELECT {names}, sum(_op) AS _n, min(_seq) AS _at FROM {changes} GROUP BY {names}"
        return f"SELECT {names} FROM (SELECT *, unnest(range(CAST(_n AS BIGINT))) AS _i FROM ({counted}) WHERE _n > 0) ORDER BY _at"

    def explain(self) -> str:
        """The plan: modes, state tables and SQL."""
        return self.engine.explain()

    def close(self) -> None:
        """Close and delete the state file."""
        self._con.close()
        self._folder.cleanup()

    def __enter__(self) -> ProjectionHarness:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _plain(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    match kind.kind:
        case "ROW":
            return tuple(_plain(value[name], item) for name, item in zip(kind.names, kind.items, strict=True))
        case "ARRAY":
            return [_plain(item, kind.items[0]) for item in value]
        case "MAP":
            return {_key(k): _plain(v, kind.items[1]) for k, v in value.items()}
        case "TIMESTAMP_LTZ":
            return value.astimezone(UTC)
        case "FLOAT":
            # the shortest text that is the same 32-bit number, not its 64-bit neighbour
            return (
                float(f"{value:.7g}") if unpack("f", pack("f", float(f"{value:.7g}")))[0] == value else value
            )
        case _:
            return value


def _key(value: Any) -> Any:
    return tuple(value.values()) if isinstance(value, dict) else value


__all__ = ["ProjectionHarness"]
