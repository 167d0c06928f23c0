"""Streams that play the carriers of the business: the real Olist rows, or a simulated month."""

from shipping.olist import olist
from shipping.simulator import respond, simulate

__all__ = ["olist", "respond", "simulate"]
