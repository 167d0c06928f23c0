"""Streams that play the customers of the business: the real Olist rows, or a simulated month."""

from customers.olist import olist
from customers.simulator import simulate

__all__ = ["olist", "simulate"]
