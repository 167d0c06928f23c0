"""Running a mesh: products one by one, the keeper that keeps them up to date, the demo."""

from hanse.runtime.opening import find_product
from hanse.runtime.products import (
    ProductRun,
    Waiting,
    check_names,
    explain_product,
    in_order,
    lag,
    preview,
    release_rejected,
    run_product,
)
from hanse.runtime.rebuild import rebuild_product

__all__ = [
    "ProductRun",
    "Waiting",
    "check_names",
    "explain_product",
    "find_product",
    "in_order",
    "lag",
    "preview",
    "rebuild_product",
    "release_rejected",
    "run_product",
]
