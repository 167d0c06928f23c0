"""`hanse product`: make, list, run, rebuild and inspect products."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import cells, printable
from hanse.model.mesh import Product
from hanse.runtime import find_product

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The product, as domain/name or domain.name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_products(as_json: Json = False) -> None:
    """List the products with their latest snapshot."""
    from hanse.publish.reader import Reader

    with Mesh.open() as mesh:
        reader = Reader(mesh.settings)
        rows = [_summary(product, reader.history(product.full_name)) for product in mesh.model.products]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    _table("Products", rows)


def _summary(product: Product, history: list[Any]) -> dict[str, Any]:
    published = [entry for entry in history if entry.state == "published"]
    newest = max(published, key=lambda entry: entry.seq, default=None)
    return {
        "product": product.full_name,
        "version": product.version,
        "status": product.lifecycle,
        "owner": product.owner.name,
        "rows": newest.rows if newest else None,
        "published": newest.committed_at if newest else None,
    }


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show a product: purpose, inputs, contract, latest snapshot."""
    from hanse.publish.reader import Reader

    with Mesh.open() as mesh:
        product = find_product(mesh, name)
        history = Reader(mesh.settings).history(product.full_name)
    contract = product.contract
    facts = _summary(product, history) | {
        "purpose": product.purpose,
        "inputs": list(product.inputs),
        "contract": f"{contract.id} {contract.version}",
        "columns": [
            {"name": c.name, "type": c.physical_type, "key": c.primary_key} for c in contract.columns
        ],
        "checks": [rule.name for rule in contract.quality],
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2, default=str))
        return
    for key, value in facts.items():
        typer.echo(f"{key:>10}  {printable(_text(value))}")


@app.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help="Products; all when none is named.")] = None,
    as_json: Json = False,
) -> None:
    """Read the streams to their heads, project, check and publish."""
    from hanse.runtime import in_order, run_product

    with Mesh.open() as mesh:
        wanted = [find_product(mesh, name) for name in names or []] or in_order(mesh.model)
        failed = False
        rows: list[dict[str, Any]] = []
        try:
            for product in wanted:
                result = run_product(mesh, product.full_name)
                failed = failed or result.rejected is not None
                rows.append(result.summary())
                if result.rejected:
                    typer.secho(f"rejected: {result.rejected}", fg="red", err=True)
        finally:  # what was published before an error is told all the same
            if as_json:
                typer.echo(json.dumps(rows, indent=2, default=str))
            elif rows or sys.exception() is None:
                _table("Runs", rows)
    if failed:
        raise typer.Exit(1)


@app.command()
def rebuild(name: Name) -> None:
    """Drop the projection's state and build the product again from the first record."""
    from hanse.runtime import rebuild_product

    with Mesh.open() as mesh:
        _table("Rebuilt", [rebuild_product(mesh, find_product(mesh, name).full_name).summary()])


@app.command()
def history(name: Name, as_json: Json = False) -> None:
    """List the product's snapshots, newest first, rejected ones too."""
    from hanse.publish.reader import Reader

    with Mesh.open() as mesh:
        product = find_product(mesh, name)
        entries = Reader(mesh.settings).history(product.full_name)
    rows = [asdict(entry) for entry in sorted(entries, key=lambda e: e.seq, reverse=True)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    shown = ("seq", "state", "committed_at", "rows", "added", "deleted", "contract_version", "snapshot_id")
    _table(f"Snapshots of {product.full_name}", [{key: row.get(key) for key in shown} for row in rows])


@app.command()
def retry(name: Name) -> None:
    """Check a rejected publication again, on what the streams and the contract say now."""
    from hanse.runtime import run_product

    with Mesh.open() as mesh:
        result = run_product(mesh, find_product(mesh, name).full_name)
    _table("Retried", [result.summary()])
    if result.rejected:
        raise result.rejected


@app.command()
def release(
    name: Name,
    seq: Annotated[int, typer.Argument(help="The rejected publication, as `product history` numbers it.")],
    reason: Annotated[str, typer.Option(help="Why readers may see it; kept with the snapshot.")],
) -> None:
    """Publish a rejected snapshot all the same: the operator's word against the contract's."""
    from hanse.runtime import release_rejected

    with Mesh.open() as mesh:
        product = find_product(mesh, name)
        release_rejected(mesh, product.full_name, seq, reason)
    typer.echo(f"{product.full_name}: publication {seq} is released to readers")


@app.command()
def explain(name: Name) -> None:
    """Print the projection's plan: per operator its mode, its state and the SQL that runs."""
    from hanse.runtime import explain_product

    with Mesh.open() as mesh:
        typer.echo(explain_product(mesh, find_product(mesh, name).full_name))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="domain/name of the product to make.")],
    from_topic: Annotated[
        str | None, typer.Option(help="Topic or product to read; else the domain's first topic.")
    ] = None,
) -> None:
    """Write the files of a new product: product.yaml, contract.yaml, projection.sql."""
    from hanse.cli.scaffold import show
    from hanse.scaffold import product_new
    from hanse.settings import find_root

    root = find_root()
    show(product_new(root, name, from_topic), root)
    typer.echo(f"\nNext: edit them, hanse check, then hanse product run {name}")


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo(f"{title}: none yet.")
        return
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        numeric = isinstance(rows[0][column], int | float)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*cells(*map(_text, row.values())))
    Console().print(table)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return ", ".join(v["name"] if isinstance(v, dict) else str(v) for v in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
