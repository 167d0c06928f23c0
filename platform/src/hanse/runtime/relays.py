"""Relays of all domains that have code."""

from __future__ import annotations

from collections.abc import Callable

from hanse.bootstrap import Mesh
from hanse.domain.discovery import load
from hanse.relay import relay_domain


def relay_all(mesh: Mesh, progress: Callable[[str, int], None] | None = None) -> int:
    """Relay what every domain has committed; returns the number of domain events. Raises RelayHeld."""
    total = 0
    for domain in mesh.model.domains:
        if load(domain) is None:
            continue
        moved = relay_domain(mesh, domain.name)
        total += moved.events
        if progress:
            progress(f"events from {domain.name}", moved.events)
    return total
