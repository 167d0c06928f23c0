"""The keeper's process: `python -m hanse.runtime.keep [--relay-only]` in a mesh's folder."""

from __future__ import annotations

import logging
import sys

from hanse.bootstrap import Mesh
from hanse.runtime.keeper import keep
from hanse.runtime.serve import stop_on_signal


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("hanse").setLevel(logging.INFO)
    stop = stop_on_signal()
    with Mesh.open() as mesh:
        keep(mesh, stop, products="--relay-only" not in sys.argv)


if __name__ == "__main__":
    main()
