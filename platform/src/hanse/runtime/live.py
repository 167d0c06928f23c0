"""Live products: one owner a product, which applies and publishes what comes until it is told to stop.

A round takes what the streams hold, a second's worth at most, and publishes it; the next begins at once, or,
when nothing came, a moment later. So a reader waits for the round under way and the one after it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import duckdb

from hanse.bootstrap import Mesh
from hanse.errors import HanseError, LeaseHeld, PublicationRejected
from hanse.model.mesh import Product
from hanse.projection import Projector
from hanse.publish.publisher import Publisher
from hanse.runtime.opening import LEASE_WAIT_SECONDS, context_of, find_product, opened, sink_of, storage
from hanse.runtime.products import ProductRun, conclude, in_order

logger = logging.getLogger("hanse.live")

ROUND_SECONDS = 1.0
"""How long a round applies batches before it publishes; a backlog is published in such pieces."""
IDLE_SECONDS = 0.05
MOST_IDLE_SECONDS = 0.4
AGAIN_SECONDS = 5.0
"""How long a product that failed waits before it is opened again."""
Told = Callable[[ProductRun], None]


def follow(
    mesh: Mesh, name: str, stop: threading.Event, told: Told, *, wait: float = LEASE_WAIT_SECONDS
) -> None:
    """Own the product, and publish what comes until `stop` is set; `told` is called after each publication.

    A publication that the contract rejects is told too, and tried again with the next records. What a
    stop interrupts is published first. Raises as `run_product`.
    """
    product = find_product(mesh, name)
    with storage(mesh, product), opened(mesh, product, wait) as (con, projector, publisher):
        idle, first = IDLE_SECONDS, True
        while not stop.is_set():
            run = _round(mesh, product, con, projector, publisher, stop, first=first)
            if run is not None:
                told(run)
                idle, first = IDLE_SECONDS, False
            elif not stop.wait(idle):
                idle, first = min(2 * idle, MOST_IDLE_SECONDS), False


def _round(
    mesh: Mesh,
    product: Product,
    con: duckdb.DuckDBPyConnection,
    projector: Projector,
    publisher: Publisher,
    stop: threading.Event,
    *,
    first: bool,
) -> ProductRun | None:
    """One round; None when nothing came. The first publishes what an earlier owner left."""
    started = time.monotonic()
    report = projector.run_to_head(until=lambda: stop.is_set() or time.monotonic() - started > ROUND_SECONDS)
    if not report.records and not first:
        return None
    run = ProductRun(product.full_name, report.records, report.poison, report.duplicates_dropped)
    run.offsets = dict(report.offsets)
    publication = None
    try:
        sink = sink_of(mesh, projector, product)
        publication = publisher.publish(con, sink, report.offsets, context_of(report.oldest))
    except PublicationRejected as error:
        run.rejected = error
    run.lag = projector.lag().records
    conclude(mesh, run, publication)
    run.seconds = time.monotonic() - started
    return run if publication or run.rejected or report.records else None


@contextmanager
def following(mesh: Mesh, stop: threading.Event, told: Told) -> Generator[None]:
    """A thread for each product, with adapters of its own; on leaving, `stop` is set and they end."""
    threads = [
        threading.Thread(target=_keep_following, args=(mesh, p.full_name, stop, told), name=p.full_name)
        for p in in_order(mesh.model)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _keep_following(mesh: Mesh, name: str, stop: threading.Event, told: Told) -> None:
    """Follow; what goes wrong is logged, the same thing once, and tried again."""
    problem = ""
    while not stop.is_set():
        try:
            with Mesh(mesh.settings) as own:
                follow(own, name, stop, told, wait=0)
        except (HanseError, OSError, sqlite3.Error, duckdb.Error) as error:
            if str(error) != problem:
                problem = str(error)
                logger.log(
                    logging.INFO if isinstance(error, LeaseHeld) else logging.ERROR, "%s: %s", name, error
                )
            stop.wait(AGAIN_SECONDS)
