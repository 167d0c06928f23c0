"""What can be asked about a customer."""

from __future__ import annotations

from datetime import datetime

from customers.values import Address, EmailAddress
from hanse.domain import Command, PersonalText, command


@command
class RegisterCustomer(Command):
    """Make a person a customer; `lead_id` tells which lead they were."""

    customer_id: str
    address: Address
    registered_at: datetime
    name: PersonalText = None
    email: EmailAddress | None = None
    lead_id: str | None = None


@command
class ChangeAddress(Command):
    """Record that the customer moved."""

    customer_id: str
    address: Address
    changed_at: datetime


@command
class ChangeEmail(Command):
    """Write to another address from now on."""

    customer_id: str
    email: EmailAddress
    changed_at: datetime


@command
class ForgetCustomer(Command):
    """Erase what is known of the person."""

    customer_id: str
    forgotten_at: datetime


@command
class TakeNote(Command):
    """Keep a note about the customer for the team."""

    customer_id: str
    note: str
    taken_at: datetime
