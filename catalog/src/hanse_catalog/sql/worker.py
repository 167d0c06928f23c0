"""The worker process: shuts itself in, and only then loads DuckDB. Started by the pool, never by hand."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys

from hanse_catalog.sql import sandbox


class _WithoutPandas:
    """pyarrow and DuckDB load pandas when it is there: 35 MB and half a second that no query needs."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Says that there is no pandas."""
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


def main() -> None:
    """Started as `python -I -m hanse_catalog.sql.worker CONFIG`; speaks frames on input and output."""
    sys.setrecursionlimit(6_000)
    config = json.loads(sys.argv[1])
    source, out = os.dup(0), os.dup(1)
    _widen(out)
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 0)
    os.dup2(silent, 1)
    held = sandbox.confine(read=[*sandbox.library_paths(), config["data"]], write=[config["temp"]])

    sys.meta_path.insert(0, _WithoutPandas())
    from hanse_catalog.sql import runner

    worker = runner.Worker(config)
    limits = worker.lock()
    confinement = {**held.as_dict(), "limits": limits, "complete": held.complete and limits}
    runner.hello(out, confinement)
    runner.serve(worker, source, out)


def _widen(pipe: int) -> None:
    """Let a megabyte wait in the pipe; a socket in its place, as uvloop has it, keeps its own size."""
    if sys.platform.startswith("linux") and stat.S_ISFIFO(os.fstat(pipe).st_mode):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)


if __name__ == "__main__":
    main()
