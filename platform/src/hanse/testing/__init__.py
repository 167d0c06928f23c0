"""Tools for the tests of a mesh's own domains and products."""

from hanse.testing.aggregates import given, rejected

__all__ = ["given", "rejected"]
