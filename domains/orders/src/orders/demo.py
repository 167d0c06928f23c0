"""Streams that play the orders business: the real Olist rows, or a simulated month of book boxes."""

from orders.olist import olist
from orders.simulator import simulate

__all__ = ["olist", "simulate"]
