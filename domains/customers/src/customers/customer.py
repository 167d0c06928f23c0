"""The customer: a person known to the shop, until they ask to be forgotten."""

from __future__ import annotations

from datetime import datetime

from customers import commands as c
from customers import events as e
from customers.values import Address, EmailAddress
from hanse.domain import Aggregate, applies, decides, require


class Customer(Aggregate, name="customer", identity="customer_id"):
    """One person. A forgotten customer never changes again and cannot return under the same id."""

    def __init__(self) -> None:
        super().__init__()
        self.customer_id = ""
        self.name: str | None = None
        self.email: EmailAddress | None = None
        self.address: Address | None = None
        self.registered_at: datetime | None = None
        self.forgotten = False

    @decides(c.RegisterCustomer)
    def register(self, command: c.RegisterCustomer) -> list[e.CustomerRegistered]:
        """A person registers once."""
        self._require_not_forgotten()
        require(self.version == 0, "customer-registered-once", "the customer was registered before")
        return [
            e.CustomerRegistered(
                customer_id=command.customer_id,
                name=command.name,
                email=command.email,
                address=command.address,
                registered_at=command.registered_at,
                lead_id=command.lead_id,
            )
        ]

    @decides(c.ChangeAddress)
    def change_address(self, command: c.ChangeAddress) -> list[e.CustomerAddressChanged]:
        """A move leads to another address."""
        self._require_known()
        assert self.address is not None
        require(command.address != self.address, "address-unchanged", "the customer lives there already")
        return [
            e.CustomerAddressChanged(
                customer_id=self.customer_id,
                address=command.address,
                previous_state=self.address.state,
                changed_at=command.changed_at,
            )
        ]

    @decides(c.ChangeEmail)
    def change_email(self, command: c.ChangeEmail) -> list[e.CustomerEmailChanged]:
        """A change leads to another e-mail address."""
        self._require_known()
        require(
            command.email != self.email, "email-unchanged", "this is the customer's e-mail address already"
        )
        return [
            e.CustomerEmailChanged(
                customer_id=self.customer_id, email=command.email, changed_at=command.changed_at
            )
        ]

    @decides(c.ForgetCustomer)
    def forget(self, command: c.ForgetCustomer) -> list[e.CustomerForgotten]:
        """A known customer is forgotten once."""
        self._require_known()
        return [e.CustomerForgotten(customer_id=self.customer_id, forgotten_at=command.forgotten_at)]

    @decides(c.TakeNote)
    def take_note(self, command: c.TakeNote) -> list[e.CustomerNoteTaken]:
        """A note says something."""
        self._require_known()
        require(bool(command.note.strip()), "note-not-empty", "a note says something")
        return [
            e.CustomerNoteTaken(customer_id=self.customer_id, note=command.note, taken_at=command.taken_at)
        ]

    @applies(e.CustomerRegistered)
    def _registered(self, event: e.CustomerRegistered) -> None:
        self.customer_id, self.name, self.email = event.customer_id, event.name, event.email
        self.address, self.registered_at = event.address, event.registered_at

    @applies(e.CustomerAddressChanged)
    def _moved(self, event: e.CustomerAddressChanged) -> None:
        self.address = event.address

    @applies(e.CustomerEmailChanged)
    def _email_changed(self, event: e.CustomerEmailChanged) -> None:
        self.email = event.email

    @applies(e.CustomerForgotten)
    def _forgotten(self, _: e.CustomerForgotten) -> None:
        self.forgotten = True
        self.name = self.email = self.address = None

    @applies(e.CustomerNoteTaken)
    def _note_taken(self, _: e.CustomerNoteTaken) -> None:
        """A note changes nothing that rules depend on."""

    def _require_known(self) -> None:
        require(self.version > 0, "customer-known", "no customer with that id is registered")
        self._require_not_forgotten()

    def _require_not_forgotten(self) -> None:
        require(not self.forgotten, "customer-forgotten", "the customer was forgotten")
