"""Where a product stands in its topics: tables in the schema `hanse` of its state.

projection_program   the program that the state was built by, its emission and its late rule
projection_offset    per topic (with its identity) and partition, the next offset to read
relay_position       the highest relay position applied, per source, topic and partition
projection_product   per product that is read, the snapshot that is applied
projection_poison    per topic, how many records were set aside
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING

from hanse.errors import ConfigError, UnsupportedSQL
from hanse.projection.dedup import Positions
from hanse.projection.products_read import Stand

if TYPE_CHECKING:
    import duckdb

_SHOWN_LINES, _SHOWN_CHARACTERS = 6, 500
_TABLES = """
CREATE SCHEMA IF NOT EXISTS hanse;
CREATE TABLE IF NOT EXISTS hanse.projection_program (program VARCHAR, emission VARCHAR, late VARCHAR);
CREATE TABLE IF NOT EXISTS hanse.projection_offset (
  topic VARCHAR, topic_id VARCHAR, "partition" INTEGER, next_offset BIGINT);
CREATE TABLE IF NOT EXISTS hanse.relay_position (
  source VARCHAR, topic VARCHAR, "partition" INTEGER, "position" BIGINT);
CREATE TABLE IF NOT EXISTS hanse.projection_product (
  product VARCHAR, table_uuid VARCHAR, snapshot_id BIGINT, seq BIGINT);
CREATE TABLE IF NOT EXISTS hanse.projection_poison (topic VARCHAR, records BIGINT);
"""


def same_program(one: str, other: str) -> bool:
    """Whether two programs differ in comments, spaces and the case of words alone."""
    from hanse.sql.program import parse

    try:
        return parse(one) == parse(other)
    except UnsupportedSQL:
        return False  # whoever builds the new program says where


def _changes(before: tuple[str, str, str], after: tuple[str, str, str]) -> str:
    """The first lines that went (-) and came (+)."""
    settings = [f"emission {after[1]}, late {after[2]}"] if before[1:] != after[1:] else []
    lines = unified_diff(before[0].splitlines(), after[0].splitlines(), n=0, lineterm="")
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "; ".join([*settings, *changed[:_SHOWN_LINES]])[:_SHOWN_CHARACTERS]


class Place:
    """Reads and writes those tables; writes belong to the caller's transaction."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        con.execute(_TABLES)

    def claim(self, built_by: tuple[str, str, str]) -> None:
        """Remember the program, emission and late rule that build the state from now on."""
        if self._built_by() is None:
            self.con.execute("INSERT INTO hanse.projection_program VALUES (?, ?, ?)", list(built_by))

    def _built_by(self) -> tuple[str, str, str] | None:
        return self.con.execute("SELECT program, emission, late FROM hanse.projection_program").fetchone()

    def check(self, product: str, built_by: tuple[str, str, str]) -> str:
        """The text of the program that the state is of: an equal one, perhaps written differently.

        Raises ConfigError when the state was built by another program.
        """
        stored = self._built_by() or built_by
        if stored != built_by and (stored[1:] != built_by[1:] or not same_program(stored[0], built_by[0])):
            raise ConfigError(
                f"the projection of {product} changed since its state was built",
                expected="the SQL, schemas and settings that the state was built by",
                got=_changes(stored, built_by),
                fix=f"hanse product rebuild {product}",
            )
        return stored[0]

    def offsets(self, topic: str) -> tuple[str | None, dict[int, int]]:
        """The topic's identity when it was read, and the next offset of each partition."""
        found = self.con.execute(
            'SELECT topic_id, "partition", next_offset FROM hanse.projection_offset WHERE topic = ?', [topic]
        ).fetchall()
        return (found[0][0] if found else None), {partition: offset for _, partition, offset in found}

    def move(self, topic: str, topic_id: str, offsets: Mapping[int, int]) -> None:
        """Store the offsets of one topic."""
        self.con.execute("DELETE FROM hanse.projection_offset WHERE topic = ?", [topic])
        self.con.executemany(
            "INSERT INTO hanse.projection_offset VALUES (?, ?, ?, ?)",
            [[topic, topic_id, partition, offset] for partition, offset in sorted(offsets.items())],
        )

    def positions(self, topic: str) -> Positions:
        """The highest relay positions of one topic."""
        found = self.con.execute(
            'SELECT source, "partition", "position" FROM hanse.relay_position WHERE topic = ?', [topic]
        ).fetchall()
        return {(source, partition): position for source, partition, position in found}

    def advance(self, topic: str, positions: Positions) -> None:
        """Store relay positions of one topic; the others of it stay."""
        if not positions:
            return
        sources = [source for source, _ in positions]
        partitions = [partition for _, partition in positions]
        self.con.execute(
            'DELETE FROM hanse.relay_position WHERE topic = ? AND (source, "partition") IN '
            "(SELECT unnest(?::VARCHAR[]), unnest(?::INTEGER[]))",
            [topic, sources, partitions],
        )
        self.con.execute(
            "INSERT INTO hanse.relay_position "
            "SELECT unnest(?::VARCHAR[]), ?, unnest(?::INTEGER[]), unnest(?::BIGINT[])",
            [sources, topic, partitions, list(positions.values())],
        )

    def stand(self, product: str) -> Stand | None:
        """The snapshot of a product that is applied; None before the first."""
        found = self.con.execute(
            "SELECT table_uuid, snapshot_id, seq FROM hanse.projection_product WHERE product = ?", [product]
        ).fetchall()
        return Stand(*found[0]) if found else None

    def step(self, product: str, to: Stand) -> None:
        """Store the snapshot of a product."""
        self.con.execute("DELETE FROM hanse.projection_product WHERE product = ?", [product])
        self.con.execute(
            "INSERT INTO hanse.projection_product VALUES (?, ?, ?, ?)",
            [product, to.table_uuid, to.snapshot_id, to.seq],
        )

    def poison(self) -> int:
        """How many records were set aside, of all topics."""
        found = self.con.execute("SELECT coalesce(sum(records), 0) FROM hanse.projection_poison").fetchone()
        return int(found[0]) if found else 0

    def add_poison(self, topic: str, records: int) -> None:
        """Count records that were set aside."""
        self.con.execute("INSERT INTO hanse.projection_poison VALUES (?, ?)", [topic, records])
