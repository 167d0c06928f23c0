"""The saga that fulfils a managed order: reserve its boxes, wait for the money, ship, deliver; or undo it all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hanse.domain import Backoff, Fact, Facts, Saga, Send, Step, When, moment_of
from orders.commands import CancelOrder, DeliverOrder, RefundPayment, ShipOrder
from orders.values import MOST_MANAGED

PLACED, SOLD = "orders.order_placed", "orders.order_item_sold"
PAID, CANCELLED = "orders.payment_confirmed", "orders.order_cancelled"
TAKEN, ARRIVED, FAILED = (
    "shipping.shipment_handed_over",
    "shipping.shipment_delivered",
    "shipping.shipment_failed",
)
CARRIER = "north-star"
ORIGINS = {"harbour-books": "SP", "star-shelf": "RJ", "little-owl": "MG", "market-press": "PR"}
"""Where the boxes of the sellers that we ship for leave from."""
_SHIPMENT = "fulfil-"


def _managed(fact: Fact) -> str | None:
    return str(fact["order_id"]) if fact["managed"] else None


def _shipped(fact: Fact) -> str | None:
    """The managed order that a shipment is for: a notification names nothing but the shipment."""
    shipment = str(fact["shipment_id"])
    return shipment.removeprefix(_SHIPMENT) if shipment.startswith(_SHIPMENT) else None


def _called_off(fact: Fact) -> bool:
    return fact["how"] == "called off"


def _latest(seen: Facts) -> datetime:
    """The latest moment that the process knows of."""
    times = ((PLACED, "placed_at"), (PAID, "confirmed_at"), (TAKEN, "handed_over_at"), (FAILED, "failed_at"))
    return max(moment_of(seen[topic][name]) for topic, name in times if topic in seen)


def _knows_its_boxes(seen: Facts) -> bool:
    return PLACED in seen and len(seen.all(SOLD)) >= seen[PLACED]["item_count"]


def _cancel(seen: Facts) -> Send | None:
    if CANCELLED in seen:
        return None
    command = CancelOrder(order_id=seen.key, cancelled_at=_latest(seen), reason="unavailable")
    return Send("orders", command)


def _of_box(number: int, name: str, moment: str) -> Callable[[Facts], Send | None]:
    """The command to inventory about the order's box of that number; None when it has fewer."""

    def make(seen: Facts) -> Send | None:
        box = next((f for f in seen.all(SOLD) if f["item_number"] == number), None)
        if box is None or (name == "ReleaseReservation" and TAKEN in seen):
            return None
        body = {
            "stock_id": f"{box['seller_id']}/{box['product_id']}",
            "reservation_id": f"{seen.key}/{number}",
            moment: _latest(seen),
        }
        more = {"ReserveStock": {"quantity": 1}, "ReleaseReservation": {"reason": "canceled"}}.get(name, {})
        return Send("inventory", name, {**body, **more})

    return make


def _refund(seen: Facts) -> Send:
    return Send("orders", RefundPayment(order_id=seen.key, refunded_at=_latest(seen)))


def _plan_shipment(seen: Facts) -> Send:
    order = seen[PLACED]
    promised = order["estimated_delivery"]
    return Send(
        "shipping",
        "PlanShipment",
        {
            "shipment_id": f"{_SHIPMENT}{seen.key}",
            "order_id": seen.key,
            "carrier": CARRIER,
            "origin_state": ORIGINS.get(seen[SOLD]["seller_id"]),
            "destination_state": order["customer_state"],
            "promised_at": promised and moment_of(promised),
            "planned_at": _latest(seen),
        },
    )


def _call_off(seen: Facts) -> Send | None:
    if TAKEN in seen or FAILED in seen:
        return None
    body = {"shipment_id": f"{_SHIPMENT}{seen.key}", "called_off_at": _latest(seen)}
    return Send("shipping", "CallOffShipment", body)


def _ship(seen: Facts) -> Send:
    at = moment_of(seen[TAKEN]["handed_over_at"])
    return Send("orders", ShipOrder(order_id=seen.key, shipped_at=at))


def _deliver(seen: Facts) -> Send:
    at = moment_of(seen[ARRIVED]["delivered_at"])
    return Send("orders", DeliverOrder(order_id=seen.key, delivered_at=at))


_BOXES = range(1, MOST_MANAGED + 1)

fulfil_order = Saga(
    name="fulfil_order",
    purpose="Brings a managed order to its door, or leaves everything as it was.",
    starts=When(PLACED, by=_managed),
    gathers=(When(SOLD, by=_managed),),
    aborts=(When(CANCELLED, by=_managed),),
    steps=(
        Step(name="know_boxes", until=_knows_its_boxes, undo=_cancel, timeout=timedelta(hours=1)),
        *(
            Step(
                name=f"reserve_box_{n}",
                command=_of_box(n, "ReserveStock", "reserved_at"),
                undo=_of_box(n, "ReleaseReservation", "released_at"),
                retry=Backoff(attempts=3, pause=timedelta(hours=1), rules=("stock-insufficient",)),
                timeout=timedelta(days=2),
            )
            for n in _BOXES
        ),
        Step(name="await_payment", done=When(PAID, by=_managed), undo=_refund, timeout=timedelta(days=3)),
        Step(
            name="hand_over",
            command=_plan_shipment,
            done=When(TAKEN, by=_shipped),
            fails=(When(FAILED, by=_shipped, where=_called_off),),
            undo=_call_off,
            timeout=timedelta(days=7),
        ),
        *(
            Step(name=f"commit_box_{n}", command=_of_box(n, "CommitReservation", "committed_at"))
            for n in _BOXES
        ),
        Step(name="tell_shipped", command=_ship),
        Step(
            name="await_delivery",
            done=When(ARRIVED, by=_shipped),
            fails=(When(FAILED, by=_shipped),),
            timeout=timedelta(days=30),
        ),
        Step(name="tell_delivered", command=_deliver),
    ),
)
