"""The published language of the customers domain. Personal texts leave it as ciphertexts only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from customers import events as e
from customers.customer import Customer
from customers.values import Address, EmailAddress
from hanse.domain import Envelope, Integration, Publish

integration = Integration(private=(e.CustomerNoteTaken,))


@integration.publishes(e.CustomerRegistered)
def customer_registered(event: e.CustomerRegistered, _: Customer, __: Envelope) -> Iterator[Publish]:
    """The new customer."""
    yield Publish(
        "customer_registered",
        {
            "customer_id": event.customer_id,
            "name": event.name,
            "email": _text(event.email),
            **_address(event.address),
            "registered_at": event.registered_at,
            "lead_id": event.lead_id,
        },
    )


@integration.publishes(e.CustomerAddressChanged)
def customer_address_changed(event: e.CustomerAddressChanged, _: Customer, __: Envelope) -> Iterator[Publish]:
    """The whole new address, and where the customer came from."""
    yield Publish(
        "customer_address_changed",
        {
            "customer_id": event.customer_id,
            **_address(event.address),
            "previous_state": event.previous_state,
            "changed_at": event.changed_at,
        },
    )


@integration.publishes(e.CustomerEmailChanged)
def customer_email_changed(event: e.CustomerEmailChanged, _: Customer, __: Envelope) -> Iterator[Publish]:
    """The new e-mail address."""
    yield Publish(
        "customer_email_changed",
        {"customer_id": event.customer_id, "email": _text(event.email), "changed_at": event.changed_at},
    )


@integration.publishes(e.CustomerForgotten)
def customer_forgotten(event: e.CustomerForgotten, _: Customer, __: Envelope) -> Iterator[Publish]:
    """That readers drop what they keep of the person; and the state is deleted."""
    yield Publish(
        "customer_forgotten", {"customer_id": event.customer_id, "forgotten_at": event.forgotten_at}
    )
    yield Publish("customers", None, key=(event.customer_id,))


@integration.publishes(e.CustomerRegistered, e.CustomerAddressChanged, e.CustomerEmailChanged)
def customer_state(_: object, customer: Customer, envelope: Envelope) -> Iterator[Publish]:
    """The whole customer as they are now."""
    assert customer.address is not None
    yield Publish(
        "customers",
        {
            "customer_id": customer.customer_id,
            "name": customer.name,
            "email": _text(customer.email),
            **_address(customer.address),
            "registered_at": customer.registered_at,
            "version": customer.version,
            "updated_at": envelope.time,
        },
    )


def _address(address: Address) -> dict[str, Any]:
    return {
        "street": address.street,
        "postal_code": address.postal_code,
        "city": address.city,
        "state": address.state,
    }


def _text(email: EmailAddress | None) -> str | None:
    return email.text if email else None
