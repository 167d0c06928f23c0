"""`hanse export asyncapi`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def asyncapi(
    domains: Annotated[
        list[str] | None, typer.Argument(help="Domains; all of the mesh without them.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder for a file each domain, or - to print them.")
    ] = "-",
    form: Annotated[Literal["yaml", "json"], typer.Option("--format", help="yaml or json.")] = "yaml",
    version: Annotated[str, typer.Option(help="Version of the documents.")] = "1.0.0",
) -> None:
    """Write the channels of domains as AsyncAPI 3.0: what they send, and what their products receive.

    Several documents are printed one behind the other: YAML with `---` between, JSON as one array.
    """
    from hanse.bootstrap import Mesh
    from hanse.errors import ConfigError
    from hanse.export.asyncapi import asyncapi as document_of

    with Mesh.open() as mesh:
        known = [d.name for d in mesh.model.domains]
        unknown = [name for name in domains or [] if name not in known]
        if unknown:
            raise ConfigError(f"there is no domain {unknown[0]}", expected=", ".join(known), got=unknown[0])
        chosen = [d for d in mesh.model.domains if not domains or d.name in domains]
        made = {d.name: document_of(d, mesh.model, mesh.settings, version) for d in chosen}
    if output == "-":
        typer.echo(_printed(list(made.values()), form), nl=False)
        return
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in made.items():
        path = folder / f"{name}.asyncapi.{form}"
        path.write_text(_printed([document], form), encoding="utf-8", newline="\n")
        typer.echo(str(path))


def _printed(documents: list[dict[str, Any]], form: str) -> str:
    if form == "json":
        return (
            json.dumps(documents[0] if len(documents) == 1 else documents, indent=2, ensure_ascii=False)
            + "\n"
        )
    import yaml

    return yaml.dump_all(documents, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=110)
