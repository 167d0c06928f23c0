"""The command line. Each group lives in a module of its own and is imported when it is called."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from hanse.errors import HanseError

_INTERRUPTED = 128 + signal.SIGINT

# name → (module:attribute of a typer app or a function, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("hanse.cli.scaffold:init", "Make a new mesh in a folder."),
    "demo": ("hanse.cli.demo:demo", "Load the book-box business, publish its products, open the catalog."),
    "up": ("hanse.cli.up:up", "Serve the catalog and keep the products up to date."),
    "check": ("hanse_governance.cli:check", "Check products, contracts, schemas and projections."),
    "registration": ("hanse_governance.cli:registration", "Decide on registered products."),
    "domain": ("hanse.cli.domain:app", "Make and list domains."),
    "aggregate": ("hanse.cli.aggregate:app", "Look at aggregates, as they are and as they were."),
    "relay": ("hanse.cli.relay:app", "Look after the relays from event stores to the log."),
    "saga": ("hanse.cli.saga:app", "List, show, resume and abort the processes of sagas."),
    "trace": ("hanse.cli.trace:trace", "Print the tree of a business transaction."),
    "storm": ("hanse.cli.storm:storm", "Draw the event-storming board from the running code."),
    "product": ("hanse.cli.product:app", "Make, list, run, rebuild and inspect products."),
    "contract": ("hanse.cli.contract:app", "Convert contracts from and into other formats."),
    "log": ("hanse.cli.log:app", "Look into the event log."),
    "export": ("hanse.cli.export:app", "Write the mesh in the formats of others."),
    "schema": ("hanse.cli.schema:app", "Compare and check event schemas."),
    "registry": ("hanse.cli.registry:app", "Serve the schema registry."),
    "kafka": ("hanse.cli.kafka:app", "Run an Apache Kafka broker without Docker."),
    "sql": ("hanse_catalog.cli:sql", "Query published products."),
    "mcp": ("hanse_catalog.cli:mcp", "Serve the catalog to an assistant (MCP)."),
    "audit": ("hanse_catalog.cli:audit", "Show who read which products."),
    "access": ("hanse_catalog.cli:access", "Decide on requests for access."),
    "subject": ("hanse.cli.subject:app", "Erase a person from products, and list who was erased."),
    "token": ("hanse_catalog.cli:token", "Issue and revoke access tokens of the catalog."),
}


class _LazyGroup(TyperGroup):
    """Knows every command's name and help, and imports a command only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if ctx.params.get("listing"):
            return _command(cmd_name, lambda: None, COMMANDS[cmd_name][1])
        return load_command(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        ctx.params["listing"] = True
        super().format_help(ctx, formatter)


def load_command(name: str) -> Any:
    """The command of that name, its module imported."""
    module, attribute = COMMANDS[name][0].split(":")
    return _command(name, getattr(import_module(module), attribute))


def _command(name: str, target: Callable[..., Any] | typer.Typer, summary: str | None = None) -> Any:
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, help=summary)(target)
        target = app
    command = typer.main.get_command(target)
    command.name = name
    return command


app = typer.Typer(
    cls=_LazyGroup,
    name="hanse",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Hanse: data products from event streams, governed by computation."""


def main() -> None:
    """Run the command line; an expected error is one message and exit code 1, without traceback."""
    debug = "--debug" in sys.argv
    interrupted = _note_interrupts()
    try:
        app()
    except HanseError as error:
        if debug:
            raise
        _fail(str(error))
    except OSError as error:
        if debug:
            raise
        _fail(f"the system refused\n  where: {error.filename or 'unknown'}\n  got: {error.strerror or error}")
    except RuntimeError:
        if debug or not interrupted:
            raise
        raise SystemExit(_INTERRUPTED) from None


def _note_interrupts() -> list[int]:
    """Filled by Ctrl-C, which leaves DuckDB's queries as a RuntimeError and not as KeyboardInterrupt."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, note)
    return seen


def _fail(message: str) -> NoReturn:
    typer.secho(f"error: {message}", fg="red", err=True)
    raise SystemExit(1)
