"""`hanse registry`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Serve the schema registry.")


@app.callback()
def _group() -> None:
    """Serve the schema registry."""


@app.command("serve")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Its port; 0 takes a free one.")] = 8081,
    file: Annotated[
        Path | None,
        typer.Option(help="The registry's SQLite file; by default what the mesh around here uses."),
    ] = None,
) -> None:
    """Serve the registry with Confluent's REST API until interrupted."""
    from hanse.adapters.registries import place_to_serve
    from hanse.registry.serving import serve_store
    from hanse.registry.store import RegistryStore
    from hanse.settings import load_settings

    place = file or place_to_serve(load_settings())
    store = RegistryStore(place)
    shown = store.database.place
    try:
        serve_store(store, host, port, announce=lambda url: typer.echo(f"schema registry on {url} ({shown})"))
    finally:
        store.close()
