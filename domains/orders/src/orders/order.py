"""The order: what may happen to it, and when."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Aggregate, CommandRejected, Money, applies, decides, require
from orders import commands as c
from orders import events as e
from orders.values import MOST_MANAGED, state_code

NOTHING = Money.of(0)
CANCELLATION_REASONS = ("canceled", "unavailable")


class Order(Aggregate, name="order", identity="order_id"):
    """A customer's wish for items, from placing to delivery or cancellation.

    Goods may leave before payment, at the seller's risk: the carrier tells what has happened, and often
    sooner than the bank. They cannot leave or arrive before the order is placed, nor arrive unshipped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.order_id = ""
        self.customer_id = ""
        self.customer_state = ""
        self.status = "unknown"
        self.managed = False
        self.item_count = 0
        self.items_total = self.freight_total = NOTHING
        self.paid_total: Money | None = None
        self.placed_at: datetime | None = None
        self.approved_at: datetime | None = None
        self.shipped_at: datetime | None = None
        self.delivered_at: datetime | None = None
        self.cancelled_at: datetime | None = None
        self.refunded_at: datetime | None = None
        self.estimated_delivery: datetime | None = None
        self.reviews: tuple[str, ...] = ()
        self.review_score: int | None = None

    @decides(c.PlaceOrder)
    def place(self, command: c.PlaceOrder) -> list[e.OrderPlaced]:
        """An order is placed once, with at least one item, each with its own number."""
        require(self.version == 0, "order-placed-once", "the order was placed before")
        require(bool(command.items), "order-not-empty", "an order has at least one item")
        numbers = [item.number for item in command.items]
        require(len(set(numbers)) == len(numbers), "item-numbers-differ", "two items have the same number")
        currencies = {m.currency for item in command.items for m in (item.price, item.freight)}
        require(len(currencies) == 1, "order-one-currency", "an order is in one currency")
        require(
            not command.managed or len(command.items) <= MOST_MANAGED,
            "managed-order-small",
            f"we fulfil orders of at most {MOST_MANAGED} items",
        )
        return [
            e.OrderPlaced(
                order_id=command.order_id,
                customer_id=command.customer_id,
                customer_state=state_code(command.customer_state),
                placed_at=command.placed_at,
                estimated_delivery=command.estimated_delivery,
                items=command.items,
                managed=command.managed,
            )
        ]

    @decides(c.ConfirmPayment)
    def confirm_payment(self, command: c.ConfirmPayment) -> list[e.PaymentConfirmed]:
        """Payments are confirmed once, together, and not for a cancelled order."""
        self._require_placed()
        require(self.status != "cancelled", "payment-after-cancel", "a cancelled order takes no payment")
        require(self.paid_total is None, "payment-confirmed-once", "the payment was confirmed before")
        require(bool(command.payments), "payment-not-empty", "a confirmation names at least one payment")
        return [
            e.PaymentConfirmed(
                order_id=self.order_id,
                confirmed_at=command.confirmed_at,
                payments=command.payments,
                total=Money.total(p.amount for p in command.payments),
            )
        ]

    @decides(c.ShipOrder)
    def ship(self, command: c.ShipOrder) -> list[e.OrderShipped]:
        """An order is shipped once, not before it was placed; shipping before payment is noted."""
        self._require_placed()
        require(self.status != "cancelled", "ship-after-cancel", "a cancelled order is not shipped")
        require(self.shipped_at is None, "ship-once", "the order was shipped before")
        require(self.refunded_at is None, "ship-after-refund", "a refunded order is not shipped")
        require(
            self.placed_at is not None and command.shipped_at >= self.placed_at,
            "ship-before-purchase",
            "the carrier cannot have an order before it was placed",
        )
        return [
            e.OrderShipped(
                order_id=self.order_id,
                shipped_at=command.shipped_at,
                on_credit=self.paid_total is None,
            )
        ]

    @decides(c.DeliverOrder)
    def deliver(self, command: c.DeliverOrder) -> list[e.OrderDelivered]:
        """What was shipped is delivered, once and later."""
        self._require_placed()
        require(self.status != "cancelled", "deliver-after-cancel", "a cancelled order is not delivered")
        require(self.delivered_at is None, "deliver-once", "the order was delivered before")
        require(
            self.shipped_at is not None and command.delivered_at >= self.shipped_at,
            "deliver-before-shipping",
            "an order cannot arrive before the carrier had it",
        )
        return [e.OrderDelivered(order_id=self.order_id, delivered_at=command.delivered_at)]

    @decides(c.CancelOrder)
    def cancel(self, command: c.CancelOrder) -> list[e.OrderCancelled]:
        """An order that has not arrived can be cancelled, once."""
        self._require_placed()
        require(self.status != "cancelled", "cancel-once", "the order was cancelled before")
        require(self.delivered_at is None, "cancel-after-delivery", "a delivered order cannot be cancelled")
        require(
            command.reason in CANCELLATION_REASONS,
            "cancel-reason-known",
            f"a reason is one of {', '.join(CANCELLATION_REASONS)}",
        )
        return [
            e.OrderCancelled(
                order_id=self.order_id,
                cancelled_at=command.cancelled_at,
                reason=command.reason,
                paid=self.paid_total is not None and self.refunded_at is None,
            )
        ]

    @decides(c.RefundPayment)
    def refund(self, command: c.RefundPayment) -> list[e.PaymentRefunded]:
        """What was paid for an order that has not arrived can be given back, once."""
        self._require_placed()
        require(self.refunded_at is None, "refund-once", "the payment was refunded before")
        require(self.delivered_at is None, "refund-after-delivery", "a delivered order is not refunded")
        total = self.paid_total
        if total is None:
            raise CommandRejected("refund-unpaid", "nothing was paid")
        return [e.PaymentRefunded(order_id=self.order_id, refunded_at=command.refunded_at, total=total)]

    @decides(c.ReviewOrder)
    def review(self, command: c.ReviewOrder) -> list[e.OrderReviewed]:
        """Each review request is answered once; a score lies from 1 to 5."""
        self._require_placed()
        require(1 <= command.score <= 5, "review-score", "a score lies from 1 to 5")
        require(command.review_id not in self.reviews, "review-once", "this review was given before")
        require(
            command.answered_at >= command.requested_at,
            "review-after-request",
            "a review cannot be answered before it was requested",
        )
        require(
            self.placed_at is not None and command.requested_at.date() >= self.placed_at.date(),
            "review-before-purchase",
            "a review cannot be requested before the day the order was placed",
        )
        return [
            e.OrderReviewed(
                order_id=self.order_id,
                customer_id=self.customer_id,
                review_id=command.review_id,
                score=command.score,
                title=command.title,
                comment=command.comment,
                requested_at=command.requested_at,
                answered_at=command.answered_at,
            )
        ]

    @applies(e.OrderPlaced)
    def _placed(self, event: e.OrderPlaced) -> None:
        self.order_id, self.customer_id = event.order_id, event.customer_id
        self.customer_state = event.customer_state
        self.status, self.managed = "placed", event.managed
        self.placed_at, self.estimated_delivery = event.placed_at, event.estimated_delivery
        self.item_count = len(event.items)
        currency = event.items[0].price.currency
        self.items_total = Money.total((item.price for item in event.items), currency)
        self.freight_total = Money.total((item.freight for item in event.items), currency)

    @applies(e.PaymentConfirmed)
    def _payment_confirmed(self, event: e.PaymentConfirmed) -> None:
        self.approved_at, self.paid_total = event.confirmed_at, event.total
        if self.status == "placed":
            self.status = "approved"

    @applies(e.OrderShipped)
    def _shipped(self, event: e.OrderShipped) -> None:
        self.status, self.shipped_at = "shipped", event.shipped_at

    @applies(e.OrderDelivered)
    def _delivered(self, event: e.OrderDelivered) -> None:
        self.status, self.delivered_at = "delivered", event.delivered_at

    @applies(e.OrderCancelled)
    def _cancelled(self, event: e.OrderCancelled) -> None:
        self.status, self.cancelled_at = "cancelled", event.cancelled_at

    @applies(e.PaymentRefunded)
    def _refunded(self, event: e.PaymentRefunded) -> None:
        self.refunded_at = event.refunded_at

    @applies(e.OrderReviewed)
    def _reviewed(self, event: e.OrderReviewed) -> None:
        self.reviews = (*self.reviews, event.review_id)
        self.review_score = event.score

    def _require_placed(self) -> None:
        require(self.version > 0, "order-known", "no order with that id was placed")
