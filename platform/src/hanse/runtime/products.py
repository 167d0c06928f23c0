"""One run of a product: lease → recover → project to the streams' heads → check → publish."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError, PublicationRejected, UnknownTopic
from hanse.model.mesh import Contract, MeshModel, Product
from hanse.runtime.opening import (
    LEASE_WAIT_SECONDS,
    context_of,
    find_product,
    opened,
    projector_of,
    sink_of,
    storage,
)
from hanse.runtime.openlineage import told

if TYPE_CHECKING:
    from hanse.publish.publisher import Publication
    from hanse.quality.result import CheckResult

PREVIEW_ROWS = 5


@dataclass(slots=True)
class ProductRun:
    """What a run did. `records` were read from the streams, `poison` of them set aside undecoded.

    `rows` counts the table that readers see; `lag` the records that came in meanwhile. `rejected` holds the
    error when the contract stopped the publication.
    """

    product: str
    records: int = 0
    poison: int = 0
    duplicates: int = 0
    published: bool = False
    rows: int = 0
    set_aside: int = 0
    snapshot_id: int | None = None
    seq: int | None = None
    lag: int = 0
    seconds: float = 0.0
    offsets: dict[str, Any] = field(default_factory=dict[str, Any])
    checks: tuple[CheckResult, ...] = ()
    rejected: PublicationRejected | None = None

    def summary(self) -> dict[str, Any]:
        """One row of a table."""
        outcome = "rejected" if self.rejected else "published" if self.published else "nothing new"
        return {
            "product": self.product,
            "outcome": outcome,
            "records": self.records,
            "rows": self.rows,
            "poison": self.poison,
            "set aside": self.set_aside,
            "lag": self.lag,
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a product has not published: offsets of topics and publications of products that it reads.

    `head` is where its inputs end, as one text.
    """

    records: int
    head: str


def check_names(contract: Contract) -> tuple[str, ...]:
    """The names of all checks that a publication under this contract runs."""
    from hanse.quality.plan import names

    return names(contract)


def in_order(model: MeshModel) -> list[Product]:
    """Products that are not retired, each after the products it reads. Raises ConfigError on a cycle."""
    products = {p.full_name: p for p in model.products if p.lifecycle != "retired"}
    graph = {name: [i for i in p.inputs if i in products] for name, p in products.items()}
    try:
        return [products[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise ConfigError("products read each other in a circle", got=" → ".join(error.args[1])) from error


def lag(mesh: Mesh, name: str) -> Waiting:
    """Compare what is published with the heads of the product's inputs; takes no lease."""
    from hanse.publish.reader import Reader

    product = find_product(mesh, name)
    reader = Reader(mesh.settings)
    head = reader.head(product.full_name)
    published = head.offsets if head else {}
    behind, heads = 0, []
    for topic in product.inputs:
        done = {int(p): int(o) for p, o in published.get(topic, {}).items()}
        if mesh.model.product(topic) is not None:
            source = reader.head(topic)
            if source is not None:
                behind += max(0, source.seq - done.get(0, 0))
                heads.append(f"{topic}:{source.seq}")
            continue
        try:
            ranges = mesh.log.ranges(mesh.model.log_name(topic))
        except UnknownTopic:
            continue
        behind += sum(max(0, there.high - done.get(p, there.low)) for p, there in ranges.items())
        heads.append(f"{topic}:{'.'.join(str(ranges[p].high) for p in sorted(ranges))}")
    return Waiting(behind, ",".join(heads))


def run_product(
    mesh: Mesh,
    name: str,
    *,
    progress: Callable[[str], None] | None = None,
    wait: float = LEASE_WAIT_SECONDS,
) -> ProductRun:
    """Bring a product to the heads of its streams and publish it.

    What a rejected publication held is published again with what came since, and checked anew.

    A contract that stops the publication is told in the result's `rejected`. Raises LeaseHeld after
    `wait` seconds, and what projector and publisher raise.
    """
    product = find_product(mesh, name)
    with storage(mesh, product):
        return _run(mesh, product, progress, wait)


def _run(mesh: Mesh, product: Product, progress: Callable[[str], None] | None, wait: float) -> ProductRun:
    started = time.monotonic()
    run = ProductRun(product.full_name)
    with told(mesh, product, run):
        _advance(mesh, product, run, progress, wait)
    run.seconds = time.monotonic() - started
    return run


def _advance(
    mesh: Mesh, product: Product, run: ProductRun, progress: Callable[[str], None] | None, wait: float
) -> None:
    with opened(mesh, product, wait) as (con, projector, publisher):
        sink = sink_of(mesh, projector, product)
        try:
            publisher.recover(con, sink)
            report = projector.run_to_head(_counting(progress))
            run.records, run.poison = report.records, report.poison
            run.duplicates, run.offsets = report.duplicates_dropped, dict(report.offsets)
            publication = publisher.publish(con, sink, report.offsets, context_of(report.oldest))
        except PublicationRejected as error:
            publication, run.rejected = None, error
        run.lag = projector.lag().records
    conclude(mesh, run, publication)


def release_rejected(mesh: Mesh, name: str, seq: int, reason: str) -> Publication:
    """Show readers a rejected publication on the operator's word. Raises PublicationError."""
    product = find_product(mesh, name)
    with storage(mesh, product), opened(mesh, product) as (con, projector, publisher):
        return publisher.release(con, sink_of(mesh, projector, product), seq, reason)


def explain_product(mesh: Mesh, name: str) -> str:
    """The plan of the product's projection, made in a scratch state. Raises UnsupportedSQL at its place."""
    import duckdb

    product = find_product(mesh, name)
    with duckdb.connect() as con:
        return projector_of(mesh, product, con).engine.explain()


def _counting(progress: Callable[[str], None] | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(f"{done:,} of {total:,} records")


def conclude(mesh: Mesh, run: ProductRun, publication: Publication | None) -> None:
    """What readers see after the run, whether or not it published anything."""
    from hanse.publish.reader import Reader

    reader = Reader(mesh.settings)
    head = reader.head(run.product)
    run.published = publication is not None
    if run.rejected is not None:
        newest = reader.history(run.product)[-1]
        run.checks = newest.verdict.checks if newest.verdict else ()
    elif head is not None and head.verdict is not None:
        run.checks = head.verdict.checks
    if head is not None:
        run.rows, run.snapshot_id, run.seq, run.set_aside = (
            head.rows,
            head.snapshot_id,
            head.seq,
            head.set_aside,
        )


def preview(mesh: Mesh, name: str) -> str:
    """The first rows that readers see, as a Markdown table; empty when nothing was published."""
    import duckdb

    from hanse.publish.reader import Reader

    reader = Reader(mesh.settings)
    if reader.head(name) is None:
        return ""
    with duckdb.connect() as con:
        found = con.execute(f"SELECT * FROM ({reader.scan(name, None).sql}) LIMIT {PREVIEW_ROWS}")  # noqa: S608
        columns = [column[0] for column in found.description or ()]
        lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
        lines += [" | ".join(str(value) for value in row) for row in found.fetchall()]
    return "\n".join(f"| {line} |" for line in lines)
