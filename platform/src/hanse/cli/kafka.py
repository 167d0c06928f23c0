"""`hanse kafka`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Run an Apache Kafka broker without Docker.")

Folder = Annotated[
    Path | None, typer.Option("--folder", help="Where the broker keeps its data; in the mesh without it.")
]


def _folder(chosen: Path | None) -> Path:
    if chosen is not None:
        return chosen.resolve()
    from hanse.settings import load_settings

    return load_settings().data / "kafka"


@app.command("start")
def start(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 9092,
    folder: Folder = None,
) -> None:
    """Start a broker in the background; its jars are fetched the first time."""
    from hanse.adapters.kafka import broker

    where = _folder(folder)
    typer.echo("Starting Apache Kafka …")
    running = broker.start(where, port)
    typer.echo(
        f'Running at {running.address} (process {running.pid}). In hanse.toml: log = "{running.address}"'
    )


@app.command("stop")
def stop(folder: Folder = None) -> None:
    """Stop the broker; its data stay."""
    from hanse.adapters.kafka import broker

    typer.echo("Stopped." if broker.stop(_folder(folder)) else "No broker was running.")


@app.command("status")
def status(folder: Folder = None) -> None:
    """Say whether the broker runs; exit code 3 when it does not."""
    from hanse.adapters.kafka import broker

    running = broker.status(_folder(folder))
    if running is None:
        typer.echo("No broker is running.")
        raise typer.Exit(3)
    typer.echo(f"Running at {running.address} (process {running.pid}), data in {running.folder}")
