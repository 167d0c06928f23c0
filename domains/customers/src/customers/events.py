"""What happens to a customer. The stored names never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from customers.values import Address, EmailAddress
from hanse.domain import Event, PersonalText, event, upcaster


@event("CustomerRegistered", version=2, subject="customer_id")
class CustomerRegistered(Event):
    """A person became a customer. Version 1 did not say which lead they were."""

    customer_id: str
    name: PersonalText
    email: EmailAddress | None
    address: Address
    registered_at: datetime
    lead_id: str | None


@upcaster(CustomerRegistered, 1)
def _no_lead(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "lead_id": None}


@event("CustomerAddressChanged", subject="customer_id")
class CustomerAddressChanged(Event):
    """The customer moved."""

    customer_id: str
    address: Address
    previous_state: str
    changed_at: datetime


@event("CustomerEmailChanged", subject="customer_id")
class CustomerEmailChanged(Event):
    """The customer gave another e-mail address."""

    customer_id: str
    email: EmailAddress | None
    changed_at: datetime


@event("CustomerForgotten", subject="customer_id", forgets=True)
class CustomerForgotten(Event):
    """The customer's personal data was erased: the key that opens it is destroyed."""

    customer_id: str
    forgotten_at: datetime


@event("CustomerNoteTaken", subject="customer_id")
class CustomerNoteTaken(Event):
    """Someone of the team wrote a note about the customer. It stays in the domain."""

    customer_id: str
    note: PersonalText
    taken_at: datetime
