"""Building a product anew beside the live one, and swapping the two in one commit.

The new state grows in a file of its own while the live product goes on. Under the lease it takes what came
since, is compared with what readers see, published whole through the contract's checks, and then takes the
place of the old state. Whatever stops it before the commit leaves the old one; a process that dies between
the commit and the change of files is finished by the next one that opens the product.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from hanse.bootstrap import Mesh
from hanse.errors import PublicationRejected
from hanse.model.mesh import Product
from hanse.publish.failpoints import reach
from hanse.runtime.opening import (
    LEASE_WAIT_SECONDS,
    beside_path,
    context_of,
    drop_state,
    find_product,
    leased,
    opened,
    projecting,
    published,
    replace_state,
    sink_of,
    storage,
)
from hanse.runtime.products import ProductRun, conclude

if TYPE_CHECKING:
    from hanse.publish.publisher import Publication
    from hanse.publish.rebuilt import Compared

Told = Callable[["Compared"], None]


def rebuild_product(
    mesh: Mesh,
    name: str,
    *,
    since: datetime | None = None,
    dry_run: bool = False,
    wait: float = LEASE_WAIT_SECONDS,
    compared: Told | None = None,
) -> ProductRun:
    """Build the product from the first record of its streams, or from events since a moment, and swap it in.

    `compared` is told the comparison before anything is published; with `dry_run` nothing is. Readers keep
    the last snapshot until the new one has passed its checks. Raises LeaseHeld when a rebuild is under way,
    Rejected when a check failed, and as `run_product`.
    """
    product = find_product(mesh, name)
    with storage(mesh, product):
        return _alone(mesh, product, since, dry_run, wait, compared)


def publish_anew(mesh: Mesh, product: Product) -> None:
    """Write all of a product again from what its state and the keys say now; rows without a state are rebuilt.

    Raises as `run_product`.
    """
    with storage(mesh, product), opened(mesh, product) as (con, projector, publisher):
        sink = sink_of(mesh, projector, product)
        if sink.output is not None:
            publisher.recover(con, sink)
            report = projector.run_to_head()
            publisher.publish(con, sink, report.offsets, context_of(report.oldest), rebuild=True)
            return
    rebuild_product(mesh, product.full_name)


def _alone(
    mesh: Mesh, product: Product, since: datetime | None, dry_run: bool, wait: float, compared: Told | None
) -> ProductRun:
    from hanse.publish.lakehouse import Lakehouse
    from hanse.publish.lease import Lease

    path = beside_path(mesh, product)
    with Lakehouse.of(mesh.settings) as lakehouse:
        lock = Lease.acquire(lakehouse.leases, path.stem)
    with lock:
        drop_state(path)
        try:
            return _build(mesh, product, since, dry_run, wait, compared)
        except PublicationRejected as error:
            drop_state(path)
            error.fix = f"the old version stays; mend it, then hanse product rebuild {product.full_name}"
            raise
        except BaseException:
            _drop_unseen(mesh, product)
            raise


def _drop_unseen(mesh: Mesh, product: Product) -> None:
    """What was built goes, unless readers see it already: then the next owner finishes the swap."""
    from hanse.publish.lakehouse import Lakehouse

    path = beside_path(mesh, product)
    with Lakehouse.of(mesh.settings) as lakehouse:
        if path.exists() and not published(lakehouse, product, path):
            drop_state(path)


def _build(
    mesh: Mesh, product: Product, since: datetime | None, dry_run: bool, wait: float, compared: Told | None
) -> ProductRun:
    from hanse.publish.reader import Reader
    from hanse.publish.rebuilt import look

    started, run = time.monotonic(), ProductRun(product.full_name)
    path = beside_path(mesh, product)
    publication: Publication | None = None
    with projecting(mesh, product, path, beside=True) as (con, projector):
        if since is not None:
            projector.start_at(since)
        first = projector.run_to_head()
        reach("rebuilt")
        with leased(mesh, product, wait) as publisher:
            rest = projector.run_to_head()
            sink = sink_of(mesh, projector, product)
            run.records = first.records + rest.records
            run.poison = first.poison + rest.poison
            run.offsets = dict(rest.offsets)
            if compared is not None or dry_run:
                told = look(Reader(mesh.settings), product, con, sink, checked=dry_run)
                run.checks = told.checks
                if compared is not None:
                    compared(told)
            if not dry_run:
                publication = publisher.publish(
                    con, sink, rest.offsets, context_of(rest.oldest or first.oldest), rebuild=True
                )
                run.lag = projector.lag().records
                con.close()
                reach("swapping")
                replace_state(mesh, product)
    if dry_run:
        drop_state(path)
    else:
        conclude(mesh, run, publication)
    run.seconds = time.monotonic() - started
    return run
