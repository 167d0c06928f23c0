"""`hanse product`: make, list, run, rebuild and inspect products."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import Json, Name, printable, table, text
from hanse.cli.product_moments import app as moments
from hanse.cli.product_new import app as making
from hanse.cli.product_rebuild import app as rebuilding
from hanse.cli.product_register import app as registering
from hanse.cli.product_upkeep import app as upkeep
from hanse.model.mesh import Product
from hanse.runtime import find_product

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
app.add_typer(moments)
app.add_typer(rebuilding)
app.add_typer(upkeep)
app.add_typer(making)
app.add_typer(registering)


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
    table("Products", rows)


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
        typer.echo(f"{key:>10}  {printable(text(value))}")


@app.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help="Products; all when none is named.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Own one product and publish what comes, until stopped.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the streams to their heads, project, check and publish."""
    from hanse.runtime import in_order, run_product

    if follow:
        if len(names or []) != 1:
            raise typer.BadParameter("--follow wants one product")
        _follow((names or [""])[0], as_json=as_json)
        return
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
                table("Runs", rows)
    if failed:
        raise typer.Exit(1)


def _follow(name: str, *, as_json: bool) -> None:
    """Follow until SIGTERM or Ctrl-C; one line a publication, with the lag that is left."""
    from hanse.runtime import ProductRun
    from hanse.runtime.keep import told_to_dagster
    from hanse.runtime.live import follow
    from hanse.runtime.serve import stop_on_signal

    stop = stop_on_signal()
    with Mesh.open() as mesh, told_to_dagster(mesh) as told:

        def show(run: ProductRun) -> None:
            told(run)
            row = run.summary()
            line = (
                json.dumps(row, default=str)
                if as_json
                else "  ".join(f"{k}: {text(v)}" for k, v in row.items())
            )
            typer.echo(line)

        follow(mesh, find_product(mesh, name).full_name, stop, show)


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
    table(f"Snapshots of {product.full_name}", [{key: row.get(key) for key in shown} for row in rows])


@app.command()
def retry(name: Name) -> None:
    """Check a rejected publication again, on what the streams and the contract say now."""
    from hanse.runtime import run_product

    with Mesh.open() as mesh:
        result = run_product(mesh, find_product(mesh, name).full_name)
    table("Retried", [result.summary()])
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
