"""A simulated month of customers: they register, move, change their e-mail address, ask to be forgotten."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from customers.commands import ChangeAddress, ChangeEmail, ForgetCustomer, RegisterCustomer, TakeNote
from customers.values import Address, EmailAddress
from hanse.domain import Command
from hanse.domain.demo import SHOPPERS_A_DAY, Shopper, Timed, arrivals, shopper, shopper_joins

MOST_DAYS = 60
"""Within which a customer writes again; so what is under way stays bounded in a long simulation."""


def simulate(seed: int, days: int = 30) -> Iterator[Timed]:
    """The customers' commands in the order of arrival: late ones, repeated ones and mistaken ones included.

    Each message counts as a row of the file `simulator/customers`. The same seed gives the same stream.
    """
    draw = random.Random(f"{seed}/customers")  # noqa: S311
    lives = (
        (shopper_joins(number), _sent(draw, seed, number, days)) for number in range(days * SHOPPERS_A_DAY)
    )
    return arrivals(draw, "simulator/customers", lives, _delay)


def _sent(draw: random.Random, seed: int, number: int, days: int) -> Iterator[tuple[datetime, Command, str]]:
    for at, command, name in _life(draw, shopper(seed, number), shopper_joins(number), days):
        yield at, command, f"simulator/{seed}/{name}"


def _delay(draw: random.Random) -> timedelta:
    return timedelta(seconds=draw.expovariate(1 / 10))


def _life(
    draw: random.Random, person: Shopper, joins: datetime, days: int
) -> Iterator[tuple[datetime, Command, str]]:
    who = person.customer_id
    home = Address(person.street, person.postal_code, person.city, person.state)
    yield (
        joins,
        RegisterCustomer(
            customer_id=who,
            name=person.name,
            email=EmailAddress(person.email),
            address=home,
            registered_at=joins,
        ),
        f"{who}/register",
    )
    later = joins + timedelta(days=draw.uniform(0.1, min(days / 2, MOST_DAYS)))
    chance = draw.random()
    if chance < 0.06:
        moved = Address(f"{person.street} fundos", person.postal_code, "sao paulo", "SP")
        yield later, ChangeAddress(customer_id=who, address=moved, changed_at=later), f"{who}/move"
    elif chance < 0.08:
        yield later, ChangeAddress(customer_id=who, address=home, changed_at=later), f"{who}/stay"
    elif chance < 0.11:
        email = EmailAddress(f"new.{person.email}")
        yield later, ChangeEmail(customer_id=who, email=email, changed_at=later), f"{who}/email"
    elif chance < 0.13:
        yield later, TakeNote(customer_id=who, note="asked for a gift box", taken_at=later), f"{who}/note"
    elif chance < 0.14:
        yield later, ForgetCustomer(customer_id=who, forgotten_at=later), f"{who}/forget"
        after = later + timedelta(hours=1)
        late = ChangeEmail(customer_id=who, email=EmailAddress(person.email), changed_at=after)
        yield after, late, f"{who}/too-late"
