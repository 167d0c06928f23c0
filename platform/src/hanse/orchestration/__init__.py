"""Dagster for a domain: `defs = definitions(__file__)` is all that a code location needs."""

from hanse.orchestration.assets import definitions
from hanse.orchestration.workspace import add_location

__all__ = ["add_location", "definitions"]
