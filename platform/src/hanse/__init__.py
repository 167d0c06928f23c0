"""Hanse: a data mesh of event streams, projections and governed data products."""

__version__ = "0.1.0"
