"""The keeper's process: `python -m hanse.runtime.keep [--relay-only | --live]` in a mesh's folder."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from hanse.bootstrap import Mesh
from hanse.runtime import ProductRun
from hanse.runtime.keeper import keep
from hanse.runtime.serve import stop_on_signal

LIVE_RELAY_SECONDS = 0.1


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("hanse").setLevel(logging.INFO)
    stop = stop_on_signal()
    with Mesh.open() as mesh:
        if "--live" in sys.argv:
            _live(mesh, stop)
        else:
            keep(mesh, stop, products="--relay-only" not in sys.argv)


def _live(mesh: Mesh, stop: threading.Event) -> None:
    from hanse.runtime.live import following

    with told_to_dagster(mesh) as told, following(mesh, stop, told):
        keep(mesh, stop, products=False, interval=LIVE_RELAY_SECONDS)


@contextmanager
def told_to_dagster(mesh: Mesh) -> Generator[Callable[[ProductRun], None]]:
    """A function to be told of live publications: it reports them, if the mesh has ever been up with Dagster."""
    home = mesh.settings.data / "dagster"
    if not home.is_dir():
        yield _log
        return
    from hanse.orchestration.live import reporting

    with reporting(mesh, home) as report:

        def both(run: ProductRun) -> None:
            _log(run)
            report(run)

        yield both


def _log(run: ProductRun) -> None:
    if run.rejected:
        logging.getLogger("hanse.live").error("%s", run.rejected)


if __name__ == "__main__":
    main()
