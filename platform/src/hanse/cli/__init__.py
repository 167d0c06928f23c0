"""The command line. Each group lives in a module of its own and is imported when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

import click
import typer
from typer.core import TyperGroup

from hanse.errors import HanseError

# name → (module:attribute of a typer app or a function, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("hanse.cli.scaffold:init", "Make a new mesh in a folder."),
    "demo": ("hanse.cli.demo:demo", "Load the book-box business, publish its products, open the catalog."),
    "up": ("hanse.cli.up:up", "Serve the catalog and keep the products up to date."),
    "check": ("hanse_governance.cli:check", "Check products, contracts, schemas and projections."),
    "domain": ("hanse.cli.domain:app", "Make and list domains."),
    "product": ("hanse.cli.product:app", "Make, list, run, rebuild and inspect products."),
    "log": ("hanse.cli.log:app", "Look into the event log."),
    "schema": ("hanse.cli.schema:app", "Compare and check event schemas."),
    "registry": ("hanse.cli.registry:app", "Serve the schema registry."),
    "kafka": ("hanse.cli.kafka:app", "Run an Apache Kafka broker without Docker."),
    "sql": ("hanse_catalog.cli:sql", "Query published products."),
}


class _LazyGroup(TyperGroup):
    """Knows every command's name and help, and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        target, summary = COMMANDS[cmd_name]
        if "--help" in sys.argv[1:2] or len(sys.argv) == 1:
            return click.Command(cmd_name, help=summary)
        module, attribute = target.split(":")
        loaded = getattr(import_module(module), attribute)
        if not isinstance(loaded, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command(cmd_name)(loaded)
            loaded = app
        command = typer.main.get_command(loaded)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_LazyGroup,
    name="hanse",
    help="Hanse: data products from event streams, governed by computation.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),  # noqa: ARG001
) -> None:
    """Hanse: data products from event streams, governed by computation."""


def main() -> None:
    """Run the command line; an expected error is one message and exit code 1, without traceback."""
    debug = "--debug" in sys.argv
    try:
        app()
    except HanseError as error:
        if debug:
            raise
        typer.secho(f"error: {error}", fg="red", err=True)
        raise SystemExit(1) from None
