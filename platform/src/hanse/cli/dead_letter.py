"""`hanse log dead-letter`: records that projections could not read."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.cli.printed import cells, printable
from hanse.errors import ConfigError

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.projection.dead_letters import Letter

app = typer.Typer(no_args_is_help=True, help="Records that could not be read, and what became of them.")

Topic = Annotated[str, typer.Argument(help="The topic they came from, such as orders.order_placed.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, one document.")]


@app.command("list")
def list_letters(
    topic: Annotated[str | None, typer.Argument(help="Only of this topic; otherwise of all.")] = None,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each topic, oldest first.")] = 100,
) -> None:
    """List the records that were set aside, each once, with the reason."""
    from itertools import islice

    from hanse.bootstrap import Mesh
    from hanse.projection.dead_letters import SUFFIX, letters

    with Mesh.open() as mesh:
        names = [topic] if topic else [i.spec.name for i in mesh.log.topics() if i.spec.name.endswith(SUFFIX)]
        found = [letter for name in names for letter in islice(letters(mesh.log, name), limit)]
    if as_json:
        typer.echo(json.dumps([_document(letter) for letter in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("no dead letters")
        return
    _table(found)


@app.command("show")
def show(
    topic: Topic,
    letter: Annotated[str, typer.Argument(help="Its id, or the first characters of it.")],
    as_json: AsJson = False,
) -> None:
    """Show one record that was set aside: origin, reason, headers and bytes."""
    from hanse.bootstrap import Mesh
    from hanse.projection.dead_letters import find

    with Mesh.open() as mesh:
        found = find(mesh.log, topic, letter)
    document = _document(found)
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for name, value in document.items():
        if name == "headers":
            typer.echo("headers")
            for header in value:
                typer.echo(f"  {header['name']}: {printable(base64.b64decode(header['value']))}")
        elif name in ("key", "value"):
            raw = found.key if name == "key" else found.value
            typer.echo(f"{name:<12}{'null' if raw is None else printable(raw)}")
        else:
            typer.echo(f"{name:<12}{printable(str(value))}")


@app.command("replay")
def replay_letters(
    topic: Topic,
    chosen: Annotated[list[str] | None, typer.Argument(help="Ids, or first characters of them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of the topic.")] = False,
) -> None:
    """Send records back to the partition they came from, for instance once their schema is registered.

    A product that took a replayed record drops it when it is replayed again.
    """
    from hanse.bootstrap import Mesh
    from hanse.projection.dead_letters import find, letters, replay

    if bool(chosen) == everything:
        raise typer.BadParameter("give ids, or --all")
    with Mesh.open() as mesh:
        found = (
            list(letters(mesh.log, topic)) if everything else [find(mesh.log, topic, i) for i in chosen or []]
        )
        for name in {letter.topic for letter in found}:
            _refuse_external(mesh, name)
        count = replay(mesh.log, found)
    typer.echo(f"{count} record{'' if count == 1 else 's'} sent back to {topic}")


def _refuse_external(mesh: Mesh, name: str) -> None:
    """Hanse writes nothing into the topics of others. Raises ConfigError."""
    found = mesh.model.topic_on_log(name)
    if found is not None and found.external is not None:
        raise ConfigError(
            f"{name} is a topic that others write, so nothing is sent back to it",
            where=f"{found.domain}/domain.yaml, topic {found.name}",
            fix="correct the declaration and `hanse product rebuild`, or have its owner send the records again",
        )


def _document(letter: Letter) -> dict[str, Any]:
    """What a letter is as JSON; bytes are Base64."""
    return {
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp_ms,
        "reason": letter.reason,
        "exception": letter.exception,
        "product": letter.product,
        "key": _base64(letter.key),
        "value": _base64(letter.value),
        "headers": [{"name": name, "value": _base64(value)} for name, value in letter.headers],
    }


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _table(found: list[Letter]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "topic", "partition", "offset", "reason", "product", box=None, pad_edge=False)
    for letter in found:
        place = (letter.topic, str(letter.partition), str(letter.offset))
        table.add_row(*cells(letter.id[:12], *place, letter.reason, letter.product))
    Console().print(table)
