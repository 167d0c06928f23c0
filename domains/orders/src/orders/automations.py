"""What the orders domain does about the events of others: the welcome box of a lead who became a customer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hanse.domain import Fact, Money, Send, When, moment_of
from orders.commands import ConfirmPayment, PlaceOrder
from orders.values import Item, Payment

FREE = Money.of("0.00")
WELCOME_BOX = Item(1, "surprise", None, "market-press", FREE, FREE)
PROMISED = timedelta(days=12)


def _place(fact: Fact) -> Send:
    at = moment_of(fact["registered_at"])
    return Send(
        "orders",
        PlaceOrder(
            order_id=f"welcome-{fact['customer_id']}",
            customer_id=fact["customer_id"],
            customer_state=fact["state"],
            placed_at=at,
            items=(WELCOME_BOX,),
            estimated_delivery=at + PROMISED,
            managed=True,
        ),
    )


def _free(fact: Fact) -> bool:
    return bool(fact["managed"]) and Decimal(fact["order_total"]) == 0


def _confirm(fact: Fact) -> Send:
    paid = (Payment("voucher", 1, FREE),)
    at = moment_of(fact["placed_at"])
    return Send("orders", ConfirmPayment(order_id=fact["order_id"], confirmed_at=at, payments=paid))


when_lead_registered_then_place_welcome_box = When(
    "customers.customer_registered", where=lambda fact: fact["lead_id"] is not None
).then(
    _place,
    name="when_lead_registered_then_place_welcome_box",
    purpose="Who was won as a lead gets a box to begin with.",
)
when_free_order_placed_then_confirm_payment = When("orders.order_placed", where=_free).then(
    _confirm,
    name="when_free_order_placed_then_confirm_payment",
    purpose="Nobody has to pay nothing.",
)
