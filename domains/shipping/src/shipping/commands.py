"""What can be asked of a shipment."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Command, command


@command
class PlanShipment(Command):
    """Ask the carrier to bring what one order holds to a door in `destination_state`."""

    shipment_id: str
    order_id: str
    carrier: str
    destination_state: str
    planned_at: datetime
    origin_state: str | None = None
    promised_at: datetime | None = None


@command
class HandOverShipment(Command):
    """Record that the carrier took the shipment."""

    shipment_id: str
    handed_over_at: datetime


@command
class DeliverShipment(Command):
    """Record that the shipment is at the door."""

    shipment_id: str
    delivered_at: datetime


@command
class LoseShipment(Command):
    """Record that the carrier gave the shipment up."""

    shipment_id: str
    lost_at: datetime


@command
class ReturnShipment(Command):
    """Record that the shipment came back, because nobody took it."""

    shipment_id: str
    returned_at: datetime


@command
class CallOffShipment(Command):
    """Do not carry it after all."""

    shipment_id: str
    called_off_at: datetime
