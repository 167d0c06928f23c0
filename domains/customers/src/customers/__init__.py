"""The customers domain: who buys, where they live, and how they are forgotten."""

from customers.customer import Customer
from customers.published import integration
from hanse.domain import Application

application = Application("customers", aggregates=[Customer], integration=integration)

__all__ = ["Customer", "application"]
