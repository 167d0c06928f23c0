"""Upkeep of products' tables: what crashes left goes, pins of readers that are no more go, bytes are verified."""

from __future__ import annotations

from dataclasses import dataclass

from hanse.bootstrap import Mesh
from hanse.publish import maintenance
from hanse.publish.audit import REJECTED, RESTRICTED
from hanse.publish.lakehouse import Lakehouse
from hanse.runtime.opening import LEASE_WAIT_SECONDS, find_product, leased, settle_rebuild, storage


@dataclass(frozen=True, slots=True)
class Upkept:
    """What upkeep did to a product: snapshots that stay in its table, and files that nothing led to."""

    product: str
    snapshots: int
    swept: tuple[str, ...]


def maintain_product(mesh: Mesh, name: str, *, wait: float = LEASE_WAIT_SECONDS) -> Upkept:
    """Expire what is due and delete what a crash left in the product's tables. Raises as `run_product`."""
    product = find_product(mesh, name)
    full = product.full_name
    with storage(mesh, product), leased(mesh, product, wait) as publisher:
        lakehouse = publisher.lakehouse
        settle_rebuild(mesh, product, lakehouse)
        lakehouse.verdicts.drop_pins(full, {p.full_name for p in mesh.model.products if full in p.inputs})
        if lakehouse.load(full) is None:
            return Upkept(full, 0, ())
        table = maintenance.expire(lakehouse, full, publisher.table(), publisher.lease.epoch)
        swept = maintenance.sweep(lakehouse, full, table)
        for beside in (full + REJECTED, full + RESTRICTED):
            found = lakehouse.load(beside)
            if found is not None:
                swept += maintenance.sweep(lakehouse, beside, found)
        return Upkept(full, len(table.metadata.snapshots), tuple(swept))


def scrub_products(mesh: Mesh) -> list[str]:
    """Paths of data files that are missing, or whose bytes are not those that were written."""
    with Lakehouse.of(mesh.settings) as lakehouse:
        return maintenance.scrub(lakehouse)
