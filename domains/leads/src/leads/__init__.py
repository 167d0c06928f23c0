"""The leads domain: from the first contact to a customer or a seller."""

from hanse.domain import Application
from leads.lead import Lead
from leads.published import integration

application = Application("leads", aggregates=[Lead], integration=integration)

__all__ = ["Lead", "application"]
