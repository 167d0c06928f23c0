"""What a process does that is to be killed."""

from __future__ import annotations

import os
from pathlib import Path

from hanse.bootstrap import Mesh
from hanse.runtime import rebuild_product, run_product
from helpers.shop_mesh import settings_of


def work(root: str, failpoint: str, names: tuple[str, ...], *, anew: bool) -> None:
    """Run the products, the first built anew before if asked; killed at `failpoint`."""
    os.environ["HANSE_FAILPOINT"] = failpoint
    with Mesh(settings_of(Path(root))) as mesh:
        if anew:
            rebuild_product(mesh, names[0])
        for name in names:
            run_product(mesh, name)
