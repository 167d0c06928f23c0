"""Products as they were: at a moment, at a snapshot, with a record of a stream; and what changed between."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError, PublicationError
from hanse.runtime.products import find_product

if TYPE_CHECKING:
    import pyarrow as pa

    from hanse.publish.comparison import Comparison
    from hanse.publish.verdicts import SnapshotInfo

_OFFSET = re.compile(r"(?:(?P<topic>[\w.\-]+):)?(?P<partition>\d{1,9}):(?P<offset>\d{1,18})")


@dataclass(frozen=True, slots=True)
class Past:
    """Rows of a product as readers saw them, and the publication that they are of."""

    snapshot: SnapshotInfo
    rows: pa.Table


def moment_of(text: str) -> datetime | int:
    """A publication's number, a snapshot id, or an ISO time (UTC without a zone). Raises ConfigError."""
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            "this is no moment",
            expected="a publication's number, a snapshot id, or a time such as 2026-01-31T12:00",
            got=text[:100],
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def publication_with(mesh: Mesh, name: str, offset: str) -> int:
    """The number of the first publication that holds a record, given as `[TOPIC:]PARTITION:OFFSET`.

    Raises ConfigError for another form, PublicationError when no publication holds it yet.
    """
    from hanse.publish.reader import PUBLISHED, Reader

    product = find_product(mesh, name)
    found = _OFFSET.fullmatch(offset)
    topic = (found["topic"] or product.inputs[0]) if found else ""
    if found is None or topic not in product.inputs or (found["topic"] is None and len(product.inputs) > 1):
        raise ConfigError(
            "this is no place in a stream of the product",
            expected=f"[TOPIC:]PARTITION:OFFSET with a topic of {', '.join(product.inputs)}",
            got=offset[:100],
        )
    partition, wanted = found["partition"].lstrip("0") or "0", int(found["offset"])
    for entry in Reader(mesh.settings).history(product.full_name):
        following = (entry.offsets.get(topic) or {}).get(partition)
        if entry.state in PUBLISHED and following is not None and int(following) > wanted:
            return entry.seq
    raise PublicationError(
        f"no publication of {product.full_name} holds that record yet",
        got=f"{topic}, partition {partition}, offset {wanted}",
        fix=f"hanse product run {product.full_name}",
    )


def product_at(mesh: Mesh, name: str, as_of: datetime | int | None, limit: int | None = None) -> Past:
    """The product's rows at a moment, or now. Raises PublicationError when it is not kept."""
    import duckdb

    from hanse.publish.reader import Reader

    product = find_product(mesh, name)
    scan = Reader(mesh.settings).scan(product.full_name, as_of)
    if scan.snapshot is None:
        raise PublicationError(f"nothing was ever published of {product.full_name}")
    more = "" if limit is None else f" LIMIT {limit:d}"
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        return Past(scan.snapshot, con.sql(f"SELECT * FROM ({scan.sql}){more}").to_arrow_table())  # noqa: S608


def product_in_the_clear(mesh: Mesh, name: str, limit: int | None = None) -> pa.Table:
    """The rows of the product's restricted table, now. Raises PublicationError when there is none."""
    import duckdb

    from hanse.publish.reader import Reader

    product = find_product(mesh, name)
    scan = Reader(mesh.settings).restricted(product.full_name)
    if scan is None:
        raise PublicationError(f"{product.full_name} has no restricted table: nothing of it is masked")
    more = "" if limit is None else f" LIMIT {limit:d}"
    with duckdb.connect() as con:
        return con.sql(f"SELECT * FROM ({scan.sql}){more}").to_arrow_table()  # noqa: S608


def product_diff(
    mesh: Mesh, name: str, before: datetime | int, after: datetime | int, limit: int
) -> Comparison:
    """What changed between two moments, read by the columns of the later one. Raises PublicationError."""
    import duckdb

    from hanse.publish.comparison import compare
    from hanse.publish.difference import between
    from hanse.publish.reader import Reader

    product, reader = find_product(mesh, name), Reader(mesh.settings)
    old, new = (reader.moment(product.full_name, at) for at in (before, after))
    found = between(old, new)
    key = tuple(n for n in product.contract.primary_key if n in found.columns)
    gone = found.gone or f"SELECT * FROM ({found.fresh}) WHERE false"  # noqa: S608
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        return compare(con, gone, found.fresh, found.columns, key, limit)
