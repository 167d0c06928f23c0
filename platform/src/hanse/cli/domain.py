"""`hanse domain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hanse.cli.printed import cells
from hanse.cli.scaffold import show

app = typer.Typer(no_args_is_help=True, help="Make and list domains.")


@app.command("new")
def new(name: Annotated[str, typer.Argument(help="Lower-case letters, digits and _: returns.")]) -> None:
    """Make a domain: its team, its language, one topic with a schema, and its place in Dagster."""
    from hanse.scaffold import domain_new
    from hanse.settings import find_root

    root = find_root()
    show(domain_new(root, name), root)
    typer.echo(f"\nNext: hanse product new {name}/…, then hanse check")


@app.command("feed")
def feed_domain(
    name: Annotated[str, typer.Argument(help="The domain.")],
    file: Annotated[Path | None, typer.Argument(help="Commands, one JSON object a line.")] = None,
) -> None:
    """Send a file of commands to a domain (its examples/commands.jsonl), and relay what then happened.

    The same file sent again changes nothing: each line's command has an id of its own.
    """
    from hanse.bootstrap import Mesh
    from hanse.scaffold.feed import feed

    with Mesh.open() as mesh:
        fed = feed(mesh, name, file)
    for line, rule, message in fed.rejected:
        typer.echo(f"  line {line} rejected: {rule}: {message}")
    typer.echo(f"{fed.accepted} accepted, {len(fed.rejected)} rejected, {fed.records} records on the log")


@app.command("serve")
def serve_domains(
    domains: Annotated[list[str] | None, typer.Argument(help="The domains; all that have code.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8322,
) -> None:
    """Take commands over HTTP. Set HANSE_COMMAND_TOKEN to ask clients for a token."""
    from hanse.bootstrap import Mesh
    from hanse.edge.serving import serve

    with Mesh.open() as mesh:
        serve(
            mesh,
            domains or (),
            host,
            port,
            lambda at: typer.echo(f"commands at {at}, described at {at}/docs"),
        )


@app.command("list")
def list_domains(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the domains with their teams, topics and products."""
    from hanse.bootstrap import Mesh

    with Mesh.open() as mesh:
        rows = [
            {
                "domain": domain.name,
                "team": domain.team.name,
                "topics": [t.name for t in domain.topics],
                "products": [p.name for p in mesh.model.products if p.domain == domain.name],
                "purpose": domain.purpose,
            }
            for domain in mesh.model.domains
        ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("domain", "team", "topics", "products", "purpose")
    for row in rows:
        counts = (str(len(row[name])) for name in ("topics", "products"))
        table.add_row(*cells(row["domain"], row["team"], *counts, row["purpose"]))
    Console().print(table)
