"""From the log to a product's state: programs, micro-batches, places, records set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanse.projection.projector import Lag as Lag
    from hanse.projection.projector import Projector as Projector
    from hanse.projection.projector import RunReport as RunReport

__all__ = ["Lag", "Projector", "RunReport"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from hanse.projection import projector

        return getattr(projector, name)
    raise AttributeError(name)
