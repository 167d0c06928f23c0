"""Tools for the tests of a mesh's own domains and products."""

from hanse.testing.aggregates import given, rejected
from hanse.testing.harness import ProjectionHarness

__all__ = ["ProjectionHarness", "given", "rejected"]
