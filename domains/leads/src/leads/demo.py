"""Streams that play the leads of the business: the real Olist rows, or a simulated month."""

from leads.olist import olist
from leads.simulator import simulate

__all__ = ["olist", "simulate"]
