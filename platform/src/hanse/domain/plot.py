"""The plot of the simulated book-box business: what happens in the world, the same for every domain.

Each domain plays its own part of it: the shop takes the order, the warehouse reserves the boxes, the carrier
brings them. None of them reads another's code; they agree because they watch the same world.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from hanse.domain.demo import SHOPPERS_A_DAY, SIMULATED_FROM, Shopper, shopper, shopper_joins

ORDERS_A_DAY = 100
LEADS_A_DAY = 10
MANAGED = 40
"""One order in so many is fulfilled by the shop itself."""
PROMISED = timedelta(days=12)
"""Within this time after the order a box is promised to be at the door."""
CARRIERS = ("north-star", "river-line", "quick-wheels")
ORIGINS = {"harbour-books": "SP", "star-shelf": "RJ", "little-owl": "MG", "market-press": "PR"}
"""Where each seller's boxes leave from."""


@dataclass(frozen=True, slots=True)
class Box:
    """What is sold: a product of one seller, with its category (None: not told) and its price in BRL."""

    product_id: str
    category: str | None
    seller_id: str
    price: Decimal


BOXES = tuple(
    Box(name, category, seller, Decimal(price))
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


@dataclass(slots=True)
class OrderPlot:
    """An order's life as the world has it. A moment that is None never comes.

    `draw` is the order's own chance: what a domain adds of its own is drawn from a copy (`chance`).
    """

    seed: int
    number: int
    buyer: Shopper
    placed_at: datetime
    boxes: tuple[Box, ...]
    freight: tuple[Decimal, ...]
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None
    reason: str | None = None
    carrier: str = CARRIERS[0]
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    lost_at: datetime | None = None
    returned_at: datetime | None = None

    @property
    def order_id(self) -> str:
        """The order's id, the same in every domain."""
        return f"order-{self.seed}-{self.number:06d}"

    @property
    def managed(self) -> bool:
        """Whether the shop fulfils it itself, by asking the others; they then do nothing unasked."""
        return self.number % MANAGED == 0

    @property
    def parcel(self) -> str:
        """What the carrier knows it by."""
        return f"fulfil-{self.order_id}" if self.managed else f"shipment-{self.seed}-{self.number:06d}"

    def chance(self, who: str) -> random.Random:
        """Chance of one's own for what only `who` does with this order."""
        return random.Random(f"{self.seed}/order/{self.number}/{who}")  # noqa: S311


def order_plots(seed: int, days: int) -> Iterator[OrderPlot]:
    """The orders of that many days, in the order in which they are placed. The same seed, the same plot."""
    for number in range(days * ORDERS_A_DAY):
        yield _order_plot(seed, number)


def _order_plot(seed: int, number: int) -> OrderPlot:
    draw = random.Random(f"{seed}/order/{number}")  # noqa: S311
    placed = SIMULATED_FROM + timedelta(days=(number + draw.random()) / ORDERS_A_DAY)
    placed += timedelta(minutes=30)
    known = int((placed - SIMULATED_FROM) / timedelta(days=1) * SHOPPERS_A_DAY)
    buyer = draw.randrange(known + 1)
    assert shopper_joins(buyer) <= placed
    count = draw.choices((1, 2, 3), weights=(80, 15, 5))[0] if draw.random() > 0.005 else 0
    boxes = tuple(draw.sample(BOXES, count))
    freight = tuple(Decimal(draw.choice(("7.90", "9.90", "14.90"))) for _ in boxes)
    plot = OrderPlot(seed, number, shopper(seed, buyer), placed, boxes, freight)
    fate = 1.0 if plot.managed else draw.random()
    if fate < 0.03:
        plot.cancelled_at, plot.reason = placed + timedelta(hours=draw.uniform(0.2, 20)), "canceled"
    else:
        plot.paid_at = placed + timedelta(minutes=draw.expovariate(1 / 90))
        if fate < 0.05:
            plot.cancelled_at = plot.paid_at + timedelta(hours=draw.uniform(1, 30))
            plot.reason = "unavailable"
        else:
            _carried(draw, plot, plot.paid_at)
    return plot


def _carried(draw: random.Random, plot: OrderPlot, paid: datetime) -> None:
    """Most boxes leave and arrive; a few lie around until the end of the plot, are lost, or come back."""
    plot.carrier = draw.choices(CARRIERS, weights=(5, 3, 2))[0]
    if draw.random() < 0.015:
        return
    plot.shipped_at = paid + timedelta(hours=draw.uniform(8, 72))
    arrives = plot.shipped_at + timedelta(days=draw.uniform(1, 11))
    fate = draw.random()
    if fate < 0.008:
        plot.lost_at = arrives
    elif fate < 0.02:
        plot.returned_at = arrives
    else:
        plot.delivered_at = arrives


@dataclass(frozen=True, slots=True)
class LeadPlot:
    """A person who may become a customer: where they came from, and what becomes of them."""

    lead_id: str
    shopper: Shopper
    origin: str
    captured_at: datetime
    qualified_at: datetime | None
    won_at: datetime | None
    discarded_at: datetime | None

    @property
    def parcel(self) -> str:
        """What the carrier knows the welcome box by."""
        return f"fulfil-welcome-{self.shopper.customer_id}"


_LEAD_ORIGINS = ("organic_search", "paid_search", "social", "email", "referral")


def lead_plots(seed: int, days: int) -> Iterator[LeadPlot]:
    """The leads of that many days, in the order in which they are first heard of."""
    for number in range(days * LEADS_A_DAY):
        draw = random.Random(f"{seed}/lead/{number}")  # noqa: S311
        captured = SIMULATED_FROM + timedelta(days=(number + draw.random()) / LEADS_A_DAY)
        origin = draw.choices(_LEAD_ORIGINS, weights=(30, 25, 20, 10, 15))[0]
        qualified = captured + timedelta(days=draw.uniform(0.1, 3)) if draw.random() < 0.7 else None
        won = qualified + timedelta(days=draw.uniform(0.5, 8)) if qualified and draw.random() < 0.35 else None
        over = None if won else (qualified or captured) + timedelta(days=draw.uniform(4, 9))
        lead_id = f"lead-{seed}-{number:05d}"
        yield LeadPlot(lead_id, shopper(seed, 1_000_000 + number), origin, captured, qualified, won, over)
