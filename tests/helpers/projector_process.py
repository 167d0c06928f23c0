"""`python projector_process.py FOLDER BATCH`: run the sales projector of a folder to the head, once."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Run, perhaps until a failpoint kills the process."""
    from helpers.projection_mesh import ProjectionMesh

    mesh = ProjectionMesh(Path(sys.argv[1]))
    with duckdb.connect(str(mesh.root / "state.duckdb")) as con:
        mesh.projector(mesh.product(), con).run_to_head(max_batch=int(sys.argv[2]))
    mesh.close()


if __name__ == "__main__":
    main()
