"""The reporting domain: products over what other domains publish. It takes no commands and has no events."""

from hanse.domain import Application, Integration

application = Application("reporting", aggregates=[], integration=Integration())

__all__ = ["application"]
