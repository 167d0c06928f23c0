"""`hanse aggregate`: back in time, to any version of an aggregate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.cli import printed
from hanse.errors import ConfigError

if TYPE_CHECKING:
    from hanse.runtime.timeline import Timeline

app = typer.Typer(no_args_is_help=True, help="Look at aggregates, as they are and as they were.")


@app.callback()
def _group() -> None:
    """Look at aggregates, as they are and as they were."""


@app.command("show")
def show(
    kind: Annotated[str, typer.Argument(help="The aggregate's type: order, or orders.order.")],
    identity: Annotated[str, typer.Argument(help="Its id.")],
    version: Annotated[int | None, typer.Option(min=0, help="As it was after so many events.")] = None,
    at: Annotated[
        str | None, typer.Option(help="As it was at this moment (ISO 8601; UTC without zone).")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Print the events too.")] = False,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal texts unmasked.")] = False,
    as_json: printed.Json = False,
) -> None:
    """Print an aggregate's state and, if wanted, its events as a timeline."""
    from hanse.bootstrap import Mesh
    from hanse.runtime.timeline import timeline

    with Mesh.open() as mesh:
        moment = _moment(at) if at is not None else None
        found = timeline(mesh, kind, identity, version=version, at=moment, personal=personal)
    if as_json:
        typer.echo(json.dumps(found.as_dict(history=history), indent=2, ensure_ascii=False))
    else:
        _print(found, history)


def _print(found: Timeline, history: bool) -> None:
    later = f", {found.later} later" if found.later else ""
    title = f"{found.aggregate} {found.identity} of {found.domain}: version {len(found.events)}{later}"
    typer.echo(printed.printable(title))
    width = max((len(name) for name in found.state), default=0)
    for name, item in found.state.items():
        typer.echo(f"  {name:{width}}  {printed.printable(_text(item))}")
    if not history:
        return
    for event in found.as_dict(history=True)["events"]:
        typer.echo("")
        cause = "" if event["causation"] == event["command"] else f", caused by {event['causation']}"
        heading = f"v{event['version']}  {event['time'][:19]}  {event['type']}"
        typer.echo(printed.printable(f"{heading}  by command {event['command']}{cause}"))
        for name, item in event["body"].items():
            typer.echo(f"    {name}: {printed.printable(_text(item))}")


def _text(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False) if isinstance(item, dict | list) else printed.text(item)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("this is no moment", expected="such as 2026-03-01T12:00", got=text[:60]) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
