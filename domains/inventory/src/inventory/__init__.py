"""The inventory domain: what lies on the shelves, and for whom it is kept."""

from hanse.domain import Application
from inventory.published import integration
from inventory.stock import Stock

application = Application("inventory", aggregates=[Stock], integration=integration)

__all__ = ["Stock", "application"]
