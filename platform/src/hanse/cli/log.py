"""`hanse log`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from hanse.cli.dead_letter import app as dead_letter_app
from hanse.cli.printed import cells, printable

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.log.show import Shown, Viewer

app = typer.Typer(no_args_is_help=True, help="Look into the event log.")
app.add_typer(dead_letter_app, name="dead-letter")


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


@app.command("tail")
def tail(
    topic: Annotated[str, typer.Argument(help="The topic's full name: orders.order_placed.")],
    count: Annotated[int, typer.Option("-n", "--lines", min=0, help="So many of the newest records.")] = 10,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All records, oldest first in each partition.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show a topic's records: keys, headers, and values decoded by their schema."""
    from hanse.bootstrap import Mesh
    from hanse.log.show import Viewer, last_records

    with Mesh.open() as mesh:
        viewer = Viewer(lambda: mesh.registry)
        if from_beginning:
            offsets = {p: r.low for p, r in mesh.log.ranges(topic).items()}
            offsets = _stream(mesh, viewer, topic, offsets, as_json)
        else:
            rows, offsets = last_records(mesh.log, topic, count)
            for row in rows:
                _print(viewer.show(row), as_json)
        if follow:
            _follow(mesh, viewer, topic, offsets, as_json)


def _stream(mesh: Mesh, viewer: Viewer, topic: str, offsets: dict[int, int], as_json: bool) -> dict[int, int]:
    ends = {p: r.high for p, r in mesh.log.ranges(topic).items()}
    while any(offsets[p] < end for p, end in ends.items()):
        fetched = mesh.log.read(topic, offsets, max_records=10_000, timeout_ms=5_000)
        if fetched.next_offsets == offsets:
            break
        for row in fetched.rows.to_pylist():
            _print(viewer.show(row), as_json)
        offsets = fetched.next_offsets
    return offsets


def _follow(mesh: Mesh, viewer: Viewer, topic: str, offsets: dict[int, int], as_json: bool) -> None:
    """Until interrupted."""
    try:
        while True:
            fetched = mesh.log.read(topic, offsets, max_records=10_000, timeout_ms=1_000)
            for row in fetched.rows.to_pylist():
                _print(viewer.show(row), as_json)
            offsets = fetched.next_offsets
    except KeyboardInterrupt:
        return


def _print(record: Shown, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record.as_dict(), ensure_ascii=False))
        return
    place = typer.style(f"{record.partition}:{record.offset}", fg="cyan")
    when = record.timestamp.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
    value = record.value if isinstance(record.value, str) else json.dumps(record.value, ensure_ascii=False)
    note = typer.style(f"  [{record.note}]", fg="yellow") if record.note else ""
    shown = "" if record.value is None and record.note else value
    key = "(no key)" if record.key is None else record.key
    typer.echo(f"{place}  {when}  {printable(key)}  {printable(shown)}{note}")
    if record.headers:
        headers = "  ".join(f"{printable(name)}={printable(text)}" for name, text in record.headers.items())
        typer.echo("    " + typer.style(headers, dim=True))


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
