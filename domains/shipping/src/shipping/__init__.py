"""The shipping domain: from a seller's shelf to a customer's door."""

from hanse.domain import Application
from shipping.published import integration
from shipping.shipment import Shipment

application = Application("shipping", aggregates=[Shipment], integration=integration)

__all__ = ["Shipment", "application"]
