"""Relays of all domains that have code."""

from __future__ import annotations

from collections.abc import Callable

from hanse.bootstrap import Mesh
from hanse.domain.discovery import load
from hanse.model.mesh import Domain
from hanse.ports.event_store import RELAY
from hanse.relay import relay_domain


def relay_one(mesh: Mesh, domain: Domain) -> int:
    """Relay what the domain has committed; returns the number of its events, 0 when it has no code.

    Raises RelayHeld, and what `hanse.domain.load` and `Relay.drain` raise.
    """
    return 0 if load(domain) is None else relay_domain(mesh, domain.name).events


def relay_new(mesh: Mesh, domain: Domain) -> int:
    """As `relay_one`, without claiming the relay of a domain that has nothing to relay."""
    if domain.module is None:
        return 0
    store = mesh.store(domain.name)
    return relay_one(mesh, domain) if store.relayed(RELAY) < store.head() else 0


def relay_all(mesh: Mesh, progress: Callable[[str, int], None] | None = None) -> int:
    """Relay what every domain has committed; returns the number of events. Raises as `relay_one`."""
    total = 0
    for domain in mesh.model.domains:
        moved = relay_one(mesh, domain)
        total += moved
        if progress and domain.module:
            progress(f"events from {domain.name}", moved)
    return total
