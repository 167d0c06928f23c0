"""The order: every command in every state of its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hanse.domain import Command, CommandRejected, Event, Money
from hanse.domain.codec import as_stored, decoder, encoder
from hanse.testing import given, rejected
from orders import commands as c
from orders import events as e
from orders.order import Order
from orders.values import Item, Payment

DAY = timedelta(days=1)
T = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEM = Item(1, "p1", "crime", "s1", Money.of("59.90"), Money.of("7.90"))
PAYMENTS = (Payment("voucher", 1, Money.of("10.00")), Payment("credit_card", 3, Money.of("57.80")))

PLACE = c.PlaceOrder(
    order_id="o1",
    customer_id="c1",
    customer_state="SP",
    placed_at=T,
    items=(ITEM,),
    estimated_delivery=T + 9 * DAY,
)
PAY = c.ConfirmPayment(order_id="o1", confirmed_at=T + DAY, payments=PAYMENTS)
SHIP = c.ShipOrder(order_id="o1", shipped_at=T + 2 * DAY)
DELIVER = c.DeliverOrder(order_id="o1", delivered_at=T + 5 * DAY)
CANCEL = c.CancelOrder(order_id="o1", cancelled_at=T + 3 * DAY, reason="canceled")
REFUND = c.RefundPayment(order_id="o1", refunded_at=T + 4 * DAY)
REVIEW = c.ReviewOrder(
    order_id="o1",
    review_id="r1",
    score=5,
    requested_at=T + 6 * DAY,
    answered_at=T + 7 * DAY,
    comment="lovely",
)

PLACED = e.OrderPlaced(
    order_id="o1",
    customer_id="c1",
    customer_state="SP",
    placed_at=T,
    estimated_delivery=T + 9 * DAY,
    items=(ITEM,),
    managed=False,
)
PAID = e.PaymentConfirmed(order_id="o1", confirmed_at=T + DAY, payments=PAYMENTS, total=Money.of("67.80"))
SHIPPED = e.OrderShipped(order_id="o1", shipped_at=T + 2 * DAY, on_credit=False)
ON_CREDIT = e.OrderShipped(order_id="o1", shipped_at=T + 2 * DAY, on_credit=True)
DELIVERED = e.OrderDelivered(order_id="o1", delivered_at=T + 5 * DAY)
CANCELLED = e.OrderCancelled(order_id="o1", cancelled_at=T + 3 * DAY, reason="canceled", paid=False)
REFUNDABLE = e.OrderCancelled(order_id="o1", cancelled_at=T + 3 * DAY, reason="canceled", paid=True)
REFUNDED = e.PaymentRefunded(order_id="o1", refunded_at=T + 4 * DAY, total=Money.of("67.80"))
REVIEWED = e.OrderReviewed(
    order_id="o1", customer_id="c1", review_id="r1", score=5, title=None, comment="lovely",
    requested_at=T + 6 * DAY, answered_at=T + 7 * DAY,
)  # fmt: skip

STATES: dict[str, list[Event]] = {
    "unknown": [],
    "placed": [PLACED],
    "approved": [PLACED, PAID],
    "shipped": [PLACED, PAID, SHIPPED],
    "on credit": [PLACED, ON_CREDIT],
    "delivered": [PLACED, PAID, SHIPPED, DELIVERED],
    "cancelled": [PLACED, CANCELLED],
    "refundable": [PLACED, PAID, REFUNDABLE],
    "refunded": [PLACED, PAID, REFUNDED],
    "reviewed": [PLACED, PAID, SHIPPED, DELIVERED, REVIEWED],
}
NO_PAYMENT, NO_SHIPPING, NO_DELIVERY = "payment-after-cancel", "ship-after-cancel", "deliver-after-cancel"
TOO_LATE = "cancel-after-delivery"
ANSWERS: list[tuple[Command, dict[str, Any]]] = [
    # "" stands for every state that is not named
    (PLACE, {"unknown": PLACED, "": "order-placed-once"}),
    (PAY, {"unknown": "order-known", "placed": PAID, "on credit": PAID, "cancelled": NO_PAYMENT,
           "refundable": NO_PAYMENT, "": "payment-confirmed-once"}),
    (SHIP, {"unknown": "order-known", "placed": ON_CREDIT, "approved": SHIPPED, "refunded": "ship-after-refund",
            "cancelled": NO_SHIPPING, "refundable": NO_SHIPPING, "": "ship-once"}),
    (DELIVER, {"unknown": "order-known", "shipped": DELIVERED, "on credit": DELIVERED,
               "delivered": "deliver-once", "reviewed": "deliver-once", "cancelled": NO_DELIVERY,
               "refundable": NO_DELIVERY, "": "deliver-before-shipping"}),
    (CANCEL, {"unknown": "order-known", "placed": CANCELLED, "on credit": CANCELLED, "approved": REFUNDABLE,
              "refunded": CANCELLED, "shipped": REFUNDABLE, "delivered": TOO_LATE, "reviewed": TOO_LATE, "": "cancel-once"}),
    (REFUND, {"unknown": "order-known", "approved": REFUNDED, "shipped": REFUNDED, "refundable": REFUNDED,
              "refunded": "refund-once", "delivered": "refund-after-delivery",
              "reviewed": "refund-after-delivery", "": "refund-unpaid"}),
    (REVIEW, {"unknown": "order-known", "reviewed": "review-once", "": REVIEWED}),
]  # fmt: skip
TABLE = [
    (state, command, answers.get(state, answers.get(""))) for command, answers in ANSWERS for state in STATES
]


@pytest.mark.parametrize(
    ("state", "command", "answer"), TABLE, ids=[f"{type(c).__name__} when {s}" for s, c, _ in TABLE]
)
def test_every_command_in_every_state(state: str, command: Command, answer: Event | str) -> None:
    expected = rejected(answer) if isinstance(answer, str) else answer
    given(Order, *STATES[state]).when(command).then(expected)


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(PLACE, items=()), "order-not-empty"),
        (replace(PLACE, customer_state="sp"), "state-code"),
        (replace(PLACE, items=(ITEM, ITEM)), "item-numbers-differ"),
    ],
)  # fmt: skip
def test_an_order_is_placed_whole(command: Command, rule: str) -> None:
    given(Order).when(command).then(rejected(rule))


def test_we_fulfil_small_orders_only() -> None:
    items = tuple(replace(ITEM, number=n) for n in range(1, 5))
    given(Order).when(replace(PLACE, items=items, managed=True)).then(rejected("managed-order-small"))
    given(Order).when(replace(PLACE, managed=True)).then(replace(PLACED, managed=True))


def test_an_order_stored_before_there_were_managed_ones_is_read() -> None:
    body = encoder(e.OrderPlaced)(PLACED, as_stored)
    del body["managed"]
    assert decoder(e.OrderPlaced)(e.OrderPlaced.upcasters[1](body), as_stored) == PLACED


def test_currencies_are_not_mixed_in_an_order() -> None:
    foreign = Item(2, "p2", None, "s1", Money.of(1, "EUR"), Money.of(1, "EUR"))
    given(Order).when(replace(PLACE, items=(ITEM, foreign))).then(rejected("order-one-currency"))


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (c.ConfirmPayment(order_id="o1", confirmed_at=T, payments=()), "payment-not-empty"),
        (c.ShipOrder(order_id="o1", shipped_at=T - DAY), "ship-before-purchase"),
        (c.CancelOrder(order_id="o1", cancelled_at=T, reason="why not"), "cancel-reason-known"),
        (c.ReviewOrder(order_id="o1", review_id="r", score=0, requested_at=T, answered_at=T), "review-score"),
        (c.ReviewOrder(order_id="o1", review_id="r", score=6, requested_at=T, answered_at=T), "review-score"),
        (c.ReviewOrder(order_id="o1", review_id="r", score=3, requested_at=T, answered_at=T - DAY),
         "review-after-request"),
        (c.ReviewOrder(order_id="o1", review_id="r", score=3, requested_at=T - DAY, answered_at=T),
         "review-before-purchase"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_rejected(command: Command, rule: str) -> None:
    given(Order, PLACED).when(command).then(rejected(rule))


def test_an_order_cannot_arrive_before_it_left() -> None:
    early = c.DeliverOrder(order_id="o1", delivered_at=T + DAY)
    given(Order, PLACED, PAID, SHIPPED).when(early).then(rejected("deliver-before-shipping"))


def test_payment_after_shipping_leaves_the_order_shipped() -> None:
    after = given(Order, PLACED, ON_CREDIT).when(PAY).then(PAID)
    assert after.state.status == "shipped"
    assert after.state.paid_total == Money.of("67.80")


def test_several_reviews_keep_the_latest_score() -> None:
    past = STATES["reviewed"]
    second = given(Order, *past).when(replace(REVIEW, review_id="r2", score=1)).events
    assert given(Order, *past, *second).state.review_score == 1


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Item(0, "p", None, "s", Money.of(1), Money.of(0)), "item-number"),
        (lambda: Payment("gold", 1, Money.of(1)), "payment-type-known"),
        (lambda: Payment("boleto", -1, Money.of(1)), "payment-installments"),
    ],
)
def test_values_check_themselves(make: Any, rule: str) -> None:
    with pytest.raises(CommandRejected) as caught:
        make()
    assert caught.value.rule == rule
