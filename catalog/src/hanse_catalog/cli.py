"""`hanse sql`: a query over published products on the command line, run by the same confined worker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.errors import ConfigError

if TYPE_CHECKING:
    from .requests import Requests
    from .sql.service import Answer, Query
    from .tokens import Tokens
    from .view import MeshView

FORMATS = ("table", "json", "csv", "arrow", "parquet")
TABLE_ROWS = 50


def sql(
    text: Annotated[
        str, typer.Argument(help="One SELECT over published products; - reads it from the input.")
    ],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="A moment (2026-11-24T12:00) or a snapshot's number.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help="table, json, csv, arrow or parquet.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result to this file.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most this many rows.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="name=value for a :name of the text.")
    ] = None,
    model: Annotated[
        bool, typer.Option("--model", help="Query the mesh's model: products, fields, edges and the like.")
    ] = False,
) -> None:
    """Query published products, or with --model what the mesh's files declare."""
    from hanse.bootstrap import Mesh

    from .meshview import HanseView
    from .sql.service import Query

    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}", expected=", ".join(FORMATS))
    text = sys.stdin.read() if text == "-" else text
    if model:
        if as_of or param:
            raise ConfigError("--model takes neither --as-of nor --param", fix="leave them out")
        _query_model(text, form, output, limit)
        return
    query = Query(
        text,
        _parameters(param or []),
        as_of,
        "json" if form == "table" else form,
        TABLE_ROWS if form == "table" and limit is None else limit,
    )
    with Mesh.open() as mesh:
        try:
            asyncio.run(_run(HanseView(mesh), query, form, output))
        except BrokenPipeError:
            # the reader of our output went away, as `head` does
            sys.stderr.close()
            raise SystemExit(0) from None


def _parameters(given: list[str]) -> dict[str, Any]:
    pairs = [entry.partition("=") for entry in given]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise ConfigError("a parameter is not name=value", got=name[:80], expected="--param state=SP")
    return {name: value for name, _, value in pairs}


async def _run(view: MeshView, query: Query, form: str, output: Path | None) -> None:
    from dataclasses import replace

    from .access import Reader
    from .sql.pool import PoolSettings
    from .sql.service import Limits, QueryService

    owner = Reader("the mesh's owner", frozenset({"*"}))
    service = QueryService(view, replace(PoolSettings.from_environment(), size=1), Limits(120, 3_600, 30))
    await service.start()
    try:
        answer = await service.open(query, owner.may_query)
        try:
            await _deliver(answer, form, output)
        finally:
            await answer.aclose()
    finally:
        await service.close()


async def _deliver(answer: Answer, form: str, output: Path | None) -> None:
    if form == "table":
        _print_table(await answer.read(), output)
        return
    if output is None:
        if form in ("arrow", "parquet") and sys.stdout.isatty():
            raise ConfigError(f"{form} is not for a terminal", fix="add --output FILE")
        async for chunk in answer:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    else:
        partial = output.with_name(output.name + ".part")
        try:
            with partial.open("wb") as file:
                async for chunk in answer:
                    file.write(chunk)
            partial.replace(output)
        except OSError as error:
            raise ConfigError("the file cannot be written", where=str(output), got=error.strerror) from error
        finally:
            partial.unlink(missing_ok=True)
    if answer.truncated:
        typer.secho(f"truncated after {answer.rows:,} rows; raise --limit", fg="yellow", err=True)


def _query_model(text: str, form: str, output: Path | None, limit: int | None) -> None:
    from hanse.settings import find_root
    from hanse_governance.model_tables import ModelTables
    from hanse_governance.runner import model_of

    from .sql.formats import WRITERS

    rows = ModelTables(model_of(find_root())).query(text)
    most = TABLE_ROWS if form == "table" and limit is None else limit
    kept = rows if most is None else rows.slice(0, most)
    columns = [{"name": field.name, "type": str(field.type)} for field in rows.schema]
    writer = WRITERS["json" if form == "table" else form](rows.schema, columns, {"snapshots": {}})
    pieces = [*writer.start()]
    for batch in kept.to_batches():
        pieces += writer.batch(batch)
    pieces += writer.finish(kept.num_rows, kept.num_rows < rows.num_rows)
    body = b"".join(pieces)
    if form == "table":
        _print_table(body, output)
    elif output is not None:
        output.write_bytes(body)
    else:
        sys.stdout.buffer.write(body)


def _print_table(body: bytes, output: Path | None) -> None:
    import json
    from contextlib import nullcontext
    from decimal import Decimal

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    result = json.loads(body, parse_float=Decimal)
    table = Table(header_style="bold", row_styles=["", "dim"] if len(result["rows"]) > 12 else None)
    for column in result["columns"]:
        numeric = column["type"].split("(")[0] in _NUMERIC
        table.add_column(Text(column["name"]), justify="right" if numeric else "left", overflow="fold")
    for row in result["rows"]:
        table.add_row(*(_cell(row[column["name"]]) for column in result["columns"]))
    with output.open("w", encoding="utf-8") if output else nullcontext() as file:
        console = Console(file=file, width=200 if output else None)
        console.print(table)
        count = result["row_count"]
        seen = ", ".join(f"{n} of {s['at'][:19]}" for n, s in result["snapshots"].items())
        console.print(
            Text(f"{count:,} {'row' if count == 1 else 'rows'}{' · ' + seen if seen else ''}", "dim")
        )
        if result["truncated"]:
            console.print(
                Text(f"These are the first {count:,}; raise --limit, or use --format csv.", "yellow")
            )


