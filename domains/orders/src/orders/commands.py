"""What can be asked of an order."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Command, command
from orders.values import Item, Payment


@command
class PlaceOrder(Command):
    """Order these items. A `managed` order is fulfilled by us, and not by whoever places it."""

    order_id: str
    customer_id: str
    customer_state: str
    placed_at: datetime
    items: tuple[Item, ...]
    estimated_delivery: datetime | None = None
    managed: bool = False


@command
class ConfirmPayment(Command):
    """Record that the order's payments were approved."""

    order_id: str
    confirmed_at: datetime
    payments: tuple[Payment, ...]


@command
class ShipOrder(Command):
    """Record that the carrier took the order."""

    order_id: str
    shipped_at: datetime


@command
class DeliverOrder(Command):
    """Record that the customer received the order."""

    order_id: str
    delivered_at: datetime


@command
class CancelOrder(Command):
    """End the order without delivery. `reason` is canceled (by the customer) or unavailable."""

    order_id: str
    cancelled_at: datetime
    reason: str


@command
class RefundPayment(Command):
    """Give the customer back what was paid for an order that will not be delivered."""

    order_id: str
    refunded_at: datetime


@command
class ReviewOrder(Command):
    """Give the order a score from 1 to 5."""

    order_id: str
    review_id: str
    score: int
    requested_at: datetime
    answered_at: datetime
    title: str | None = None
    comment: str | None = None
