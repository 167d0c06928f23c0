"""Keeps a mesh moving: relays committed events, wakes sagas, publishes the products whose streams moved, archives the log."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable

import duckdb

from hanse.bootstrap import Mesh
from hanse.errors import HanseError, LeaseHeld
from hanse.log.retention import retain
from hanse.model.mesh import Domain
from hanse.runtime.inboxes import Inboxes
from hanse.runtime.products import in_order, lag, run_product
from hanse.runtime.relays import relay_new, relay_one

logger = logging.getLogger("hanse.keeper")

FIRST_UPKEEP_SECONDS = 60
UPKEEP_SECONDS = 600


def keep(mesh: Mesh, stop: threading.Event, *, products: bool, interval: float = 2.0) -> None:
    """Loop until `stop` is set or the parent process is gone.

    What fails for one domain or product is reported once and keeps no other from moving. A relay is tried
    again in the next round, a product when its stream moves or when the process that held it lets go.
    """
    tried: dict[str, str] = {}
    told: dict[str, str] = {}
    started: set[str] = set()
    inboxes = Inboxes(mesh)
    parent = os.getppid()
    upkeep = time.monotonic() + FIRST_UPKEEP_SECONDS
    while not stop.is_set() and os.getppid() == parent:
        for domain in mesh.model.domains:
            _guarded(told, f"relay of {domain.name}", lambda domain=domain: _relay(mesh, domain, started))
            _guarded(told, f"inbox of {domain.name}", lambda domain=domain: inboxes.step(domain.name))
        if products:
            for product in in_order(mesh.model):
                _guarded(told, product.full_name, lambda name=product.full_name: _advance(mesh, name, tried))
        if time.monotonic() >= upkeep:
            _guarded(told, "retention", lambda: retain(mesh.log))
            upkeep = time.monotonic() + UPKEEP_SECONDS
        stop.wait(interval)


def _relay(mesh: Mesh, domain: Domain, started: set[str]) -> None:
    """Relay what is new in the domain's store. The first time always: it registers schemas and makes topics."""
    if domain.name in started:
        relay_new(mesh, domain)
        return
    relay_one(mesh, domain)
    if domain.module is not None:
        started.add(domain.name)


def _advance(mesh: Mesh, name: str, tried: dict[str, str]) -> None:
    behind = lag(mesh, name)
    if not behind.records or tried.get(name) == behind.head:
        return
    tried[name] = behind.head
    try:
        run = run_product(mesh, name, wait=0)
    except LeaseHeld:
        del tried[name]
        raise
    if run.rejected:
        logger.error("%s", run.rejected)
    else:
        logger.info("%s: %s rows, %s records read", name, run.rows, run.records)


def _guarded(told: dict[str, str], what: str, step: Callable[[], object]) -> None:
    """Take the step; what goes wrong is logged, the same thing in round after round once."""
    try:
        step()
    except LeaseHeld as error:
        level, problem = logging.INFO, error.what
    except (HanseError, OSError, sqlite3.Error, duckdb.Error) as error:
        level, problem = logging.ERROR, str(error)
    else:
        told.pop(what, None)
        return
    if told.get(what) != problem:
        told[what] = problem
        logger.log(level, "%s: %s", what, problem)
