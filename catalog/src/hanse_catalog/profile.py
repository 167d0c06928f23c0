"""What the columns of a product hold: how many are filled, how many differ, from where to where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hanse.model.mesh import Product

MAX_ROWS = 5_000_000
BAR = 48  # width of a full bar


@dataclass(frozen=True, slots=True)
class Values:
    """A column's values. `filled` is a percentage in words, `width` the same as a bar, `range` may be empty."""

    filled: str
    width: float
    distinct: str
    range: str


def profile_of(product: Product, rows: list[dict[str, Any]]) -> dict[str, Values]:
    """By column, from the rows of DuckDB's SUMMARIZE. Classified columns show no values."""
    hidden = {c.name for c in product.contract.columns if not c.open}
    found: dict[str, Values] = {}
    for row in rows:
        share = 100 - float(row["null_percentage"] or 0)
        low, high = row["min"], row["max"]
        between = "" if row["column_name"] in hidden or low is None else f"{_short(low)} … {_short(high)}"
        shown = f"{share:.0f}" if share in (0, 100) else f"{min(max(share, 0.1), 99.9):.1f}"
        found[row["column_name"]] = Values(shown, share * BAR / 100, _distinct(row), between)
    return found


def _distinct(row: dict[str, Any]) -> str:
    number = min(int(row["approx_unique"]), int(row["count"]))
    return f"{number:,}" if number < 50 else f"about {number:,}"  # DuckDB estimates it


def _short(value: object) -> str:
    text = str(value)
    if len(text) > 19 and text[4:5] == "-" and text[13:14] == ":":
        return text[:16]  # a moment, to the minute
    return text if len(text) <= 28 else text[:27] + "…"
