"""A simulated month of book-box orders, as real traffic is: late, repeated and impossible messages too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from hanse.domain import Command, Money
from hanse.domain.demo import SHOPPERS_A_DAY, SIMULATED_FROM, Timed, arrivals, shopper, shopper_joins
from orders.commands import CancelOrder, ConfirmPayment, DeliverOrder, PlaceOrder, ReviewOrder, ShipOrder
from orders.values import Item, Payment

ORDERS_A_DAY = 100

_BOXES = tuple(
    (name, category, seller, Decimal(price))
    for name, category, seller, price in (
        ("crime-classics", "crime", "harbour-books", "59.90"),
        ("crime-nordic", "crime", "harbour-books", "64.90"),
        ("science-fiction", "fantastic", "star-shelf", "69.90"),
        ("fantasy-saga", "fantastic", "star-shelf", "79.90"),
        ("picture-books", "children", "little-owl", "39.90"),
        ("first-readers", "children", "little-owl", "34.90"),
        ("poetry", "literature", "harbour-books", "49.90"),
        ("novels-of-the-year", "literature", "harbour-books", "74.90"),
        ("cookery", "living", "market-press", "54.90"),
        ("travel", "living", "market-press", "58.50"),
        ("surprise", None, "market-press", "29.90"),
    )
)
_Step = tuple[datetime, Command, str]


def simulate(seed: int, days: int = 30) -> Iterator[Timed]:
    """The orders' commands in the order of arrival.

    Messages come seconds after what they tell of, one in a hundred hours after; some come twice; some orders
    are cancelled, some commands break a rule. Each message counts as a row of the file `simulator/orders`.
    The same seed gives the same stream.
    """
    draw = random.Random(f"{seed}/orders")  # noqa: S311
    return arrivals(draw, "simulator/orders", _sent(draw, seed, days), _delay)


def _sent(draw: random.Random, seed: int, days: int) -> Iterator[_Step]:
    for number in range(days * ORDERS_A_DAY):
        placed = SIMULATED_FROM + timedelta(days=draw.uniform(0.02, days))
        for at, command, step in _life(draw, seed, f"order-{seed}-{number:06d}", placed):
            yield at, command, f"simulator/{seed}/{number}/{step}"


def _delay(draw: random.Random) -> timedelta:
    if draw.random() < 0.01:
        return timedelta(hours=draw.uniform(0.5, 6))
    return timedelta(seconds=min(draw.expovariate(1 / 15), 240))


def _life(draw: random.Random, seed: int, order_id: str, placed: datetime) -> Iterator[_Step]:
    known = int((placed - SIMULATED_FROM) / timedelta(days=1) * SHOPPERS_A_DAY)
    number = draw.randrange(known + 1)
    buyer = shopper(seed, number)
    assert shopper_joins(number) <= placed
    items = _items(draw) if draw.random() > 0.005 else ()
    yield (
        placed,
        PlaceOrder(
            order_id=order_id,
            customer_id=buyer.customer_id,
            customer_state=buyer.state,
            placed_at=placed,
            estimated_delivery=placed + timedelta(days=12),
            items=items,
        ),
        "place",
    )
    fate = draw.random()
    if fate < 0.03:
        yield from _abandoned(draw, order_id, placed, items)
    else:
        yield from _fulfilled(draw, order_id, placed, items, cancelled=fate < 0.05)


def _abandoned(
    draw: random.Random, order_id: str, placed: datetime, items: tuple[Item, ...]
) -> Iterator[_Step]:
    """The customer changes their mind before paying; sometimes the payment comes all the same."""
    at = placed + timedelta(hours=draw.uniform(0.2, 20))
    yield at, CancelOrder(order_id=order_id, cancelled_at=at, reason="canceled"), "cancel"
    if draw.random() < 0.3:
        late = at + timedelta(hours=draw.uniform(7, 30))
        yield late, _payment(draw, order_id, late, items), "pay"


def _fulfilled(
    draw: random.Random, order_id: str, placed: datetime, items: tuple[Item, ...], *, cancelled: bool
) -> Iterator[_Step]:
    paid = placed + timedelta(minutes=draw.expovariate(1 / 90))
    yield paid, _payment(draw, order_id, paid, items), "pay"
    if cancelled:
        at = paid + timedelta(hours=draw.uniform(1, 30))
        yield at, CancelOrder(order_id=order_id, cancelled_at=at, reason="unavailable"), "cancel"
        if draw.random() < 0.2:
            late = at + timedelta(hours=8)
            yield late, ShipOrder(order_id=order_id, shipped_at=late), "ship"
        return
    shipped = paid + timedelta(hours=draw.uniform(8, 72))
    yield shipped, ShipOrder(order_id=order_id, shipped_at=shipped), "ship"
    delivered = shipped + timedelta(days=draw.uniform(1, 11))
    yield delivered, DeliverOrder(order_id=order_id, delivered_at=delivered), "deliver"
    if draw.random() < 0.4:
        asked = delivered + timedelta(days=1)
        answered = asked + timedelta(hours=draw.uniform(1, 72))
        score = draw.choices((1, 2, 3, 4, 5), weights=(8, 4, 9, 21, 58))[0]
        yield (
            answered,
            ReviewOrder(
                order_id=order_id,
                review_id=f"review-{order_id}",
                score=score,
                requested_at=asked,
                answered_at=answered,
                comment="what a lovely box" if score > 3 else None,
            ),
            "review",
        )


def _items(draw: random.Random) -> tuple[Item, ...]:
    count = draw.choices((1, 2, 3), weights=(80, 15, 5))[0]
    return tuple(
        Item(number, name, category, seller, Money(price), Money.of(draw.choice(("7.90", "9.90", "14.90"))))
        for number, (name, category, seller, price) in enumerate(draw.sample(_BOXES, count), 1)
    )


def _payment(draw: random.Random, order_id: str, at: datetime, items: tuple[Item, ...]) -> ConfirmPayment:
    total = Money.total([item.price for item in items] + [item.freight for item in items])
    kind = draw.choices(("credit_card", "boleto", "voucher", "debit_card"), weights=(75, 19, 4, 2))[0]
    installments = draw.randint(1, 6) if kind == "credit_card" else 1
    return ConfirmPayment(order_id=order_id, confirmed_at=at, payments=(Payment(kind, installments, total),))
