"""PIVOT without IN: DuckDB makes a type on the way, so here the values are read first and written in."""

from __future__ import annotations

from dataclasses import dataclass

from hanse.errors import QueryRefused
from hanse.quoting import literal

from .text import Token, tokens

MAX_VALUES = 200
_AFTER_ON = frozenset({"using", "group", "order", "limit", "offset"})


@dataclass(frozen=True, slots=True)
class Pivot:
    """A text cut around the expressions after ON that have no IN."""

    lead: str
    source: str
    items: tuple[tuple[str, bool], ...]
    rest: str

    def values_queries(self) -> list[str]:
        """For each expression without IN, the query that finds its values."""
        return [
            f"{self.lead} SELECT DISTINCT ({item})::VARCHAR FROM {self.source} "  # noqa: S608 - judged before it runs
            f"WHERE ({item}) IS NOT NULL ORDER BY 1 LIMIT {MAX_VALUES + 1}"
            for item, complete in self.items
            if not complete
        ]

    def with_values(self, values: list[list[str]]) -> str:
        """The whole text, with these values written in. Raises QueryRefused when there are too many."""
        parts: list[str] = []
        left = iter(values)
        for item, complete in self.items:
            if complete:
                parts.append(item)
                continue
            found = next(left)
            if not 0 < len(found) <= MAX_VALUES:
                raise QueryRefused(
                    f"PIVOT ON {item} has {'no' if not found else 'too many'} values",
                    expected=f"1 to {MAX_VALUES} columns",
                    fix="name the values: ON … IN (…)",
                )
            literals = ", ".join(literal(value) for value in found)
            parts.append(f"{item} IN ({literals})")
        return f"{self.lead} PIVOT {self.source} ON {', '.join(parts)} {self.rest}"


def find_pivot(sql: str) -> Pivot | None:
    """The outermost PIVOT of a text whose values are not named, or None."""
    top = [token for token in tokens(sql) if token.depth == 0 and token.kind not in ("space", "comment")]
    start = _keyword(top, 0, {"pivot", "pivot_wider"})
    if start is None or any(t.text.lower() == "select" for t in top[:start]):
        return None
    on = _keyword(top, start, {"on"})
    if on is None:
        return None
    stop = _keyword(top, on, _AFTER_ON)
    end = top[stop].start if stop is not None else len(sql.rstrip().rstrip(";"))
    inner = top[on + 1 : stop]
    cuts = [t for t in inner if t.text == ","]
    edges = [top[on].end, *(edge for t in cuts for edge in (t.start, t.end)), end]
    items: list[tuple[str, bool]] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        words = {t.text.lower() for t in inner if first <= t.start < last}
        items.append((sql[first:last].strip(), "in" in words))
    if all(complete for _, complete in items):
        return None
    source = sql[top[start].end : top[on].start].strip()
    return Pivot(sql[: top[start].start], source, tuple(items), sql[end:].rstrip().rstrip(";"))


def _keyword(top: list[Token], start: int, words: set[str] | frozenset[str]) -> int | None:
    return next(
        (i for i, t in enumerate(top) if i >= start and t.kind == "word" and t.text.lower() in words), None
    )
