"""The shipment: what may happen to it on its way, and when."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Aggregate, applies, decides, require
from shipping import commands as c
from shipping import events as e


class Shipment(Aggregate, name="shipment", identity="shipment_id"):
    """One carriage to one door. It ends once: delivered, lost, returned or called off."""

    def __init__(self) -> None:
        super().__init__()
        self.shipment_id = ""
        self.order_id = ""
        self.carrier = ""
        self.origin_state: str | None = None
        self.destination_state = ""
        self.status = "unknown"
        self.promised_at: datetime | None = None
        self.planned_at: datetime | None = None
        self.handed_over_at: datetime | None = None
        self.ended_at: datetime | None = None

    @decides(c.PlanShipment)
    def plan(self, command: c.PlanShipment) -> list[e.ShipmentPlanned]:
        """A shipment is planned once, with a carrier, to a state."""
        require(self.version == 0, "shipment-planned-once", "the shipment was planned before")
        require(bool(command.carrier.strip()), "shipment-carrier", "a shipment has a carrier")
        _require_state(command.destination_state)
        if command.origin_state is not None:
            _require_state(command.origin_state)
        return [
            e.ShipmentPlanned(
                shipment_id=command.shipment_id,
                order_id=command.order_id,
                carrier=command.carrier,
                origin_state=command.origin_state,
                destination_state=command.destination_state,
                promised_at=command.promised_at,
                planned_at=command.planned_at,
            )
        ]

    @decides(c.HandOverShipment)
    def hand_over(self, command: c.HandOverShipment) -> list[e.ShipmentHandedOver]:
        """The carrier takes a planned shipment, once, and not before it was planned."""
        self._require_under_way()
        require(self.handed_over_at is None, "hand-over-once", "the carrier has it already")
        require(
            self.planned_at is not None and command.handed_over_at >= self.planned_at,
            "hand-over-before-plan",
            "the carrier cannot have a shipment before it was planned",
        )
        return [e.ShipmentHandedOver(shipment_id=self.shipment_id, handed_over_at=command.handed_over_at)]

    @decides(c.DeliverShipment)
    def deliver(self, command: c.DeliverShipment) -> list[e.ShipmentDelivered]:
        """What the carrier has arrives, and not before it left."""
        self._require_carried(command.delivered_at)
        late = self.promised_at is not None and command.delivered_at > self.promised_at
        return [
            e.ShipmentDelivered(shipment_id=self.shipment_id, delivered_at=command.delivered_at, late=late)
        ]

    @decides(c.LoseShipment)
    def lose(self, command: c.LoseShipment) -> list[e.ShipmentLost]:
        """What the carrier has can be lost."""
        self._require_carried(command.lost_at)
        return [e.ShipmentLost(shipment_id=self.shipment_id, lost_at=command.lost_at)]

    @decides(c.ReturnShipment)
    def bring_back(self, command: c.ReturnShipment) -> list[e.ShipmentReturned]:
        """What the carrier has can come back."""
        self._require_carried(command.returned_at)
        return [e.ShipmentReturned(shipment_id=self.shipment_id, returned_at=command.returned_at)]

    @decides(c.CallOffShipment)
    def call_off(self, command: c.CallOffShipment) -> list[e.ShipmentCalledOff]:
        """What the carrier has not taken yet can be called off."""
        self._require_under_way()
        require(self.handed_over_at is None, "call-off-after-hand-over", "the carrier has it already")
        return [e.ShipmentCalledOff(shipment_id=self.shipment_id, called_off_at=command.called_off_at)]

    @applies(e.ShipmentPlanned)
    def _planned(self, event: e.ShipmentPlanned) -> None:
        self.shipment_id, self.order_id, self.carrier = event.shipment_id, event.order_id, event.carrier
        self.origin_state, self.destination_state = event.origin_state, event.destination_state
        self.promised_at, self.planned_at = event.promised_at, event.planned_at
        self.status = "planned"

    @applies(e.ShipmentHandedOver)
    def _handed_over(self, event: e.ShipmentHandedOver) -> None:
        self.status, self.handed_over_at = "on the way", event.handed_over_at

    @applies(e.ShipmentDelivered)
    def _delivered(self, event: e.ShipmentDelivered) -> None:
        self.status, self.ended_at = "delivered", event.delivered_at

    @applies(e.ShipmentLost)
    def _lost(self, event: e.ShipmentLost) -> None:
        self.status, self.ended_at = "lost", event.lost_at

    @applies(e.ShipmentReturned)
    def _returned(self, event: e.ShipmentReturned) -> None:
        self.status, self.ended_at = "returned", event.returned_at

    @applies(e.ShipmentCalledOff)
    def _called_off(self, event: e.ShipmentCalledOff) -> None:
        self.status, self.ended_at = "called off", event.called_off_at

    def _require_carried(self, until: datetime) -> None:
        self._require_under_way()
        require(
            self.handed_over_at is not None and until >= self.handed_over_at,
            "end-before-hand-over",
            "a shipment cannot end its way before the carrier had it",
        )

    def _require_under_way(self) -> None:
        require(self.version > 0, "shipment-known", "no shipment with that id was planned")
        require(self.ended_at is None, "shipment-ended", f"the shipment is {self.status}")


def _require_state(text: str) -> None:
    require(
        len(text) == 2 and text.isalpha() and text.isupper(), "state-code", "a state has two capital letters"
    )
