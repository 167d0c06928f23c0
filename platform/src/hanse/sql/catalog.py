"""What a program declares: sources, views, sinks, and the settings it is planned under."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hanse.sql.relation import Column

Changelog = Literal["append", "upsert", "retract"]


@dataclass(slots=True)
class Source:
    """A source table. `number` names its state table and its place in watermark lists.

    `physical` are the columns that rows bring, `columns` all of them; `rowtime` is the event-time
    column and `watermark` the text of its watermark expression over the stored columns.
    `declared` is False while the changelog is only assumed and may still turn out otherwise.
    """

    name: str
    number: int
    columns: tuple[Column, ...]
    physical: tuple[str, ...]
    computed: dict[str, str]
    primary_key: tuple[str, ...]
    changelog: Changelog
    declared: bool
    rowtime: str | None = None
    watermark: str | None = None
    log_needed: bool = False
    not_null: frozenset[str] = frozenset()

    @property
    def table(self) -> str:
        """The state table of its rows."""
        return f'engine."source_{self.number}"'

    @property
    def late_table(self) -> str:
        """The state table of its rows that came behind its watermark."""
        return f'engine."late_{self.number}"'


@dataclass(slots=True)
class View:
    """A named query, lowered anew at each use."""

    name: str
    query: Any
    names: tuple[str, ...]


@dataclass(slots=True)
class Catalog:
    """The names of a program. Table names are matched whole, then by their last part."""

    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    views: dict[str, View] = field(default_factory=dict[str, View])
    zone: str = "UTC"
    settings: dict[str, str] = field(default_factory=dict[str, str])

    def find(self, parts: list[str]) -> Source | View | None:
        """The table that a dotted name means."""
        full = ".".join(parts)
        if full in self.views:
            return self.views[full]
        if full in self.sources:
            return self.sources[full]
        tails = [s for name, s in self.sources.items() if name.split(".")[-1] == full]
        tails += [s for name, s in self.sources.items() if full.endswith("." + name) and len(parts) > 1]
        return tails[0] if len(tails) == 1 else None

    def timed(self) -> int:
        """How many sources there are, the length of a watermark list."""
        return len(self.sources)
