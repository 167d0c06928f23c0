"""`hanse up`: serve the catalog and keep the products up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from hanse.bootstrap import Mesh


def up(
    dagster: Annotated[
        bool, typer.Option(help="Start Dagster too, and let its sensors run the products.")
    ] = False,
    registry: Annotated[
        bool, typer.Option(help="Serve the schema registry too, on port 8081, to any Confluent client.")
    ] = False,
    commands: Annotated[
        bool, typer.Option("--commands", help="Take the domains' commands too, on port 8322.")
    ] = False,
    products: Annotated[bool, typer.Option(help="Run the products whose streams have moved.")] = True,
    live: Annotated[
        bool, typer.Option("--live", help="Publish what comes at once; Dagster shows it and runs nothing.")
    ] = False,
) -> None:
    """Serve the catalog and keep the products up to date."""
    from hanse.runtime import serve

    with Mesh.open() as mesh:
        serve.up(mesh, dagster=dagster, registry=registry, commands=commands, products=products, live=live)
