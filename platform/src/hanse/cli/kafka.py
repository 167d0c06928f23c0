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


@app.command("connect")
def connect(
    connectors: Annotated[list[Path], typer.Argument(help="Properties files, one a connector.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where the worker keeps its offsets; in the mesh without it.")
    ] = None,
    jar: Annotated[
        list[str] | None,
        typer.Option(help="A connector from Maven Central as group:artifact:version; may be repeated."),
    ] = None,
) -> None:
    """Run a Kafka Connect worker on the mesh's log until it is ended; its jars are fetched the first time.

    Keys and values are written as JSON with their schemas, unless a connector says otherwise.
    """
    import os

    from hanse.adapters.kafka.connect import command
    from hanse.adapters.kafka.settings import kafka_settings
    from hanse.settings import load_settings

    settings = load_settings()
    servers = kafka_settings(settings.log).servers
    call = command(servers, folder or settings.data / "connect", connectors, jar or [])
    os.execv(call[0], call)  # noqa: S606  # the worker gets our signals
