"""PRD005."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.model.mesh import Lifecycle
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

_NEXT: dict[Lifecycle, tuple[Lifecycle, ...]] = {
    "draft": ("proposed", "active", "retired"),
    "proposed": ("draft", "active", "retired"),
    "active": ("deprecated",),
    "deprecated": ("active", "retired"),
    "retired": (),
}


class LifecycleLegal(Policy):
    """A product's status moves draft → proposed → active → deprecated → retired.

    Back from `deprecated` to `active` is allowed, from `retired` nothing is. An active product does not
    read a draft or a retired one. Needs `--base` for the moves.

    ## Examples

    Breaks it: `status: active` on the base and `status: retired` now; an active product reads a draft.

    Keeps it: `active`, then `deprecated` with a replacement named, then `retired`.
    """

    code = "PRD005"
    name = "lifecycle-illegal"
    severity = "error"
    why = "Readers rely on the status: they need the time between deprecated and retired to move away."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Illegal moves, then active products on shaky ground."""
        for product in mesh.model.products:
            before = mesh.base.products.get(product.full_name) if mesh.base else None
            if (
                before
                and before.lifecycle != product.lifecycle
                and product.lifecycle not in _NEXT[before.lifecycle]
            ):
                allowed = ", ".join(_NEXT[before.lifecycle]) or "nothing"
                yield self.finding(
                    mesh.in_product(product, "status"),
                    product.full_name,
                    f"the status of {product.full_name} goes from {before.lifecycle} to {product.lifecycle}",
                    fix=f"from {before.lifecycle} it may go to: {allowed}",
                )
            for source in product.inputs:
                read = mesh.products.get(source)
                if product.lifecycle == "active" and read and read.lifecycle in ("draft", "retired"):
                    yield self.finding(
                        mesh.in_product(product, "inputPorts", ("name", source)),
                        product.full_name,
                        f"{product.full_name} is active and reads {source}, which is {read.lifecycle}",
                        fix="read an active product, or make this one a draft as well",
                    )
