"""Value objects of the inventory domain."""

from __future__ import annotations

from hanse.domain import require

MOST = 1_000_000_000
"""Boxes of a stock: what the topics' 32-bit fields hold."""


def stock_of(seller_id: str, product_id: str) -> str:
    """The id of the stock of that seller's product."""
    return f"{seller_id}/{product_id}"


def positive(quantity: int) -> int:
    """The number of boxes, checked: at least one."""
    require(1 <= quantity <= MOST, "quantity-positive", f"a quantity lies from 1 to {MOST:,}")
    return quantity
