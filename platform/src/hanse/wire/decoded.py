"""What a decoder makes of a batch: a table of the good records, and the others by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hanse.errors import HanseError
from hanse.wire.frame import Ints

NO_VALUE = "the record has no value"


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that cannot be read: its row in the batch, why, and the error behind it."""

    row: int
    reason: str
    exception: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """`table` holds the good records in order; `indices[i]` is the batch row of its row i.

    Of a changelog `deleted` says which rows of the table are deletes, of which only the key columns count, and
    `gone` are batch rows that delete what their record's key names.
    """

    table: pa.Table
    indices: Ints
    poison: list[Poison] = field(default_factory=list[Poison])
    deleted: npt.NDArray[np.bool_] | None = None
    gone: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))


class ValueDecoder(Protocol):
    """Decodes the values of one topic into columns of `schema`."""

    schema: pa.Schema

    def decode(self, rows: pa.Table) -> Decoded:
        """Decode the `value` column of rows shaped as `RECORDS`; a null value is poison."""
        ...


def merged(tables: list[pa.Table], places: list[Ints]) -> tuple[pa.Table, Ints]:
    """The rows of all tables, in the order of their places."""
    if len(tables) == 1:
        return tables[0], places[0]
    indices = np.concatenate(places)
    if (indices[1:] > indices[:-1]).all():
        return pa.concat_tables(tables), indices
    order = np.argsort(indices, kind="stable")
    return pa.concat_tables(tables).take(pa.array(order)), indices[order]


def by_place(poison: list[Poison]) -> list[Poison]:
    """In the order of the batch."""
    return sorted(poison, key=lambda p: p.row)


def named(error: HanseError) -> str:
    """The error's class and its sentence."""
    return f"{type(error).__name__}: {error.what}"
