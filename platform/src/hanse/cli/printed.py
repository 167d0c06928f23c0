"""Text of others on a terminal: it is shown, and neither commands the terminal nor counts as markup."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.text import Text

Name = Annotated[str, typer.Argument(help="The product, as domain/name or domain.name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def printable(text: str | bytes) -> str:
    """The text with control characters, and bytes that are not UTF-8, escaped."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cells(*texts: str) -> list[Text]:
    """The cells of a row of a table, each as its text stands."""
    from rich.text import Text

    return [Text(printable(text)) for text in texts]


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows of equal keys as a table."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo(f"{title}: none yet.")
        return
    made = Table(title=title, title_justify="left")
    for column in rows[0]:
        numeric = isinstance(rows[0][column], int | float)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*cells(*map(text, row.values())))
    Console().print(made)


def text(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return (
            (value if value.tzinfo else value.replace(tzinfo=UTC))
            .astimezone(UTC)
            .strftime("%Y-%m-%d %H:%M:%S")
        )
    if isinstance(value, list):
        return ", ".join(v["name"] if isinstance(v, dict) else str(v) for v in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
