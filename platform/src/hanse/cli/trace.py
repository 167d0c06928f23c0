"""`hanse trace`: the tree of a business transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from hanse.cli import printed

if TYPE_CHECKING:
    from hanse.runtime.trace import Node


def trace(
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="The id of a correlation, an event or a command.")
    ],
    log: Annotated[bool, typer.Option(help="Look into the log too, for what was published.")] = True,
    as_json: printed.Json = False,
) -> None:
    """Print what belongs to one business transaction, each thing below what caused it."""
    from hanse.bootstrap import Mesh
    from hanse.runtime.trace import trace as traced

    with Mesh.open() as mesh:
        trees = traced(mesh, wanted, log=log)
    if as_json:
        typer.echo(json.dumps([tree.as_dict() for tree in trees], indent=2, ensure_ascii=False))
        return
    for tree in trees:
        _print(tree, "", "")


def _print(node: Node, first: str, rest: str) -> None:
    time = f"  {node.time[:19]}" if node.time else ""
    details = f"  {node.details}" if node.details else ""
    typer.echo(
        first + printed.printable(f"{node.kind} {node.domain}: {node.name}{time}{details}  [{node.id}]")
    )
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        _print(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
