"""`hanse contract`: contracts from other formats and into them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hanse.cli.printed import Name
from hanse.interchange.exports import ExportFormat
from hanse.interchange.imports import ImportFormat

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]


@app.command("import")
def import_(
    form: Annotated[
        ImportFormat, typer.Argument(metavar="FORMAT", help="avro, jsonschema, protobuf, sql, …")
    ],
    source: Annotated[Path, typer.Argument(help="The file to read.")],
    product: Annotated[str, typer.Option(help="The product it is for, as <domain>.<product>.")],
    owner: Annotated[str, typer.Option(help="The team that answers for it.")] = "to be named",
    dialect: Annotated[str | None, typer.Option(help="Of SQL DDL: postgres, mysql, …")] = None,
    output: Output = None,
) -> None:
    """Make a contract from a schema: avro, jsonschema, protobuf, sql, parquet, openapi, thrift or dbt."""
    from hanse.interchange.imports import imported

    _write(imported(source, form, product, owner, dialect), output)


@app.command("export")
def export(
    form: Annotated[
        ExportFormat, typer.Argument(metavar="FORMAT", help="sql, avro, jsonschema, pydantic, …")
    ],
    name: Name,
    dialect: Annotated[str, typer.Option(help="Of SQL DDL: postgres, mysql, snowflake, …")] = "duckdb",
    output: Output = None,
) -> None:
    """Write a contract as sql, avro, jsonschema, protobuf, pydantic, great-expectations, dbt, mermaid or html.

    Rules that the format cannot say are named, never left out in silence.
    """
    from hanse.bootstrap import Mesh
    from hanse.interchange.exports import exported
    from hanse.runtime import find_product

    with Mesh.open() as mesh:
        text, left_out = exported(find_product(mesh, name), form, dialect)
    _write(text, output)
    if left_out:
        typer.secho(f"not in this format: {', '.join(left_out)}", fg="yellow", err=True)


def _write(text: str, output: Path | None) -> None:
    from hanse.errors import ConfigError

    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError("the file cannot be written", where=str(output), got=error.strerror) from error
