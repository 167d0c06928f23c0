from __future__ import annotations

from datetime import UTC, datetime

import pytest

from customers import commands as c
from customers import events as e
from customers.customer import Customer
from customers.values import Address, EmailAddress
from hanse.domain import Command, CommandRejected
from hanse.domain.codec import as_stored, decoder
from hanse.testing import given, rejected

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME = Address("Rua Alves 5", "01234", "sao paulo", "SP")
AWAY = Address(None, "20000", "rio de janeiro", "RJ")
EMAIL, OTHER = EmailAddress("ana@mail.example"), EmailAddress("ana@work.example")

REGISTERED = e.CustomerRegistered(
    customer_id="c1", name="Ana", email=EMAIL, address=HOME, registered_at=T, lead_id=None
)
MOVED = e.CustomerAddressChanged(customer_id="c1", address=AWAY, previous_state="SP", changed_at=T)
FORGOTTEN = e.CustomerForgotten(customer_id="c1", forgotten_at=T)

REGISTER = c.RegisterCustomer(customer_id="c1", name="Ana", email=EMAIL, address=HOME, registered_at=T)
MOVE = c.ChangeAddress(customer_id="c1", address=AWAY, changed_at=T)
WRITE_TO = c.ChangeEmail(customer_id="c1", email=OTHER, changed_at=T)
FORGET = c.ForgetCustomer(customer_id="c1", forgotten_at=T)
NOTE = c.TakeNote(customer_id="c1", note="likes crime", taken_at=T)


def test_a_person_registers_once() -> None:
    given(Customer).when(REGISTER).then(REGISTERED).when(REGISTER).then(rejected("customer-registered-once"))


def test_a_registration_stored_before_leads_were_known_is_read() -> None:
    stored = {
        "customer_id": "c1", "name": "Ana", "email": {"text": EMAIL.text},
        "address": {"street": HOME.street, "postal_code": HOME.postal_code, "city": HOME.city, "state": "SP"},
        "registered_at": T.isoformat(),
    }  # fmt: skip
    assert decoder(e.CustomerRegistered)(e.CustomerRegistered.upcasters[1](stored), as_stored) == REGISTERED


def test_a_customer_moves() -> None:
    after = given(Customer, REGISTERED).when(MOVE).then(MOVED)
    after.when(MOVE).then(rejected("address-unchanged"))
    assert after.state.address == AWAY


def test_a_customer_changes_the_email_address() -> None:
    changed = e.CustomerEmailChanged(customer_id="c1", email=OTHER, changed_at=T)
    given(Customer, REGISTERED).when(WRITE_TO).then(changed).when(WRITE_TO).then(rejected("email-unchanged"))


def test_notes_say_something() -> None:
    taken = e.CustomerNoteTaken(customer_id="c1", note="likes crime", taken_at=T)
    given(Customer, REGISTERED).when(NOTE).then(taken)
    empty = c.TakeNote(customer_id="c1", note=" ", taken_at=T)
    given(Customer, REGISTERED).when(empty).then(rejected("note-not-empty"))


@pytest.mark.parametrize("command", [MOVE, WRITE_TO, FORGET, NOTE])
def test_a_stranger_can_only_register(command: Command) -> None:
    given(Customer).when(command).then(rejected("customer-known"))


@pytest.mark.parametrize("command", [REGISTER, MOVE, WRITE_TO, FORGET, NOTE])
def test_a_forgotten_customer_never_changes_again(command: Command) -> None:
    after = given(Customer, REGISTERED).when(FORGET).then(FORGOTTEN)
    assert (after.state.name, after.state.email, after.state.address) == (None, None, None)
    after.when(command).then(rejected("customer-forgotten"))


@pytest.mark.parametrize(
    "text",
    ["", "ana", "ana@", "@mail.example", "a b@mail.example", "a@b", "a@b..c", "a@" + "b" * 300 + ".example"],
)
def test_email_addresses_have_a_form(text: str) -> None:
    with pytest.raises(CommandRejected, match="email-form"):
        EmailAddress(text)


def test_the_host_of_an_email_address_ignores_case() -> None:
    assert EmailAddress("Ana@MAIL.example") == EmailAddress("Ana@mail.example")
    assert EmailAddress("Ana@mail.example") != EmailAddress("ana@mail.example")


@pytest.mark.parametrize(
    ("city", "state", "rule"),
    [(" ", "SP", "address-city"), ("x", "sp", "state-code"), ("x", "SAO", "state-code")],
)
def test_addresses_have_city_and_state(city: str, state: str, rule: str) -> None:
    with pytest.raises(CommandRejected, match=rule):
        Address(None, None, city, state)
