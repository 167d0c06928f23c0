"""Keeps a mesh moving: relays committed events, publishes the products whose streams moved, archives the log."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from hanse.bootstrap import Mesh
from hanse.errors import HanseError, LeaseHeld
from hanse.log.retention import retain
from hanse.runtime.products import in_order, lag, run_product
from hanse.runtime.relays import relay_all

logger = logging.getLogger("hanse.keeper")

FIRST_UPKEEP_SECONDS = 60
UPKEEP_SECONDS = 600


def keep(mesh: Mesh, stop: threading.Event, *, products: bool, interval: float = 2.0) -> None:
    """Loop until `stop` is set or the parent process is gone.

    A product that fails is reported, and tried again when its stream moves.
    """
    tried: dict[str, str] = {}
    parent = os.getppid()
    upkeep = time.monotonic() + FIRST_UPKEEP_SECONDS
    while not stop.is_set() and os.getppid() == parent:
        _guarded("relay", lambda: relay_all(mesh))
        if products:
            for product in in_order(mesh.model):
                _guarded(product.full_name, lambda name=product.full_name: _advance(mesh, name, tried))
        if time.monotonic() >= upkeep:
            _guarded("retention", lambda: retain(mesh.log))
            upkeep = time.monotonic() + UPKEEP_SECONDS
        stop.wait(interval)


def _advance(mesh: Mesh, name: str, tried: dict[str, str]) -> None:
    behind = lag(mesh, name)
    if not behind.records or tried.get(name) == behind.head:
        return
    tried[name] = behind.head
    run = run_product(mesh, name)
    if run.rejected:
        logger.error("%s", run.rejected)
    else:
        logger.info("%s: %s rows, %s records read", name, run.rows, run.records)


def _guarded(what: str, step: Callable[[], object]) -> None:
    try:
        step()
    except LeaseHeld as error:
        logger.info("%s: %s", what, error.what)
    except HanseError as error:
        logger.error("%s: %s", what, error)
