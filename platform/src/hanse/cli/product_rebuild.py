"""`hanse product rebuild`: build a product anew beside the live one, compare, swap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import Json, Name, table, text

if TYPE_CHECKING:
    from hanse.publish.comparison import Comparison
    from hanse.publish.rebuilt import Compared

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rebuild(
    name: Name,
    since: Annotated[
        str | None,
        typer.Option("--from", help="Build from the events since that time (UTC) instead of all of them."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build, compare and check; swap nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build the product anew beside the live one, compare the two, check the contract, and swap.

    Readers see the live one until the swap, which is one commit. Whatever stops the rebuild leaves it.
    """
    from hanse.runtime.moments import moment_of
    from hanse.runtime.rebuild import rebuild_product

    moment = moment_of(since) if since else None
    if isinstance(moment, int):
        raise typer.BadParameter("a time is wanted, such as 2026-01-31T12:00", param_hint="--from")
    seen: list[Compared] = []
    with Mesh.open() as mesh:
        run = rebuild_product(
            mesh, name, since=moment, dry_run=dry_run, compared=seen.append if as_json else _show_then(seen)
        )
    if as_json:
        typer.echo(json.dumps(run.summary() | seen[0].as_dict(), indent=2, default=str))
    elif dry_run:
        failed = [c for c in run.checks if not c.passed]
        for check in failed:
            typer.secho(f"{check.severity}: {check.sentence()}", fg="red", err=True)
        typer.echo(
            f"{run.records:,} records read; {len(run.checks) - len(failed)} checks pass. Nothing was swapped."
        )
    else:
        table("Rebuilt", [run.summary()])
    if not seen[0].passed:
        raise typer.Exit(1)


def _show_then(seen: list[Compared]) -> Any:
    def tell(told: Compared) -> None:
        seen.append(told)
        show(told)

    return tell


def show(told: Compared) -> None:
    """Print the two sides, and where they differ."""
    sides = [("readers see", told.before), ("built", told.after)]
    table("Compared", [{"": label, "rows": side[0], "checksum": side[1]} for label, side in sides if side])
    for label, names in (("new columns", told.new_columns), ("columns no more", told.gone_columns)):
        if names:
            typer.echo(f"{label}: {', '.join(names)}")
    if told.difference is not None:
        show_difference(told.difference)


def show_difference(found: Comparison) -> None:
    """Print counts, and the rows that differ; a changed column as `before → after`."""
    if found.same:
        typer.echo("Both hold the same rows.")
        return
    typer.echo(f"{found.added:,} rows added, {found.removed:,} removed, {found.changed:,} changed")
    rows: list[dict[str, Any]] = []
    for row in found.rows:
        before, after = row.before or {}, row.after or {}
        shown = {name: _pair(before.get(name), after.get(name), row.kind) for name in found.columns}
        rows.append({"": row.kind, **shown})
    table(
        f"The first {len(rows)}" if len(rows) < found.added + found.removed + found.changed else "Rows", rows
    )


def _pair(before: Any, after: Any, kind: str) -> str:
    if kind != "changed":
        return text(after if kind == "added" else before)
    return text(after) if before == after else f"{text(before)} → {text(after)}"
