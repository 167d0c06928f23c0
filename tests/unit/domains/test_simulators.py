from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import customers.demo
import inventory.demo
import leads.demo
import orders.demo
import shipping.demo
from hanse.domain import Command
from hanse.domain.demo import SIMULATED_FROM, Timed, arrivals
from shipping.commands import HandOverShipment

ALL = {
    m.__name__.split(".")[0]: m
    for m in (customers.demo, inventory.demo, leads.demo, orders.demo, shipping.demo)
}
DEMOS = pytest.mark.parametrize("demo", ALL.values(), ids=ALL.keys())


def play(demo: object, seed: int, days: int = 3) -> list[Timed]:
    return list(demo.simulate(seed, days))  # pyright: ignore[reportAttributeAccessIssue]


@DEMOS
def test_a_seed_always_plays_the_same(demo: object) -> None:
    assert play(demo, 5) == play(demo, 5)
    assert play(demo, 5) != play(demo, 6)


@DEMOS
def test_messages_come_in_order_of_arrival_each_a_row(demo: object) -> None:
    stream = play(demo, 5)
    assert [t.at for t in stream] == sorted(t.at for t in stream)
    assert [t.rows[0].line for t in stream] == list(range(1, len(stream) + 1))


@DEMOS
def test_some_commands_come_twice(demo: object) -> None:
    stream = play(demo, 5)
    assert len({t.command_id for t in stream}) < len(stream)


def test_some_orders_arrive_out_of_order() -> None:
    placed = [t.outcome.placed_at for t in play(orders.demo, 5) if hasattr(t.outcome, "placed_at")]
    assert placed != sorted(placed)


def test_orders_are_placed_by_customers_who_have_joined() -> None:
    known = {t.outcome.customer_id for t in play(customers.demo, 5)}
    buyers = {t.outcome.customer_id for t in play(orders.demo, 5) if hasattr(t.outcome, "placed_at")}
    assert buyers <= known


def test_carriers_respond_only_to_what_sagas_ask_for() -> None:
    stream = list(shipping.demo.respond(5, 4))
    assert stream
    assert all(t.outcome.shipment_id.startswith("fulfil-") for t in stream)
    unasked = {t.outcome.shipment_id for t in play(shipping.demo, 5, 4)}
    assert not unasked & {t.outcome.shipment_id for t in stream}


def test_a_long_stream_begins_before_its_plot_was_read_to_the_end() -> None:
    """So what waits in memory is what is under way, however many days are played."""
    begun: list[datetime] = []

    def lives() -> Iterator[tuple[datetime, list[tuple[datetime, Command, str]]]]:
        for day in range(1_000):
            at = SIMULATED_FROM + timedelta(days=day)
            begun.append(at)
            command = HandOverShipment(shipment_id=str(day), handed_over_at=at)
            yield at, [(at, command, str(day)), (at + timedelta(days=3), command, f"{day}/again")]

    stream = arrivals(random.Random(1), "made-up", lives(), lambda _: timedelta(seconds=1))
    seen = [next(stream) for _ in range(100)]
    assert len(begun) < 60
    assert [t.at for t in seen] == sorted(t.at for t in seen)
    assert len(seen) + sum(1 for _ in stream) >= 2_000
