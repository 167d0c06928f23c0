"""`hanse product maintain` and `hanse product scrub`."""

from __future__ import annotations

from typing import Annotated

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import printable, table

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def maintain(
    names: Annotated[list[str] | None, typer.Argument(help="Products; all when none is named.")] = None,
) -> None:
    """Expire old snapshots and delete files that a crash left; each product is owned meanwhile."""
    from hanse.runtime.upkeep import maintain_product

    with Mesh.open() as mesh:
        done = [maintain_product(mesh, name) for name in names or [p.full_name for p in mesh.model.products]]
    rows = [{"product": d.product, "snapshots": d.snapshots, "files deleted": len(d.swept)} for d in done]
    table("Maintained", rows)


@app.command()
def scrub() -> None:
    """Read every data file and compare it with the SHA-256 of what was written; fails when one differs."""
    from hanse.runtime.upkeep import scrub_products

    with Mesh.open() as mesh:
        wrong = scrub_products(mesh)
    for path in wrong:
        typer.secho(f"damaged or missing: {printable(path)}", fg="red", err=True)
    if wrong:
        typer.echo("hanse product rebuild NAME writes a product's files again", err=True)
        raise typer.Exit(1)
    typer.echo("every data file holds what was written")
