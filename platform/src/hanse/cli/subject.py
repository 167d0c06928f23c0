"""`hanse subject`: erase a person, and list who was erased."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import Json, printable, table

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="The person, as the events' subject field names them.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")] = "",
) -> None:
    """Destroy a person's key and rewrite every product that shows personal data; what is done cannot be undone.

    Older snapshots of those products go with their files. After a crash the same command goes on.
    """
    from hanse.runtime.erase import erase_subject

    with Mesh.open() as mesh:
        done = erase_subject(mesh, subject, reason, typer.echo)
    typer.echo(
        f"{printable(subject)} is erased since {done.done_at} from {', '.join(done.products) or 'no product'}"
    )


@app.command("list")
def list_erasures(as_json: Json = False) -> None:
    """List the erasures, those that were cut off too."""
    from hanse.runtime.erase import erasures

    with Mesh.open() as mesh:
        rows = [asdict(entry) for entry in erasures(mesh)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        table("Erasures", rows)
