"""What the customers domain does about the events of others."""

from __future__ import annotations

from customers.commands import RegisterCustomer
from customers.values import Address
from hanse.domain import Fact, Send, When, moment_of


def _became_customer(fact: Fact) -> bool:
    return fact["party"] == "customer" and fact["city"] is not None and fact["state"] is not None


def _register(fact: Fact) -> Send:
    """The leads domain keeps name and e-mail address to itself: the customer may give them anew."""
    return Send(
        "customers",
        RegisterCustomer(
            customer_id=fact["party_id"],
            address=Address(None, None, fact["city"], fact["state"]),
            registered_at=moment_of(fact["won_at"]),
            lead_id=fact["lead_id"],
        ),
    )


when_lead_won_then_register_customer = When("leads.lead_won", where=_became_customer).then(
    _register,
    name="when_lead_won_then_register_customer",
    purpose="A lead that was won as a customer is one.",
)
