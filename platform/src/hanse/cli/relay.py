"""`hanse relay`: how far the relays are, and the streams that they hold back."""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from hanse.cli import printed
from hanse.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Look after the relays from event stores to the log.")


@app.command("status")
def status(as_json: printed.Json = False) -> None:
    """List each domain's relay: its lag in events, and the streams it holds back."""
    from hanse.bootstrap import Mesh
    from hanse.ports.event_store import RELAY

    rows: list[dict[str, Any]] = []
    with Mesh.open() as mesh:
        for domain in mesh.model.domains:
            if domain.module is None:
                continue
            store = mesh.store(domain.name)
            head, position = store.head(), store.relayed(RELAY)
            stuck = [
                {
                    "stream": str(stream.stream_id),
                    "version": stream.version,
                    "position": stream.position,
                    "type": stream.type,
                    "reason": stream.reason,
                }
                for stream in store.stuck(RELAY)
            ]
            rows.append({"domain": domain.name, "head": head, "lag": head - position, "stuck": stuck})
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    printed.table("Relays", [{**row, "stuck": len(row["stuck"])} for row in rows])
    held = [{"domain": row["domain"], **stream} for row in rows for stream in row["stuck"]]
    if held:
        printed.table("Streams held back", held)


@app.command("retry")
def retry(
    domain: Annotated[str, typer.Argument(help="The domain.")],
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
) -> None:
    """Publish what was held back, once its mapping or event is mended."""
    from hanse.bootstrap import Mesh
    from hanse.relay import open_relay

    with Mesh.open() as mesh, open_relay(mesh, domain) as relay:
        moved = relay.retry(None if stream is None else _stream(stream))
    typer.echo(f"{moved.events} events, {moved.records} records on the log")


def _stream(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ConfigError(
            "this is no stream", expected="an id from hanse relay status", got=text[:60]
        ) from error
