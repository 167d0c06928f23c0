"""Text of others on a terminal: it is shown, and neither commands the terminal nor counts as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


def printable(text: str | bytes) -> str:
    """The text with control characters, and bytes that are not UTF-8, escaped."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cells(*texts: str) -> list[Text]:
    """The cells of a row of a table, each as its text stands."""
    from rich.text import Text

    return [Text(printable(text)) for text in texts]
