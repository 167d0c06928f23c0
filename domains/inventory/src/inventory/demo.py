"""Streams that play the shelves of the business: the real Olist rows, or a simulated month."""

from inventory.olist import olist
from inventory.simulator import simulate

__all__ = ["olist", "simulate"]
