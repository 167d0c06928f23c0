"""Products that a product reads: what changed in each since its reader last looked.

The reader stands on a snapshot of each, kept in its own state and moved in the transaction that applies the
difference to the snapshot that is published now. A snapshot that somebody stands on is pinned, so that
expiry leaves it; when it is gone all the same, the reader stops and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hanse.errors import ConfigError, HistoryLost, PublicationError
from hanse.model.mesh import MeshModel, Product, closed

if TYPE_CHECKING:
    import duckdb

    from hanse.publish.difference import Difference
    from hanse.publish.reader import Moment, Reader

ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Stand:
    """The snapshot of an input that a state has applied. `seq` is the publication's number."""

    table_uuid: str
    snapshot_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Step:
    """From the snapshot where the reader stands to the one that is published now."""

    source: Product
    to: Stand
    changes: Difference

    def batches(self) -> Iterator[tuple[pa.Table, list[str] | None]]:
        """Rows and their kinds (None: all are new), at most ROWS at a time: deletes first, then upserts."""
        import duckdb

        key = self.source.contract.primary_key
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            if key and self.changes.gone is not None:
                yield from _fetched(con, self.changes.deleted(key), "-D")
            yield from _fetched(con, self.changes.inserted(), "+U" if key else None)

    def withdrawn(self) -> int:
        """Rows that a product without a key has no more; its readers cannot take them back."""
        import duckdb

        if self.source.contract.primary_key or self.changes.gone is None:
            return 0
        with duckdb.connect() as con:
            row = con.execute(f"SELECT count(*) FROM ({self.changes.removed()})").fetchone()
        return int(row[0]) if row else 0


def _fetched(
    con: duckdb.DuckDBPyConnection, query: str, kind: str | None
) -> Iterator[tuple[pa.Table, list[str] | None]]:
    for batch in con.sql(query).to_arrow_reader(ROWS):
        if batch.num_rows:
            yield pa.Table.from_batches([batch]), None if kind is None else [kind] * batch.num_rows


class ProductsRead:
    """The products among one product's inputs. Raises ConfigError for one that its domain must not read.

    `beside`: another state of the product lives on, so what is pinned stays pinned.
    """

    def __init__(self, product: Product, model: MeshModel, reader: Reader, *, beside: bool = False) -> None:
        self.beside = beside
        self.product = product
        self.reader = reader
        self.sources = [found for name in product.inputs if (found := model.product(name)) is not None]
        for source in self.sources:
            if source.domain != product.domain and closed(source):
                raise ConfigError(
                    f"{product.full_name} reads {source.full_name}, {source.access} to {source.domain}",
                    where=str(product.directory),
                    expected="an input of its own domain, or an open output port of another",
                    fix=f"read a public product of {source.domain}, or ask its team for one",
                )

    def step(self, source: Product, stand: Stand | None) -> Step | None:
        """What is to be applied, its end pinned; None when the reader stands on what is published.

        Raises HistoryLost when the difference cannot be told any more.
        """
        from hanse.publish.difference import between

        name = source.full_name
        if self.reader.metadata_location(name) is None:
            if stand is not None:
                raise self._lost(source, "the table is gone", f"publication {stand.seq}", "no table")
            return None
        new = self.reader.moment(name)
        if new.snapshot is None:
            return None
        to = Stand(str(new.metadata.table_uuid), new.snapshot.snapshot_id, _seq(new))
        if stand == to:
            return None
        if stand is not None and stand.table_uuid != to.table_uuid:
            raise self._lost(source, "the table was made anew", stand.table_uuid, to.table_uuid)
        self.reader.verdicts.pin(name, self.product.full_name, to.snapshot_id)
        old = None if stand is None else self._old(source, stand, new)
        step = Step(source, to, between(old, new))
        if count := step.withdrawn():
            raise self._lost(source, "rows of a product without a key went", "only new rows", f"{count} gone")
        return step

    def _old(self, source: Product, stand: Stand, new: Moment) -> Moment:
        from hanse.publish.reader import Moment

        snapshot = new.metadata.snapshot_by_id(stand.snapshot_id)
        if snapshot is not None:
            return Moment(new.metadata, snapshot, None)
        try:
            return self.reader.moment(source.full_name, stand.snapshot_id)
        except PublicationError as error:
            raise self._lost(
                source, "the snapshot that was read last is gone", f"publication {stand.seq}", str(error.what)
            ) from error

    def arrived(self, source: Product, stand: Stand) -> None:
        """The state has committed that it stands there: older snapshots are not needed any more."""
        if not self.beside:
            self.reader.verdicts.unpin(source.full_name, self.product.full_name, stand.snapshot_id)

    def behind(self, source: Product, stand: Stand | None) -> int:
        """Publications of the source that are not applied."""
        head = self.reader.head(source.full_name)
        return max(0, head.seq - (stand.seq if stand else 0)) if head else 0

    def _lost(self, source: Product, what: str, expected: str, got: str) -> HistoryLost:
        return HistoryLost(
            what,
            where=f"product {source.full_name}, read by {self.product.full_name}",
            expected=expected,
            got=got,
            fix=f"build the reader anew from what is published: hanse product rebuild {self.product.full_name}",
        )


def _seq(moment: Moment) -> int:
    summary = moment.snapshot.summary if moment.snapshot else None
    return int((summary.additional_properties if summary else {}).get("seq", "0"))
