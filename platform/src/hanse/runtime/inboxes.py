"""Inboxes of all domains that have code: they take what the relays have brought to the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from hanse.domain.discovery import load
from hanse.model.envelope import utc_now
from hanse.relay.inbox import Inbox, open_inbox
from hanse.runtime.relays import relay_new

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh


class Inboxes:
    """The inboxes of a mesh, each opened on first use. `clock` tells them what is due."""

    def __init__(self, mesh: Mesh, clock: Callable[[], datetime] = utc_now) -> None:
        self._mesh = mesh
        self._clock = clock
        self._open: dict[str, Inbox] = {}

    def step(self, domain_name: str) -> int:
        """Take what there is for a domain; returns the number of records and moments taken, 0 without code.

        Raises what `Inbox.step` raises, and what `hanse.domain.load` does.
        """
        domain = self._mesh.model.domain(domain_name)
        if domain is None or load(domain) is None:
            return 0
        if domain_name not in self._open:
            self._open[domain_name] = open_inbox(self._mesh, domain_name, clock=self._clock)
        return self._open[domain_name].drain()


def settle(
    mesh: Mesh,
    *,
    clock: Callable[[], datetime] = utc_now,
    progress: Callable[[str, int], None] | None = None,
) -> int:
    """Relay and take, domain by domain, until nothing moves any more; returns the number of records taken.

    Raises as `relay_new` and `Inboxes.step`.
    """
    inboxes = Inboxes(mesh, clock)
    total = 0
    while True:
        moved = relayed = 0
        for domain in mesh.model.domains:
            relayed += relay_new(mesh, domain)
            moved += inboxes.step(domain.name)
        total += moved
        if not moved and not relayed:
            return total
        if progress:
            progress("messages between domains", total)
