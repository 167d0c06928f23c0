"""Dagster for a domain: `defs = definitions(__file__)` is all that a code location needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.orchestration.workspace import add_location

if TYPE_CHECKING:
    from hanse.orchestration.assets import definitions

__all__ = ["add_location", "definitions"]


def __getattr__(name: str) -> Any:
    """Import Dagster only for `definitions`: the command line adds a location without it."""
    if name == "definitions":
        from hanse.orchestration.assets import definitions

        return definitions
    raise AttributeError(name)
