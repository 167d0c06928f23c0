"""The shipment: every command in every state of its life, and its events of old versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hanse.domain import Command, Event
from hanse.domain.codec import as_stored, decoder
from hanse.testing import given, rejected
from shipping import commands as c
from shipping import events as e
from shipping.shipment import Shipment

DAY = timedelta(days=1)
T = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = c.PlanShipment(
    shipment_id="s1", order_id="o1", carrier="quick", origin_state="RJ", destination_state="SP",
    promised_at=T + 9 * DAY, planned_at=T,
)  # fmt: skip
TAKE = c.HandOverShipment(shipment_id="s1", handed_over_at=T + DAY)
DELIVER = c.DeliverShipment(shipment_id="s1", delivered_at=T + 5 * DAY)
LOSE = c.LoseShipment(shipment_id="s1", lost_at=T + 6 * DAY)
RETURN = c.ReturnShipment(shipment_id="s1", returned_at=T + 6 * DAY)
CALL_OFF = c.CallOffShipment(shipment_id="s1", called_off_at=T + 2 * DAY)

PLANNED = e.ShipmentPlanned(
    shipment_id="s1", order_id="o1", carrier="quick", origin_state="RJ", destination_state="SP",
    promised_at=T + 9 * DAY, planned_at=T,
)  # fmt: skip
TAKEN = e.ShipmentHandedOver(shipment_id="s1", handed_over_at=T + DAY)
DELIVERED = e.ShipmentDelivered(shipment_id="s1", delivered_at=T + 5 * DAY, late=False)
LOST = e.ShipmentLost(shipment_id="s1", lost_at=T + 6 * DAY)
RETURNED = e.ShipmentReturned(shipment_id="s1", returned_at=T + 6 * DAY)
CALLED_OFF = e.ShipmentCalledOff(shipment_id="s1", called_off_at=T + 2 * DAY)

STATES: dict[str, list[Event]] = {
    "unknown": [],
    "planned": [PLANNED],
    "on the way": [PLANNED, TAKEN],
    "delivered": [PLANNED, TAKEN, DELIVERED],
    "lost": [PLANNED, TAKEN, LOST],
    "returned": [PLANNED, TAKEN, RETURNED],
    "called off": [PLANNED, CALLED_OFF],
}
EARLY = "end-before-hand-over"
ANSWERS: list[tuple[Command, dict[str, Any]]] = [
    # "" stands for every state that is not named
    (PLAN, {"unknown": PLANNED, "": "shipment-planned-once"}),
    (TAKE, {"unknown": "shipment-known", "planned": TAKEN, "on the way": "hand-over-once", "": "shipment-ended"}),
    (DELIVER, {"unknown": "shipment-known", "planned": EARLY, "on the way": DELIVERED, "": "shipment-ended"}),
    (LOSE, {"unknown": "shipment-known", "planned": EARLY, "on the way": LOST, "": "shipment-ended"}),
    (RETURN, {"unknown": "shipment-known", "planned": EARLY, "on the way": RETURNED, "": "shipment-ended"}),
    (CALL_OFF, {"unknown": "shipment-known", "planned": CALLED_OFF, "on the way": "call-off-after-hand-over",
                "": "shipment-ended"}),
]  # fmt: skip
TABLE = [
    (state, command, answers.get(state, answers.get(""))) for command, answers in ANSWERS for state in STATES
]


@pytest.mark.parametrize(
    ("state", "command", "answer"), TABLE, ids=[f"{type(c).__name__} when {s}" for s, c, _ in TABLE]
)
def test_every_command_in_every_state(state: str, command: Command, answer: Event | str) -> None:
    expected = rejected(answer) if isinstance(answer, str) else answer
    after = given(Shipment, *STATES[state]).when(command).then(expected)
    assert after.state.status in STATES


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(PLAN, carrier=" "), "shipment-carrier"),
        (replace(PLAN, destination_state="sp"), "state-code"),
        (replace(PLAN, origin_state="Rio"), "state-code"),
    ],
)
def test_a_plan_is_whole(command: Command, rule: str) -> None:
    given(Shipment).when(command).then(rejected(rule))


def test_nothing_is_taken_before_it_was_planned_or_arrives_before_it_was_taken() -> None:
    early = replace(TAKE, handed_over_at=T - DAY)
    given(Shipment, PLANNED).when(early).then(rejected("hand-over-before-plan"))
    early_end = replace(DELIVER, delivered_at=T)
    given(Shipment, PLANNED, TAKEN).when(early_end).then(rejected(EARLY))


def test_late_is_after_the_promise() -> None:
    at = T + 9 * DAY
    given(Shipment, PLANNED, TAKEN).when(replace(DELIVER, delivered_at=at)).then(
        replace(DELIVERED, delivered_at=at, late=False)
    )
    after = at + timedelta(seconds=1)
    given(Shipment, PLANNED, TAKEN).when(replace(DELIVER, delivered_at=after)).then(
        replace(DELIVERED, delivered_at=after, late=True)
    )


def test_a_plan_stored_without_an_origin_is_read() -> None:
    stored = {
        "shipment_id": "s1", "order_id": "o1", "carrier": "quick", "destination_state": "SP",
        "promised_at": None, "planned_at": "2026-03-01T12:00:00+00:00",
    }  # fmt: skip
    read = decoder(e.ShipmentPlanned)(e.ShipmentPlanned.upcasters[1](stored), as_stored)
    assert read == replace(PLANNED, origin_state=None, promised_at=None)
