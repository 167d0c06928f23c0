"""Plans projections, each text once: what the planner said is kept by content."""

from __future__ import annotations

from collections.abc import Callable

from hanse.model.mesh import MeshModel, Product
from hanse_governance.cache import RunCache
from hanse_governance.plans import Plan


class Planner:
    """Plans the projections of meshes."""

    def __init__(self, cache: RunCache) -> None:
        self._cache = cache

    def for_mesh(self, model: MeshModel) -> Callable[[Product], Plan]:
        """A function that gives a product's plan."""
        return lambda product: Plan()

    def save(self) -> None:
        """Keep the plans that were used."""
