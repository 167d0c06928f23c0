"""The stock: every command in every state of its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from hanse.domain import Command, CommandRejected, Event
from hanse.testing import given, rejected
from inventory import commands as c
from inventory import events as e
from inventory.stock import Stock

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
S = "harbour/poetry"
RECEIVE = c.ReceiveStock(
    stock_id=S, seller_id="harbour", product_id="poetry", quantity=5, received_at=T, reorder_point=2
)
RESERVE = c.ReserveStock(stock_id=S, reservation_id="o1", quantity=3, reserved_at=T)
RELEASE = c.ReleaseReservation(stock_id=S, reservation_id="o1", released_at=T, reason="canceled")
COMMIT = c.CommitReservation(stock_id=S, reservation_id="o1", committed_at=T)

RECEIVED = e.StockReceived(
    stock_id=S, seller_id="harbour", product_id="poetry", quantity=5, reorder_point=2, received_at=T
)
RESERVED = e.StockReserved(stock_id=S, reservation_id="o1", quantity=3, reserved_at=T)
RELEASED = e.ReservationReleased(
    stock_id=S, reservation_id="o1", quantity=3, reason="canceled", released_at=T
)
COMMITTED = e.ReservationCommitted(stock_id=S, reservation_id="o1", quantity=3, committed_at=T)

STATES: dict[str, list[Event]] = {
    "unknown": [],
    "received": [RECEIVED],
    "reserved": [RECEIVED, RESERVED],
    "released": [RECEIVED, RESERVED, RELEASED],
    "committed": [RECEIVED, RESERVED, COMMITTED],
}
ANSWERS: list[tuple[Command, dict[str, Any]]] = [
    # "" stands for every state that is not named
    (RECEIVE, {"": RECEIVED}),
    (RESERVE, {"unknown": "stock-known", "reserved": "reservation-once", "committed": "stock-insufficient",
               "": RESERVED}),
    (RELEASE, {"unknown": "stock-known", "reserved": RELEASED, "": "reservation-open"}),
    (COMMIT, {"unknown": "stock-known", "reserved": COMMITTED, "": "reservation-open"}),
]  # fmt: skip
TABLE = [
    (state, command, answers.get(state, answers.get(""))) for command, answers in ANSWERS for state in STATES
]


@pytest.mark.parametrize(
    ("state", "command", "answer"), TABLE, ids=[f"{type(c).__name__} when {s}" for s, c, _ in TABLE]
)
def test_every_command_in_every_state(state: str, command: Command, answer: Event | str) -> None:
    expected = rejected(answer) if isinstance(answer, str) else answer
    given(Stock, *STATES[state]).when(command).then(expected)


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(RECEIVE, quantity=0), "quantity-positive"),
        (replace(RECEIVE, quantity=10**9), "stock-limit"),
        (replace(RECEIVE, seller_id="other"), "stock-of-one-product"),
        (replace(RECEIVE, reorder_point=-1), "reorder-point"),
        (replace(RESERVE, quantity=0), "quantity-positive"),
        (replace(RESERVE, quantity=6), "stock-insufficient"),
    ],
)
def test_what_makes_no_sense_is_rejected(command: Command, rule: str) -> None:
    given(Stock, RECEIVED).when(command).then(rejected(rule))


def test_a_release_has_a_known_reason() -> None:
    odd = replace(RELEASE, reason="mislaid")
    given(Stock, RECEIVED, RESERVED).when(odd).then(rejected("release-reason-known"))


def test_a_reorder_point_stays_until_another_is_given() -> None:
    again = replace(RECEIVE, reorder_point=None)
    after = given(Stock, RECEIVED).when(again).then(RECEIVED)
    assert (after.state.on_hand, after.state.reorder_point) == (10, 2)


WISHES = st.lists(
    st.tuples(
        st.sampled_from(["receive", "reserve", "release", "commit"]), st.integers(1, 4), st.integers(1, 3)
    ),
    max_size=40,
)


@for_all(WISHES)
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked_no_box_is_promised_twice(wishes: list[tuple[str, int, int]]) -> None:
    stock, lay, left = Stock(), 0, 0
    for wish, purpose, quantity in wishes:
        key = {"stock_id": S, "reservation_id": f"o{purpose}"}
        command: Command = {
            "receive": replace(RECEIVE, quantity=quantity),
            "reserve": c.ReserveStock(**key, quantity=quantity, reserved_at=T),
            "release": c.ReleaseReservation(**key, released_at=T, reason="expired"),
            "commit": c.CommitReservation(**key, committed_at=T),
        }[wish]
        try:
            events = stock.decide(command)
        except CommandRejected:
            continue
        for event in events:
            stock.apply(event)
            lay += event.quantity if isinstance(event, e.StockReceived) else 0
            left += event.quantity if isinstance(event, e.ReservationCommitted) else 0
        assert 0 <= stock.reserved <= stock.on_hand == lay - left
        assert stock.reserved == sum(stock.reservations.values())
