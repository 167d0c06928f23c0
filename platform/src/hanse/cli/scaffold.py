"""`hanse init`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer


def init(
    directory: Annotated[Path, typer.Argument(help="The folder; made if it is not there.")],
    domain: Annotated[str, typer.Option(help="Name of the first domain.")] = "parcels",
) -> None:
    """Make a new mesh with one domain, one product, a test and a CI workflow."""
    from hanse.scaffold import mesh_new

    show(mesh_new(directory, domain), directory)
    typer.echo(f"\nNext: cd {directory} && hanse check")


def show(written: Sequence[Path], root: Path) -> None:
    """Print the files that were written, each once, relative to the mesh."""
    top = root.resolve()
    for path in dict.fromkeys(written):
        typer.echo(f"  {path.resolve().relative_to(top).as_posix()}")
