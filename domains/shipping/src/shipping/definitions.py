"""The domain's code location for Dagster."""

from hanse.orchestration import definitions

defs = definitions(__file__)
