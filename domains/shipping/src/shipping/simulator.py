"""A simulated month on the road: shipments are planned, taken, arrive, come back or are lost."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from hanse.domain import Command
from hanse.domain.demo import Timed, arrivals
from hanse.domain.plot import ORIGINS, PROMISED, LeadPlot, OrderPlot, lead_plots, order_plots
from shipping.commands import (
    CallOffShipment,
    DeliverShipment,
    HandOverShipment,
    LoseShipment,
    PlanShipment,
    ReturnShipment,
)

_Step = tuple[datetime, Command, str]


def simulate(seed: int, days: int = 30) -> Iterator[Timed]:
    """The shipping commands in the order of arrival. The same seed gives the same stream.

    Each message counts as a row of the file `simulator/shipping`. Carriers scan late at times.
    """
    draw = random.Random(f"{seed}/shipping")  # noqa: S311
    lives = ((plot.placed_at, _life(plot)) for plot in order_plots(seed, days))
    return arrivals(draw, "simulator/shipping", lives, _delay)


def _delay(draw: random.Random) -> timedelta:
    if draw.random() < 0.02:
        return timedelta(hours=draw.uniform(0.5, 4))
    return timedelta(seconds=min(draw.expovariate(1 / 30), 240))


def _life(plot: OrderPlot) -> Iterator[_Step]:
    if plot.paid_at is None or not plot.boxes or plot.managed:
        return
    shipment, name = plot.parcel, f"simulator/shipping/{plot.seed}/{plot.number}"
    plan = PlanShipment(
        shipment_id=shipment,
        order_id=plot.order_id,
        carrier=plot.carrier,
        origin_state=ORIGINS[plot.boxes[0].seller_id],
        destination_state=plot.buyer.state,
        promised_at=plot.placed_at + PROMISED,
        planned_at=plot.paid_at,
    )
    yield plot.paid_at, plan, f"{name}/plan"
    if (at := plot.cancelled_at) is not None:
        yield at, CallOffShipment(shipment_id=shipment, called_off_at=at), f"{name}/call-off"
    yield from _carried(plot, name)


def _carried(plot: OrderPlot, name: str) -> Iterator[_Step]:
    shipment = plot.parcel
    if (at := plot.shipped_at) is not None:
        yield at, HandOverShipment(shipment_id=shipment, handed_over_at=at), f"{name}/hand-over"
    if (at := plot.delivered_at) is not None:
        yield at, DeliverShipment(shipment_id=shipment, delivered_at=at), f"{name}/deliver"
    if (at := plot.lost_at) is not None:
        yield at, LoseShipment(shipment_id=shipment, lost_at=at), f"{name}/lose"
        if plot.chance("shipping").random() < 0.2:
            found = at + timedelta(days=1)
            yield found, DeliverShipment(shipment_id=shipment, delivered_at=found), f"{name}/found"
    if (at := plot.returned_at) is not None:
        yield at, ReturnShipment(shipment_id=shipment, returned_at=at), f"{name}/return"


def respond(seed: int, days: int = 30) -> Iterator[Timed]:
    """What carriers do about the shipments that sagas have asked for, in the order of arrival.

    Each message counts as a row of the file `simulator/carriers`.
    """
    draw = random.Random(f"{seed}/carriers")  # noqa: S311
    orders = (
        (plot.placed_at, _carried(plot, f"simulator/carriers/{plot.order_id}"))
        for plot in order_plots(seed, days)
        if plot.managed and plot.boxes
    )
    welcomes = ((plot.captured_at, _welcomed(plot)) for plot in lead_plots(seed, days))
    lives = heapq.merge(orders, welcomes, key=_begins)
    return arrivals(draw, "simulator/carriers", lives, _delay)


def _begins(life: tuple[datetime, Iterable[_Step]]) -> datetime:
    return life[0]


def _welcomed(plot: LeadPlot) -> Iterator[_Step]:
    if plot.won_at is None:
        return
    parcel, name = plot.parcel, f"simulator/carriers/{plot.lead_id}"
    taken, arrived = plot.won_at + timedelta(days=1), plot.won_at + timedelta(days=4)
    yield taken, HandOverShipment(shipment_id=parcel, handed_over_at=taken), f"{name}/hand-over"
    yield arrived, DeliverShipment(shipment_id=parcel, delivered_at=arrived), f"{name}/deliver"
