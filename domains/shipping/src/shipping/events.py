"""What happens to a shipment. The stored names never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hanse.domain import Event, event, upcaster


@event("ShipmentPlanned", version=2)
class ShipmentPlanned(Event):
    """A carrier was asked. Version 1 did not say where the shipment leaves from."""

    shipment_id: str
    order_id: str
    carrier: str
    origin_state: str | None
    destination_state: str
    promised_at: datetime | None
    planned_at: datetime


@upcaster(ShipmentPlanned, 1)
def _origin_unknown(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "origin_state": None}


@event("ShipmentHandedOver")
class ShipmentHandedOver(Event):
    """The carrier took the shipment."""

    shipment_id: str
    handed_over_at: datetime


@event("ShipmentDelivered")
class ShipmentDelivered(Event):
    """The shipment is at the door; `late` when it came after the promise."""

    shipment_id: str
    delivered_at: datetime
    late: bool


@event("ShipmentLost")
class ShipmentLost(Event):
    """The carrier gave it up."""

    shipment_id: str
    lost_at: datetime


@event("ShipmentReturned")
class ShipmentReturned(Event):
    """It came back."""

    shipment_id: str
    returned_at: datetime


@event("ShipmentCalledOff")
class ShipmentCalledOff(Event):
    """It will not be carried."""

    shipment_id: str
    called_off_at: datetime
