"""`hanse product register`: bring a product from its team's repository into a mesh, through the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hanse.cli.printed import Json, printable
from hanse.client import CatalogError, Client
from hanse.errors import ConfigError

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_FILES = ("product.yaml", "contract.yaml", "projection.sql")


@app.command()
def register(
    directory: Annotated[Path, typer.Argument(help="The product's folder, <domain>/products/<name>.")],
    to: Annotated[str, typer.Option(help="The catalog of the mesh.")] = "http://127.0.0.1:8321",
    token: Annotated[
        str | None, typer.Option(envvar="HANSE_TOKEN", help="A token with register:<domain>.<product>.")
    ] = None,
    with_domain: Annotated[
        bool, typer.Option("--with-domain", help="Send domain.yaml and the event schemas too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Register a product in a mesh: the gate runs there, and it goes in or waits for an approval.

    Exit code 1 when the gate says no; its findings are printed. Sending the same content again does nothing.
    """
    domain, name, files = product_files(directory, with_domain=with_domain)
    try:
        made = Client(to, token=token).register(domain, name, files)
    except CatalogError as error:
        for finding in error.findings:
            place = f"{finding['path']}:{finding['line']}:{finding['column']}"
            typer.echo(printable(f"{place}: {finding['severity']} {finding['code']} {finding['what']}"))
            typer.echo(printable(f"    fix: {finding['fix']}"))
        raise
    if as_json:
        typer.echo(json.dumps(made, indent=2))
        return
    waits = (
        f"; it waits for an approval because it is {', '.join(made['waits_for'])}"
        if made["waits_for"]
        else ""
    )
    state = made["state"]
    typer.echo(
        printable(f"{state}: {made['product']} {made['version']}{waits if state == 'proposed' else ''}")
    )


def product_files(directory: Path, *, with_domain: bool = False) -> tuple[str, str, dict[str, str]]:
    """Domain, name and files of a product's folder, by their place in the domain's folder.

    Raises ConfigError when the folder is no product's.
    """
    folder = directory.resolve()
    home = folder.parent.parent
    if folder.parent.name != "products" or not (folder / _FILES[0]).is_file():
        raise ConfigError(
            "this is not a product's folder",
            where=str(directory),
            expected=f"<domain>/products/<name> with {', '.join(_FILES)}",
        )
    paths = [folder / file for file in _FILES]
    if with_domain:
        paths += [home / "domain.yaml", *sorted(p for p in (home / "events").glob("*") if p.is_file())]
    files: dict[str, str] = {}
    for path in paths:
        try:
            files[path.relative_to(home).as_posix()] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                "a file of the product cannot be read", where=str(path), got=str(error)
            ) from error
    return home.name, folder.name, files
