"""`hanse product new`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanse.cli.printed import printable

if TYPE_CHECKING:
    from hanse.external import Found

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="domain/name of the product to make.")],
    from_topic: Annotated[
        str | None,
        typer.Option(
            help="Topic or product to read, or a topic of the log that others write; "
            "else the domain's first topic."
        ),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(help="Schema registry of a topic that others write: http(s)://host:port, or env:NAME."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Key columns of such a topic, with commas between, where its records tell none."),
    ] = None,
) -> None:
    """Write the files of a new product: product.yaml, contract.yaml, projection.sql.

    Of a topic that others write, the newest records are looked at: domain.yaml gets its declaration, and the
    folder `external` the schema of its rows.
    """
    from hanse.cli.scaffold import show
    from hanse.descriptors import try_load
    from hanse.scaffold import product_new
    from hanse.scaffold.external import declared
    from hanse.settings import find_root

    root = find_root()
    model, _ = try_load(root)
    source, prefer, written = from_topic, list[str](), list[Path]()
    if from_topic is not None:
        source = declared(model, name, from_topic)
        if source is None:
            source, written, prefer = _external(root, name, from_topic, registry, key)
    show([*written, *product_new(root, name, source, prefer=prefer)], root)
    typer.echo(f"\nNext: edit them, hanse check, then hanse product run {name}")


def _external(
    root: Path, name: str, topic: str, registry: str | None, key: str | None
) -> tuple[str, list[Path], list[str]]:
    """Declare a topic of the log; gives its full name, the files written, columns to group by."""
    from hanse.bootstrap import Mesh
    from hanse.errors import ConfigError, UnknownTopic
    from hanse.external import look
    from hanse.scaffold.external import declare

    columns = tuple(part.strip() for part in (key or "").split(",") if part.strip())
    with Mesh.open(root) as mesh:
        schemas = mesh.registry_at(registry) if registry else mesh.registry
        try:
            found = look(mesh.log, schemas, topic, columns)
        except UnknownTopic as error:
            there = [info.spec.name for info in mesh.log.topics()]
            raise ConfigError(
                f"there is no topic or product {topic}, neither in the mesh nor on its log",
                where=mesh.settings.log.partition("?")[0],
                expected=", ".join(there[:20]) or "a topic that the log has",
                got=topic[:100],
            ) from error
    source, written = declare(root, name, found, registry)
    _tell(found, source)
    return source, written, found.grouping()


def _tell(found: Found, source: str) -> None:
    envelopes = {"none": "", "connect": ", wrapped by Kafka Connect", "debezium": ", Debezium change events"}
    keys = ", ".join(found.key) or "none"
    where = " (in the record's key only)" if found.key_from == "record" else ""
    kind = (
        "state: the latest row of each key, deletes applied" if found.kind == "state" else "events, appended"
    )
    facts = {
        "table": source,
        "values": f"{found.form}{envelopes[found.envelope]}",
        "key": f"{keys}{where}",
        "kind": kind,
        "event time": found.event_time or "none found",
    }
    typer.echo(f"Topic {found.topic}: the newest {found.sampled:,} of {found.records:,} records looked at")
    for fact, text in facts.items():
        typer.echo(f"  {fact:<11} {printable(text)}")
    for note in found.notes:
        typer.echo(f"  {'note':<11} {printable(note)}")
    typer.echo("")
