"""`hanse product at` and `hanse product diff`: a product as it was, and what changed."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import Json, Name, table
from hanse.cli.product_rebuild import show_difference

app = typer.Typer(add_completion=False, rich_markup_mode=None)
Limit = Annotated[int, typer.Option(min=0, max=1_000_000, help="Rows to print at most, of each kind.")]


@app.command()
def at(
    name: Name,
    time: Annotated[str | None, typer.Option(help="What readers saw at that time (ISO 8601; UTC).")] = None,
    snapshot: Annotated[int | None, typer.Option(help="A publication's number or snapshot id.")] = None,
    offset: Annotated[
        str | None,
        typer.Option(help="The first publication with that record: [TOPIC:]PARTITION:OFFSET."),
    ] = None,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="Show the restricted table, with clear values, as it is now.")
    ] = False,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show a product's rows as they were at a time, at a snapshot, or with a record of a stream."""
    from hanse.runtime.moments import moment_of, product_at, product_in_the_clear, publication_with

    if sum((time is not None, snapshot is not None, offset is not None, restricted)) > 1:
        raise typer.BadParameter("give one of --time, --snapshot, --offset and --restricted")
    with Mesh.open() as mesh:
        if restricted:
            found = product_in_the_clear(mesh, name, limit).to_pylist()
            typer.echo(json.dumps(found, indent=2, default=str)) if as_json else table("In the clear", found)
            return
        as_of = snapshot if time is None else moment_of(time)
        past = product_at(mesh, name, publication_with(mesh, name, offset) if offset else as_of, limit)
    entry, rows = past.snapshot, past.rows.to_pylist()
    if as_json:
        facts = {"seq": entry.seq, "snapshot_id": entry.snapshot_id, "committed_at": entry.committed_at}
        typer.echo(json.dumps(facts | {"offsets": entry.offsets, "rows": rows}, indent=2, default=str))
        return
    stamp = entry.committed_at.strftime("%Y-%m-%d %H:%M:%S")
    table(f"Publication {entry.seq}, of {stamp} UTC: {len(rows):,} of {entry.rows:,} rows", rows)


@app.command()
def diff(
    name: Name,
    before: Annotated[str, typer.Argument(help="A publication's number, a snapshot id, or a time.")],
    after: Annotated[str, typer.Argument(help="The same, of the later moment.")],
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show which rows were added, removed and changed between two moments, a changed row on both sides."""
    from hanse.runtime.moments import moment_of, product_diff

    with Mesh.open() as mesh:
        found = product_diff(mesh, name, moment_of(before), moment_of(after), limit)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2, default=str))
    else:
        show_difference(found)
