"""A simulated month on the shelves: boxes come every few days, are reserved, leave or are released."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from hanse.domain import Command
from hanse.domain.demo import SIMULATED_FROM, Timed, arrivals
from hanse.domain.plot import BOXES, Box, OrderPlot, order_plots
from inventory.commands import CommitReservation, ReceiveStock, ReleaseReservation, ReserveStock
from inventory.values import stock_of

EVERY = timedelta(days=3)
"""Between two deliveries of a supplier."""
SUPPLY = 36
WELCOME = ("surprise", 9)
"""The box that new customers are given, and how many more of it come each time."""
REORDER_POINT = 12

_Step = tuple[datetime, Command, str]
_Life = tuple[datetime, Iterable[_Step]]


def simulate(seed: int, days: int = 30) -> Iterator[Timed]:
    """The inventory's commands in the order of arrival. The same seed gives the same stream.

    Suppliers bring less than is wanted of some boxes, so that reservations are refused at times. Each message
    counts as a row of the file `simulator/inventory`.
    """
    draw = random.Random(f"{seed}/inventory")  # noqa: S311
    orders = ((plot.placed_at, _reservations(plot)) for plot in order_plots(seed, days))
    lives = heapq.merge(_supplies(seed, days), orders, key=_begins)
    return arrivals(draw, "simulator/inventory", lives, _delay)


def _begins(life: _Life) -> datetime:
    return life[0]


def _delay(draw: random.Random) -> timedelta:
    return timedelta(seconds=draw.expovariate(1 / 5))


def _supplies(seed: int, days: int) -> Iterator[_Life]:
    at, number = SIMULATED_FROM, 0
    while at <= SIMULATED_FROM + timedelta(days=days):
        yield at, _delivery(seed, number, at)
        at, number = at + EVERY, number + 1


def _delivery(seed: int, number: int, at: datetime) -> Iterator[_Step]:
    draw = random.Random(f"{seed}/supply/{number}")  # noqa: S311
    for box in BOXES:
        quantity = draw.randint(SUPPLY - 6, SUPPLY + 6)
        quantity += WELCOME[1] if box.product_id == WELCOME[0] else 0
        yield (
            at,
            ReceiveStock(
                stock_id=_stock(box),
                seller_id=box.seller_id,
                product_id=box.product_id,
                quantity=quantity,
                reorder_point=REORDER_POINT,
                received_at=at,
            ),
            f"simulator/inventory/{seed}/supply/{number}/{box.product_id}",
        )


def _reservations(plot: OrderPlot) -> Iterator[_Step]:
    if plot.managed:
        return
    for box in plot.boxes:
        name = f"simulator/inventory/{plot.seed}/{plot.number}/{box.product_id}"
        stock, order = _stock(box), plot.order_id
        at = plot.placed_at
        reserve = ReserveStock(stock_id=stock, reservation_id=order, quantity=1, reserved_at=at)
        yield at, reserve, f"{name}/reserve"
        if plot.cancelled_at is not None:
            at = plot.cancelled_at
            reason = plot.reason or "canceled"
            release = ReleaseReservation(stock_id=stock, reservation_id=order, released_at=at, reason=reason)
            yield at, release, f"{name}/release"
        if plot.shipped_at is not None:
            at = plot.shipped_at
            commit = CommitReservation(stock_id=stock, reservation_id=order, committed_at=at)
            yield at, commit, f"{name}/commit"


def _stock(box: Box) -> str:
    return stock_of(box.seller_id, box.product_id)
