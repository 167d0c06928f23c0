"""What changed between two snapshots of a product, as SQL over their files alone.

A file that both snapshots hold tells nothing new, except where only one of them deletes rows of it. So the
rows that went and the rows that came are in the other files and at those positions, however large the table.
Both sides are read by the newer snapshot's columns, by field id: a column that the older one lacks is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanse.publish.plan import deleted, scan_sql, source, split
from hanse.publish.snapshots import entries
from hanse.quoting import quote

if TYPE_CHECKING:
    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.schema import Schema

    from hanse.publish.reader import Moment


@dataclass(frozen=True, slots=True)
class Difference:
    """SELECTs of the rows that went (`gone`) and that came (`fresh`); a row that was only moved is in both.

    `gone` is None when nothing went: then `fresh` gives its rows in the order of their publications.
    """

    gone: str | None
    fresh: str
    columns: tuple[str, ...]

    def inserted(self) -> str:
        """The rows that came, without those that were only moved to another file."""
        return self.fresh if self.gone is None else f"({self.fresh}) EXCEPT ALL ({self.gone})"

    def removed(self) -> str:
        """The rows that went, without those that were only moved to another file."""
        gone = self.gone or f"SELECT * FROM ({self.fresh}) WHERE false"
        return f"({gone}) EXCEPT ALL ({self.fresh})"

    def deleted(self, key: Sequence[str]) -> str:
        """The rows that went whose key did not come again."""
        gone = self.gone or f"SELECT * FROM ({self.fresh}) WHERE false"
        same = " AND ".join(f"_g.{quote(n)} IS NOT DISTINCT FROM _f.{quote(n)}" for n in key)
        return f"SELECT _g.* FROM ({gone}) _g ANTI JOIN ({self.fresh}) _f ON {same}"


def between(old: Moment | None, new: Moment) -> Difference:
    """The difference of two moments of one table; all rows of the newer one came when there is no older."""
    schema = new.schema
    after = _by_age(entries(new.io, new.snapshot))
    before = _by_age(entries(new.io, old.snapshot)) if old is not None else []
    new_data, new_deletes = split(after)
    old_data, old_deletes = split(before)
    shared = sorted({*new_data} & {*old_data})
    came = [path for path in new_data if path not in shared]
    went = [path for path in old_data if path not in shared]
    moved = set(new_deletes) != set(old_deletes) and bool(shared)
    fresh = [scan_sql(schema, came, new_deletes)]
    gone = [scan_sql(schema, went, old_deletes)] if went else []
    if moved:
        gone.append(_at(schema, shared, new_deletes, old_deletes))
        fresh.append(_at(schema, shared, old_deletes, new_deletes))
    columns = tuple(field.name for field in schema.fields)
    return Difference(" UNION ALL ".join(gone) or None, " UNION ALL ".join(fresh), columns)


def _by_age(found: list[ManifestEntry]) -> list[ManifestEntry]:
    return sorted(found, key=lambda e: (e.sequence_number or 0, e.data_file.file_path))


def _at(schema: Schema, data: Sequence[str], these: Sequence[str], not_those: Sequence[str]) -> str:
    """Rows of shared files at the positions that only one side deletes."""
    columns = ", ".join(quote(f.name) for f in schema.fields)
    places = f"({deleted(these)}) EXCEPT ({deleted(not_those)})"
    return (
        f"SELECT {columns} FROM {source(schema, data, positions=True)} AS _data SEMI JOIN ({places}) AS _only "
        "ON _data.filename = _only.file_path AND _data.file_row_number = _only.pos"
    )
