"""Two relations row by row: what was added, removed and changed, counted, and some rows of each shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from hanse.quoting import quote

if TYPE_CHECKING:
    import duckdb

SAMPLE = 20
Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row on its two sides; `before` is None for an added row, `after` for a removed one."""

    kind: Kind
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of rows, and up to a limit of rows of each kind. Without a key nothing counts as changed."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    added: int
    removed: int
    changed: int
    rows: tuple[ChangedRow, ...]

    @property
    def same(self) -> bool:
        """Whether both sides hold the same rows."""
        return not (self.added or self.removed or self.changed)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(
    con: duckdb.DuckDBPyConnection,
    before: str,
    after: str,
    columns: Sequence[str],
    key: Sequence[str],
    limit: int = SAMPLE,
) -> Comparison:
    """Compare two SELECTs that give these columns; rows of one key are one row on two sides."""
    names = ", ".join(map(quote, columns))
    left, right = f"SELECT {names} FROM ({before})", f"SELECT {names} FROM ({after})"
    con.execute(f"CREATE OR REPLACE TEMP TABLE _went AS ({left}) EXCEPT ALL ({right})")
    con.execute(f"CREATE OR REPLACE TEMP TABLE _came AS ({right}) EXCEPT ALL ({left})")
    same = " AND ".join(f"_w.{quote(n)} IS NOT DISTINCT FROM _c.{quote(n)}" for n in key) or "false"
    order = f"ORDER BY {', '.join(map(quote, key)) or 'ALL'} LIMIT {limit:d}"
    added = f"SELECT * FROM _came _c ANTI JOIN _went _w ON {same}"
    removed = f"SELECT * FROM _went _w ANTI JOIN _came _c ON {same}"
    pairs = f"FROM _went _w JOIN _came _c ON {same}"
    return Comparison(
        tuple(key),
        tuple(columns),
        _count(con, f"FROM ({added})"),
        _count(con, f"FROM ({removed})"),
        _count(con, pairs),
        (
            *(ChangedRow("added", None, row) for row in _rows(con, f"{added} {order}", columns)),
            *(ChangedRow("removed", row, None) for row in _rows(con, f"{removed} {order}", columns)),
            *_changed(con, pairs, columns, key, limit),
        ),
    )


def checksum(con: duckdb.DuckDBPyConnection, query: str, columns: Sequence[str]) -> tuple[int, str]:
    """Rows of a SELECT, and a number that depends on its rows and not on their order, in hex."""
    row = ", ".join(map(quote, columns))
    found = con.execute(
        f"SELECT count(*), coalesce(sum(hash(row({row}))::HUGEINT), 0) % 18446744073709551616 FROM ({query})"
    ).fetchone()
    assert found is not None
    return int(found[0]), f"{int(found[1]):016x}"


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(f"SELECT count(*) {query}").fetchone()
    return int(row[0]) if row else 0


def _rows(con: duckdb.DuckDBPyConnection, query: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in con.execute(query).fetchall()]


def _changed(
    con: duckdb.DuckDBPyConnection, pairs: str, columns: Sequence[str], key: Sequence[str], limit: int
) -> list[ChangedRow]:
    if not key:
        return []
    sides = ", ".join([*(f"_w.{quote(n)}" for n in columns), *(f"_c.{quote(n)}" for n in columns)])
    order = ", ".join(f"_w.{quote(n)}" for n in key)
    found = con.execute(f"SELECT {sides} {pairs} ORDER BY {order} LIMIT {limit:d}").fetchall()
    width = len(columns)
    return [
        ChangedRow(
            "changed",
            dict(zip(columns, row[:width], strict=True)),
            dict(zip(columns, row[width:], strict=True)),
        )
        for row in found
    ]
