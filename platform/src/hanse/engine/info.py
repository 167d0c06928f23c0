"""What the engine tells about a program's sources and sinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from hanse.errors import HanseError


class EngineError(HanseError):
    """Rows, kinds or state that do not fit the program."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source: the columns its rows bring (name, Arrow type), its key, how its rows change."""

    name: str
    columns: tuple[tuple[str, pa.DataType], ...]
    primary_key: tuple[str, ...]
    changelog: Literal["append", "upsert", "retract"]


@dataclass(frozen=True, slots=True)
class SinkInfo:
    """A sink: its columns (name, DuckDB type), its key, and whether its rows are never changed."""

    name: str
    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]
    append: bool
