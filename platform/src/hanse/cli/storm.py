"""`hanse storm`: the event-storming board, drawn from the running code."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What is written."""

    json = "json"
    svg = "svg"
    html = "html"


def storm(
    form: Annotated[
        Format, typer.Option("--format", help="json is the model; svg and html are the picture.")
    ] = Format.svg,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; the screen when absent.")
    ] = None,
) -> None:
    """Draw the event-storming board: commands, events, aggregates, policies, sagas and read models."""
    from hanse.descriptors import load_mesh
    from hanse.settings import load_settings
    from hanse.storm import board_of
    from hanse.storm.svg import html, svg

    board = board_of(load_mesh(load_settings().root))
    if form is Format.json:
        text = json.dumps(board.as_dict(), indent=2) + "\n"
    else:
        text = svg(board) if form is Format.svg else html(board)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        typer.echo(f"{output}: {len(board.notes)} notes, {len(board.arrows)} arrows")
