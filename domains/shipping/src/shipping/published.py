"""The published language of the shipping domain.

Domain events tell what a reader acts on; the state topic carries the whole shipment; failures are
notifications: they say that something happened, and where the rest is to be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from hanse.domain import Envelope, Integration, Publish
from shipping import events as e
from shipping.shipment import Shipment

integration = Integration()


@integration.publishes(e.ShipmentPlanned)
def shipment_planned(event: e.ShipmentPlanned, _: Shipment, __: Envelope) -> Iterator[Publish]:
    """The plan."""
    yield Publish(
        "shipment_planned",
        {
            "shipment_id": event.shipment_id,
            "order_id": event.order_id,
            "carrier": event.carrier,
            "origin_state": event.origin_state,
            "destination_state": event.destination_state,
            "promised_at": event.promised_at,
            "planned_at": event.planned_at,
        },
    )


@integration.publishes(e.ShipmentHandedOver)
def shipment_handed_over(event: e.ShipmentHandedOver, shipment: Shipment, _: Envelope) -> Iterator[Publish]:
    """That the carrier has it."""
    yield Publish(
        "shipment_handed_over",
        {
            "shipment_id": event.shipment_id,
            "order_id": shipment.order_id,
            "carrier": shipment.carrier,
            "handed_over_at": event.handed_over_at,
        },
    )


@integration.publishes(e.ShipmentDelivered)
def shipment_delivered(event: e.ShipmentDelivered, shipment: Shipment, _: Envelope) -> Iterator[Publish]:
    """That it is at the door, and how long that took."""
    assert shipment.handed_over_at is not None
    hours = int((event.delivered_at - shipment.handed_over_at).total_seconds() // 3_600)
    yield Publish(
        "shipment_delivered",
        {
            "shipment_id": event.shipment_id,
            "order_id": shipment.order_id,
            "carrier": shipment.carrier,
            "origin_state": shipment.origin_state,
            "destination_state": shipment.destination_state,
            "handed_over_at": shipment.handed_over_at,
            "delivered_at": event.delivered_at,
            "hours_on_the_way": hours,
            "late": event.late,
        },
    )


@integration.publishes(e.ShipmentLost)
def shipment_lost(event: e.ShipmentLost, shipment: Shipment, _: Envelope) -> Iterator[Publish]:
    """That it will not arrive."""
    yield _failed(shipment, "lost", event.lost_at)


@integration.publishes(e.ShipmentReturned)
def shipment_returned(event: e.ShipmentReturned, shipment: Shipment, _: Envelope) -> Iterator[Publish]:
    """That it came back."""
    yield _failed(shipment, "returned", event.returned_at)


@integration.publishes(e.ShipmentCalledOff)
def shipment_called_off(event: e.ShipmentCalledOff, shipment: Shipment, _: Envelope) -> Iterator[Publish]:
    """That nobody will carry it."""
    yield _failed(shipment, "called off", event.called_off_at)


@integration.publishes(
    e.ShipmentPlanned,
    e.ShipmentHandedOver,
    e.ShipmentDelivered,
    e.ShipmentLost,
    e.ShipmentReturned,
    e.ShipmentCalledOff,
)
def shipment_state(_: object, shipment: Shipment, envelope: Envelope) -> Iterator[Publish]:
    """The whole shipment as it is now."""
    yield Publish(
        "shipments",
        {
            "shipment_id": shipment.shipment_id,
            "order_id": shipment.order_id,
            "carrier": shipment.carrier,
            "origin_state": shipment.origin_state,
            "destination_state": shipment.destination_state,
            "status": shipment.status,
            "promised_at": shipment.promised_at,
            "planned_at": shipment.planned_at,
            "handed_over_at": shipment.handed_over_at,
            "ended_at": shipment.ended_at,
            "version": shipment.version,
            "updated_at": envelope.time,
        },
    )


def _failed(shipment: Shipment, how: str, at: datetime) -> Publish:
    return Publish(
        "shipment_failed",
        {
            "shipment_id": shipment.shipment_id,
            "how": how,
            "failed_at": at,
            "link": f"/shipping/shipment/{shipment.shipment_id}?version={shipment.version}",
        },
    )
