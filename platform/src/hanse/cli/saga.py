"""`hanse saga`: the processes of sagas, and what a person can do for one that is stuck."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.cli import printed

if TYPE_CHECKING:
    from hanse.runtime.sagas import Running

app = typer.Typer(no_args_is_help=True, help="List, show, resume and abort the processes of sagas.")

Process = Annotated[str, typer.Argument(help="The process, as saga/key, or the beginning of that.")]


@app.command("list")
def list_sagas(
    domain: Annotated[str | None, typer.Option(help="Only those of this domain.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only those in this status: running, stuck, compensating, completed and others."),
    ] = None,
    stuck: Annotated[bool, typer.Option("--stuck", help="Only those that need a person.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many for each domain.")] = 100,
    as_json: printed.Json = False,
) -> None:
    """List processes, the last changed first."""
    from hanse.bootstrap import Mesh
    from hanse.runtime.sagas import processes

    statuses = [*(status or ()), *(["stuck"] if stuck else [])]
    with Mesh.open() as mesh:
        rows = [_row(found) for found in processes(mesh, domain=domain, statuses=statuses, limit=limit)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        shown = ("domain", "process", "status", "step", "due", "reason")
        printed.table("Sagas", [{name: row[name] for name in shown} for row in rows])


@app.command("show")
def show(process: Process, as_json: printed.Json = False) -> None:
    """Print what has happened to a process, and what it waits for."""
    from hanse.bootstrap import Mesh
    from hanse.runtime.sagas import find, history
    from hanse.runtime.timeline import body

    with Mesh.open() as mesh:
        found = find(mesh, process)
        events: list[dict[str, Any]] = [
            {
                "version": recorded.version,
                "at": recorded.envelope.time.isoformat(),
                "what": recorded.event.event_name.removeprefix("hanse.Saga"),
                **{name: item for name, item in body(recorded).items() if name not in ("at", "process_id")},
            }
            for recorded in history(mesh, found)
        ]
    row = _row(found)
    if as_json:
        typer.echo(json.dumps({**row, "events": events}, indent=2, ensure_ascii=False))
        return
    for name, item in row.items():
        typer.echo(f"{name:12} {printed.printable(printed.text(item))}")
    for event in events:
        rest = {
            n: v for n, v in event.items() if n not in ("version", "at", "what") and v not in (None, "", [])
        }
        details = "  ".join(f"{name}={item}" for name, item in rest.items())
        typer.echo(
            f"{event['version']:4}  {event['at'][:19]}  {event['what']:13} {printed.printable(details)}"
        )


@app.command("resume")
def resume(process: Process, as_json: printed.Json = False) -> None:
    """Let a stuck process try again."""
    from hanse.bootstrap import Mesh
    from hanse.runtime import sagas

    with Mesh.open() as mesh:
        _tell(sagas.resume(mesh, process), as_json)


@app.command("abort")
def abort(
    process: Process,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks at it later.")] = "aborted by hand",
    as_json: printed.Json = False,
) -> None:
    """Make a process go back; one that is stuck on its way back is given up."""
    from hanse.bootstrap import Mesh
    from hanse.runtime import sagas

    with Mesh.open() as mesh:
        _tell(sagas.abort(mesh, process, reason), as_json)


def _tell(running: Running, as_json: bool) -> None:
    row = _row(running)
    text = json.dumps(row, ensure_ascii=False) if as_json else f"{row['process']} is {row['status']}"
    typer.echo(text if as_json else printed.printable(text))


def _row(running: Running) -> dict[str, Any]:
    row = running.row
    return {
        "domain": running.domain,
        "process": row.process_id,
        "status": row.status,
        "step": row.step,
        "due": _moment(row.due_at),
        "reason": row.reason,
        "correlation": row.correlation_id,
        "updated": _moment(row.updated_at),
    }


def _moment(milliseconds: int | None) -> str | None:
    from datetime import UTC, datetime

    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
