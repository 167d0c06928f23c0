"""Value objects of the customers domain. What tells of a person is personal, and encrypted outside memory."""

from __future__ import annotations

import re
from typing import Annotated

from hanse.domain import PersonalText, ValueObject, require, value
from hanse.domain.messages import PERSONAL

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


@value
class EmailAddress(ValueObject):
    """An address that mail can be sent to. Equal ignoring case of the part after the @."""

    text: Annotated[str, PERSONAL]

    def __post_init__(self) -> None:
        require(
            len(self.text) <= 254 and _EMAIL.fullmatch(self.text) is not None,
            "email-form",
            "an e-mail address has the form name@domain.example",
        )
        name, _, host = self.text.rpartition("@")
        object.__setattr__(self, "text", f"{name}@{host.lower()}")


@value
class Address(ValueObject):
    """Where a customer lives. Street and postal code may be unknown; city and state are public."""

    street: PersonalText
    postal_code: PersonalText
    city: str
    state: str

    def __post_init__(self) -> None:
        require(bool(self.city.strip()), "address-city", "an address has a city")
        require(
            len(self.state) == 2 and self.state.isalpha() and self.state.isupper(),
            "state-code",
            "a state has two capital letters",
        )
