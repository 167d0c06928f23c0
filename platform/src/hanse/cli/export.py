"""`hanse export`: the mesh in the formats of others. Each format is a command, named here by its function."""

from __future__ import annotations

from importlib import import_module

import typer

FORMATS = {
    "asyncapi": "hanse.cli.export_asyncapi:asyncapi",
}
"""Format → module:function of its command, which imports what it needs when it is called."""

app = typer.Typer(no_args_is_help=True, help="Write the mesh in the formats of others.")


@app.callback()
def _group() -> None:
    """Write the mesh in the formats of others."""


for _name, _place in FORMATS.items():
    _module, _function = _place.split(":")
    app.command(_name)(getattr(import_module(_module), _function))
