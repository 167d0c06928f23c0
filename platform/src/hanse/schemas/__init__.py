"""Schemas of events: parsed, brought to a canonical form, and compared under compatibility modes."""

from __future__ import annotations

from hanse.schemas.finding import MODES, Finding, Mode
from hanse.schemas.formats import ParsedSchema, Reference, check, compare, parse

__all__ = ["MODES", "Finding", "Mode", "ParsedSchema", "Reference", "check", "compare", "parse"]
