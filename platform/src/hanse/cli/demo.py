"""`hanse demo`: from rows to products whose totals are reconciled with the rows."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.bootstrap import Mesh
from hanse.cli.printed import cells
from hanse.errors import HanseError
from hanse.settings import load_settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from hanse.runtime.demo import Played


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the Olist CSV files; a simulator plays when absent.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulator.")] = 7,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days the simulator plays.")] = 14,
    log: Annotated[
        str | None, typer.Option(help="The event log, such as kafka://localhost:9092; else as in hanse.toml.")
    ] = None,
    serve: Annotated[bool, typer.Option(help="Open the catalog afterwards.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Load the book-box business, publish its products, open the catalog."""
    from hanse.runtime.demo import Input, play

    source = Input.olist(data) if data else Input.simulated(seed, days)
    settings = load_settings()
    with Mesh(replace(settings, log=log or settings.log)) as mesh:
        with _progress(quiet=as_json) as progress:
            played = play(mesh, source, progress)
        if as_json:
            typer.echo(json.dumps(played.as_dict(), indent=2, default=str))
        else:
            _print(played)
        if not played.reconciled:
            raise HanseError("the products do not equal the input", fix="report it with the table above")
        if serve:
            from hanse.runtime.serve import up

            typer.echo(f"\nThe catalog: http://{mesh.settings.host}:{mesh.settings.port} (Ctrl-C ends it)")
            up(mesh)


@contextmanager
def _progress(*, quiet: bool) -> Generator[_Steps]:
    if quiet:
        yield _Steps(None)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        yield _Steps(progress)


class _Steps:
    """Progress by name: the newest count of each step on a line of its own."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def __call__(self, step: str, count: int) -> None:
        if self._progress is None:
            return
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=None)
        self._progress.update(self._tasks[step], completed=count)


def _print(played: Played) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    rows = Table("file", "rows read", "accepted", "rejected", "set aside", title="Rows", title_justify="left")
    for name, counts in played.rows.items():
        rows.add_row(
            *cells(name, *(f"{counts[key]:,}" for key in ("read", "accepted", "rejected", "set_aside")))
        )
    reasons = Table(
        "rule or reason", "rows", "for example", title="Rejected and set aside", title_justify="left"
    )
    for reason in played.reasons:
        reasons.add_row(*cells(reason.text, f"{reason.count:,}", ", ".join(reason.examples)))
    totals = Table(
        "total", "plain SQL over the input", "product", "", title="Reconciled", title_justify="left"
    )
    for total in played.totals:
        same = Text("equal", "green") if total.equal else Text("DIFFERENT", "red")
        totals.add_row(*cells(total.name, str(total.expected), str(total.got)), same)
    stages = Table(
        "stage", "what", "seconds", "a second", title="The way of the events", title_justify="left"
    )
    for stage in played.stages:
        rate = f"{stage.count / stage.seconds:,.0f}" if stage.seconds else "–"
        stages.add_row(*cells(stage.name, f"{stage.count:,} {stage.unit}", f"{stage.seconds:.1f}", rate))
    console.print(rows, reasons, stages, totals)
