"""The orders domain: from the wish for book boxes to their delivery."""

from hanse.domain import Application
from orders.automations import (
    when_free_order_placed_then_confirm_payment,
    when_lead_registered_then_place_welcome_box,
)
from orders.fulfilment import fulfil_order
from orders.order import Order
from orders.published import integration

application = Application(
    "orders",
    aggregates=[Order],
    integration=integration,
    sagas=[
        fulfil_order,
        when_lead_registered_then_place_welcome_box,
        when_free_order_placed_then_confirm_payment,
    ],
)

__all__ = ["Order", "application"]
