"""The published language of the orders domain: what of its events others may see, and in which form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse.domain import Envelope, Integration, Publish
from orders import events as e
from orders.order import Order

integration = Integration()


@integration.publishes(e.OrderPlaced)
def order_placed(event: e.OrderPlaced, order: Order, _: Envelope) -> Iterator[Publish]:
    """The order with its totals, and each of its items."""
    totals = _totals(order)
    yield Publish(
        "order_placed",
        {
            "order_id": event.order_id,
            "customer_id": event.customer_id,
            "customer_state": event.customer_state,
            "placed_at": event.placed_at,
            "estimated_delivery": event.estimated_delivery,
            **totals,
            "managed": event.managed,
        },
    )
    for item in event.items:
        yield Publish(
            "order_item_sold",
            {
                "order_id": event.order_id,
                "item_number": item.number,
                "product_id": item.product_id,
                "category": item.category,
                "seller_id": item.seller_id,
                "customer_state": event.customer_state,
                "sold_at": event.placed_at,
                "price": item.price.amount,
                "freight": item.freight.amount,
                "managed": event.managed,
            },
        )


@integration.publishes(e.PaymentConfirmed)
def payment_confirmed(event: e.PaymentConfirmed, order: Order, _: Envelope) -> Iterator[Publish]:
    """The confirmed total, described by its largest payment."""
    largest = max(event.payments, key=lambda payment: payment.amount.amount)
    yield Publish(
        "payment_confirmed",
        {
            "order_id": event.order_id,
            "customer_id": order.customer_id,
            "customer_state": order.customer_state,
            "confirmed_at": event.confirmed_at,
            "payment_count": len(event.payments),
            "main_type": largest.type,
            "installments": largest.installments,
            "total": event.total.amount,
            "managed": order.managed,
        },
    )


@integration.publishes(e.OrderShipped)
def order_shipped(event: e.OrderShipped, order: Order, _: Envelope) -> Iterator[Publish]:
    """That the carrier has it."""
    yield Publish(
        "order_shipped",
        {
            "order_id": event.order_id,
            "customer_state": order.customer_state,
            "shipped_at": event.shipped_at,
            "on_credit": event.on_credit,
        },
    )


@integration.publishes(e.OrderDelivered)
def order_delivered(event: e.OrderDelivered, order: Order, _: Envelope) -> Iterator[Publish]:
    """That it arrived, and whether after the day that was promised."""
    promised = order.estimated_delivery
    yield Publish(
        "order_delivered",
        {
            "order_id": event.order_id,
            "customer_state": order.customer_state,
            "delivered_at": event.delivered_at,
            "placed_at": order.placed_at,
            "estimated_delivery": promised,
            "late": promised is not None and event.delivered_at.date() > promised.date(),
        },
    )


@integration.publishes(e.OrderCancelled)
def order_cancelled(event: e.OrderCancelled, order: Order, _: Envelope) -> Iterator[Publish]:
    """That it will not be delivered, and whether a refund is due."""
    yield Publish(
        "order_cancelled",
        {
            "order_id": event.order_id,
            "customer_id": order.customer_id,
            "customer_state": order.customer_state,
            "cancelled_at": event.cancelled_at,
            "reason": event.reason,
            "paid": event.paid,
            "managed": order.managed,
        },
    )


@integration.publishes(e.PaymentRefunded)
def payment_refunded(event: e.PaymentRefunded, order: Order, _: Envelope) -> Iterator[Publish]:
    """How much went back."""
    yield Publish(
        "payment_refunded",
        {
            "order_id": event.order_id,
            "customer_id": order.customer_id,
            "refunded_at": event.refunded_at,
            "total": event.total.amount,
        },
    )


@integration.publishes(e.OrderReviewed)
def order_reviewed(event: e.OrderReviewed, order: Order, _: Envelope) -> Iterator[Publish]:
    """The score without the text."""
    yield Publish(
        "order_reviewed",
        {
            "order_id": event.order_id,
            "review_id": event.review_id,
            "customer_state": order.customer_state,
            "score": event.score,
            "requested_at": event.requested_at,
            "answered_at": event.answered_at,
        },
    )


@integration.publishes(
    e.OrderPlaced,
    e.PaymentConfirmed,
    e.OrderShipped,
    e.OrderDelivered,
    e.OrderCancelled,
    e.PaymentRefunded,
    e.OrderReviewed,
)
def order_state(_: object, order: Order, envelope: Envelope) -> Iterator[Publish]:
    """The whole order as it is now."""
    yield Publish(
        "orders",
        {
            "order_id": order.order_id,
            "customer_id": order.customer_id,
            "customer_state": order.customer_state,
            "status": order.status,
            "placed_at": order.placed_at,
            "approved_at": order.approved_at,
            "shipped_at": order.shipped_at,
            "delivered_at": order.delivered_at,
            "cancelled_at": order.cancelled_at,
            "estimated_delivery": order.estimated_delivery,
            **_totals(order),
            "paid_total": order.paid_total.amount if order.paid_total else None,
            "review_score": order.review_score,
            "version": order.version,
            "updated_at": envelope.time,
        },
    )


def _totals(order: Order) -> dict[str, Any]:
    return {
        "item_count": order.item_count,
        "items_total": order.items_total.amount,
        "freight_total": order.freight_total.amount,
        "order_total": order.items_total.amount + order.freight_total.amount,
    }
