"""Names and texts as they stand in DuckDB's SQL, whatever characters they have."""

from __future__ import annotations


def quote(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"
