"""What happens to an order. The stored names never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hanse.domain import Event, Money, PersonalText, event, upcaster
from orders.values import Item, Payment


@event("OrderPlaced", version=2)
class OrderPlaced(Event):
    """A customer placed an order. Version 1 knew no managed orders."""

    order_id: str
    customer_id: str
    customer_state: str
    placed_at: datetime
    estimated_delivery: datetime | None
    items: tuple[Item, ...]
    managed: bool


@upcaster(OrderPlaced, 1)
def _not_managed(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "managed": False}


@event("PaymentConfirmed")
class PaymentConfirmed(Event):
    """The payments of the order were approved, all of them."""

    order_id: str
    confirmed_at: datetime
    payments: tuple[Payment, ...]
    total: Money


@event("OrderShipped")
class OrderShipped(Event):
    """The carrier took the order; `on_credit` when it was not paid yet."""

    order_id: str
    shipped_at: datetime
    on_credit: bool


@event("OrderDelivered")
class OrderDelivered(Event):
    """The customer received the order."""

    order_id: str
    delivered_at: datetime


@event("OrderCancelled")
class OrderCancelled(Event):
    """The order ended without delivery."""

    order_id: str
    cancelled_at: datetime
    reason: str
    paid: bool


@event("PaymentRefunded")
class PaymentRefunded(Event):
    """The customer has the money back."""

    order_id: str
    refunded_at: datetime
    total: Money


@event("OrderReviewed", subject="customer_id")
class OrderReviewed(Event):
    """The customer answered the review request. What they wrote is personal."""

    order_id: str
    customer_id: str
    review_id: str
    score: int
    title: PersonalText
    comment: PersonalText
    requested_at: datetime
    answered_at: datetime
