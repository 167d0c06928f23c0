"""A simulated month of book-box orders, as real traffic is: late, repeated and impossible messages too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from hanse.domain import Command, Money
from hanse.domain.demo import Timed, arrivals
from hanse.domain.plot import PROMISED, OrderPlot, order_plots
from orders.commands import CancelOrder, ConfirmPayment, DeliverOrder, PlaceOrder, ReviewOrder, ShipOrder
from orders.values import Item, Payment

_Step = tuple[datetime, Command, str]


def simulate(seed: int, days: int = 30) -> Iterator[Timed]:
    """The orders' commands in the order of arrival.

    Messages come seconds after what they tell of, one in a hundred hours after; some come twice; some orders
    are cancelled, some commands break a rule. Each message counts as a row of the file `simulator/orders`.
    The same seed gives the same stream.
    """
    draw = random.Random(f"{seed}/orders")  # noqa: S311
    lives = ((plot.placed_at, _sent(plot)) for plot in order_plots(seed, days))
    return arrivals(draw, "simulator/orders", lives, _delay)


def _sent(plot: OrderPlot) -> Iterator[_Step]:
    for at, command, step in _life(plot):
        yield at, command, f"simulator/{plot.seed}/{plot.number}/{step}"


def _delay(draw: random.Random) -> timedelta:
    if draw.random() < 0.01:
        return timedelta(hours=draw.uniform(0.5, 6))
    return timedelta(seconds=min(draw.expovariate(1 / 15), 240))


def _life(plot: OrderPlot) -> Iterator[_Step]:
    draw = plot.chance("orders")
    items = _items(plot)
    yield (
        plot.placed_at,
        PlaceOrder(
            order_id=plot.order_id,
            customer_id=plot.buyer.customer_id,
            customer_state=plot.buyer.state,
            placed_at=plot.placed_at,
            estimated_delivery=plot.placed_at + PROMISED,
            items=items,
            managed=plot.managed,
        ),
        "place",
    )
    if plot.paid_at is not None:
        yield plot.paid_at, _payment(draw, plot.order_id, plot.paid_at, items), "pay"
    if plot.cancelled_at is not None:
        yield from _cancelled(draw, plot, plot.cancelled_at, items)
    if plot.managed:
        return
    if plot.shipped_at is not None:
        yield plot.shipped_at, ShipOrder(order_id=plot.order_id, shipped_at=plot.shipped_at), "ship"
    if plot.delivered_at is not None:
        at = plot.delivered_at
        yield at, DeliverOrder(order_id=plot.order_id, delivered_at=at), "deliver"
        if draw.random() < 0.4:
            yield _review(draw, plot.order_id, at)


def _cancelled(
    draw: random.Random, plot: OrderPlot, at: datetime, items: tuple[Item, ...]
) -> Iterator[_Step]:
    """Who changed their mind before paying sometimes pays all the same; what is sold out is sent at times."""
    yield at, CancelOrder(order_id=plot.order_id, cancelled_at=at, reason=plot.reason or "canceled"), "cancel"
    if plot.paid_at is None and draw.random() < 0.3:
        late = at + timedelta(hours=draw.uniform(7, 30))
        yield late, _payment(draw, plot.order_id, late, items), "pay"
    if plot.paid_at is not None and draw.random() < 0.2:
        late = at + timedelta(hours=8)
        yield late, ShipOrder(order_id=plot.order_id, shipped_at=late), "ship"


def _review(draw: random.Random, order_id: str, delivered: datetime) -> _Step:
    asked = delivered + timedelta(days=1)
    answered = asked + timedelta(hours=draw.uniform(1, 72))
    score = draw.choices((1, 2, 3, 4, 5), weights=(8, 4, 9, 21, 58))[0]
    review = ReviewOrder(
        order_id=order_id,
        review_id=f"review-{order_id}",
        score=score,
        requested_at=asked,
        answered_at=answered,
        comment="what a lovely box" if score > 3 else None,
    )
    return answered, review, "review"


def _items(plot: OrderPlot) -> tuple[Item, ...]:
    return tuple(
        Item(number, box.product_id, box.category, box.seller_id, Money(box.price), Money(freight))
        for number, (box, freight) in enumerate(zip(plot.boxes, plot.freight, strict=True), 1)
    )


def _payment(draw: random.Random, order_id: str, at: datetime, items: tuple[Item, ...]) -> ConfirmPayment:
    total = Money.total([item.price for item in items] + [item.freight for item in items])
    kind = draw.choices(("credit_card", "boleto", "voucher", "debit_card"), weights=(75, 19, 4, 2))[0]
    installments = draw.randint(1, 6) if kind == "credit_card" else 1
    return ConfirmPayment(order_id=order_id, confirmed_at=at, payments=(Payment(kind, installments, total),))
