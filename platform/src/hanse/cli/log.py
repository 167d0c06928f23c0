"""`hanse log`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hanse.cli.dead_letter import app as dead_letter_app
from hanse.cli.log_tail import tail
from hanse.cli.printed import cells

app = typer.Typer(no_args_is_help=True, help="Look into the event log.")
app.add_typer(dead_letter_app, name="dead-letter")
app.command("tail")(tail)


@app.command("topics")
def topics(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the topics with their partitions, records, and what they keep."""
    from hanse.bootstrap import Mesh

    with Mesh.open() as mesh:
        found = [(info, mesh.log.ranges(info.spec.name)) for info in mesh.log.topics()]
    if as_json:
        document = [
            {
                "name": info.spec.name,
                "id": info.topic_id,
                "cleanup": info.spec.cleanup,
                "retention_ms": info.spec.retention_ms,
                "retention_bytes": info.spec.retention_bytes,
                "partitions": [{"partition": p, "low": r.low, "high": r.high} for p, r in ranges.items()],
            }
            for info, ranges in found
        ]
        typer.echo(json.dumps(document, indent=2))
        return
    if not found:
        typer.echo("The log has no topics yet: `hanse demo` fills it, or start a relay.")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("topic", "partitions", "records", "cleanup", "keeps")
    for info, ranges in found:
        records = sum(r.high - r.low for r in ranges.values())
        keeps = _keeps(info.spec.retention_ms, info.spec.retention_bytes)
        table.add_row(*cells(info.spec.name, str(len(ranges)), f"{records:,}", info.spec.cleanup, keeps))
    Console().print(table)


def _keeps(retention_ms: int | None, retention_bytes: int | None) -> str:
    parts = [] if retention_ms is None else [f"{retention_ms / 86_400_000:g} days"]
    parts += [] if retention_bytes is None else [f"{retention_bytes:,} bytes a partition"]
    return ", ".join(parts) or "everything"


@app.command("archive")
def archive(
    topic: Annotated[str | None, typer.Argument(help="One topic; all without it.")] = None,
) -> None:
    """Copy what is not yet archived to Parquet. Compacted topics are their own history."""
    from hanse.bootstrap import Mesh
    from hanse.log.retention import archive_topic

    with Mesh.open() as mesh:
        names = [topic] if topic else [info.spec.name for info in mesh.log.topics()]
        for name in names:
            typer.echo(f"{name}: {archive_topic(mesh.log, name):,} records archived")


@app.command("retain")
def retain(
    topic: Annotated[str | None, typer.Argument(help="One topic; all without it.")] = None,
) -> None:
    """Apply retention and compaction; nothing is dropped before it is in the archive."""
    from hanse.bootstrap import Mesh
    from hanse.log import retention

    with Mesh.open() as mesh:
        done = [retention.retain_topic(mesh.log, topic)] if topic else retention.retain(mesh.log)
        for kept in done:
            typer.echo(
                f"{kept.topic}: {kept.archived:,} archived, {kept.dropped:,} dropped, "
                f"{kept.compacted:,} compacted away"
            )