_NUMERIC = frozenset(
    "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE DECIMAL".split()  # noqa: SIM905
)


def _cell(value: Any) -> Any:
    import json

    from rich.text import Text

    if value is None:
        return Text("null", "dim italic")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return Text(json.dumps(value, ensure_ascii=False, default=str))
    return Text(str(value))


def mcp(
    token: Annotated[
        str | None,
        typer.Option(envvar="HANSE_TOKEN", help="An access token; without one, public products only."),
    ] = None,
) -> None:
    """Serve the catalog to an assistant over standard input and output (Model Context Protocol)."""
    from hanse.bootstrap import Mesh

    from .access import ANONYMOUS
    from .audit import Audit
    from .catalog import Catalog
    from .mcp_server import mcp_server
    from .meshview import HanseView
    from .sql.pool import PoolSettings

    with Mesh.open() as mesh:
        reader = _tokens().reader(token) if token else ANONYMOUS
        if reader is None:
            raise ConfigError("the access token is unknown, expired or revoked", fix="see `hanse token list`")
        audit = Audit(mesh.settings.data / "audit.db")
        catalog = Catalog(HanseView(mesh), PoolSettings.from_environment(), audit=audit)
        asyncio.run(mcp_server(catalog, reader).run_stdio_async())


def audit(
    product: Annotated[str | None, typer.Option(help="Only readings of this product.")] = None,
    reader: Annotated[str | None, typer.Option(help="Only readings of this person.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Show who read which products, newest first."""
    from hanse.settings import load_settings

    from .audit import Audit

    readings = Audit(load_settings().data / "audit.db").last(count, product, reader)
    if as_json:
        import json

        typer.echo(json.dumps([r.as_dict() for r in readings], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    from hanse.cli.printed import cells

    table = Table("when (UTC)", "who", "products", "rows", "ms", "outcome", header_style="bold")
    for r in readings:
        rows = "" if r.rows is None else str(r.rows)
        when = r.at.strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(*cells(when, r.reader, ", ".join(r.products), rows, f"{r.ms:.0f}", r.outcome))
    Console().print(table)


access = typer.Typer(add_completion=False, no_args_is_help=True, help="Requests for access to products.")


def _access_requests() -> Requests:
    from .requests import Requests

    return Requests(_tokens().path)


@access.command("list")
def access_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Show all requests, newest first."""
    found = _access_requests().all()
    if as_json:
        import json

        typer.echo(json.dumps([r.as_dict() for r in found], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    from hanse.cli.printed import cells

    table = Table("id", "who", "product", "days", "state", "decided by", "reason", header_style="bold")
    for r in found:
        table.add_row(
            *cells(str(r.id), r.reader, r.product, str(r.days), r.state, r.decided_by or "", r.reason)
        )
    Console().print(table)


@access.command("approve")
def access_approve(
    number: Annotated[int, typer.Argument(help="The request's id.")],
    note: Annotated[str, typer.Option(help="A word to whoever asked.")] = "",
) -> None:
    """Give the access that was asked for, until its days are over."""
    _decide(number, note, approve=True)


@access.command("deny")
def access_deny(
    number: Annotated[int, typer.Argument(help="The request's id.")],
    note: Annotated[str, typer.Option(help="A word to whoever asked.")] = "",
) -> None:
    """Do not give it."""
    _decide(number, note, approve=False)


def _decide(number: int, note: str, *, approve: bool) -> None:
    from .access import Reader

    owner = Reader("the mesh's owner", frozenset({"admin:*"}), known=True)
    decided = _access_requests().decide(number, owner, approve=approve, note=note)
    until = f" until {decided.until:%Y-%m-%d}" if decided.until else ""
    typer.echo(f"{decided.state}: {decided.reader} and {decided.product}{until}")


token = typer.Typer(add_completion=False, no_args_is_help=True, help="Access tokens of the catalog.")


def _tokens() -> Tokens:
    from hanse.settings import load_settings

    from .tokens import Tokens

    return Tokens(load_settings().data / "catalog.db")


@token.command("new")
def token_new(
    name: Annotated[str, typer.Argument(help="Who uses it.")],
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            help="<domain>.<product>, <domain>.* or *, to query; register:…, approve:… and admin:… give more.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(help="Days until it expires.")] = 90,
) -> None:
    """Issue a token; its text is shown once."""
    text, kept = _tokens().issue(name, grant or [], days)
    typer.echo(text)
    typer.secho(
        f"token {kept.id} for {kept.name}, until {kept.expires_at:%Y-%m-%d}; it is not shown again", err=True
    )


@token.command("list")
def token_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Show the tokens, never their text."""
    if as_json:
        import json
        from dataclasses import asdict

        kept_all = [{**asdict(kept), "state": kept.state} for kept in _tokens().list()]
        typer.echo(json.dumps(kept_all, default=str, indent=2))
        return
    for kept in _tokens().list():
        typer.echo(
            f"{kept.id}  {kept.state:8}  {kept.expires_at:%Y-%m-%d}  {kept.name}  {' '.join(kept.grants)}"
        )


@token.command("revoke")
def token_revoke(token_id: Annotated[str, typer.Argument(help="The token's id, from the list.")]) -> None:
    """End a token at once."""
    _tokens().revoke(token_id)
    typer.echo(f"token {token_id} is revoked")
