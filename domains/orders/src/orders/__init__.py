"""The orders domain: from the wish for book boxes to their delivery."""

from hanse.domain import Application
from orders.order import Order
from orders.published import integration

application = Application("orders", aggregates=[Order], integration=integration)

__all__ = ["Order", "application"]
