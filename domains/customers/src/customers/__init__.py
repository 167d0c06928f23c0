"""The customers domain: who buys, where they live, and how they are forgotten."""

from customers.automations import when_lead_won_then_register_customer
from customers.customer import Customer
from customers.published import integration
from hanse.domain import Application

application = Application(
    "customers",
    aggregates=[Customer],
    integration=integration,
    sagas=[when_lead_won_then_register_customer],
)

__all__ = ["Customer", "application"]
