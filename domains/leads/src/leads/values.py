"""Value objects of the leads domain. What tells of a person is personal, and encrypted outside memory."""

from __future__ import annotations

from hanse.domain import PersonalText, ValueObject, require, value

PARTIES = ("customer", "seller")


@value
class ContactDetails(ValueObject):
    """How a lead can be reached. Name and address are personal; city and state are public."""

    name: PersonalText
    email: PersonalText
    city: str
    state: str

    def __post_init__(self) -> None:
        require(bool(self.city.strip()), "contact-city", "contact details name a city")
        require(
            len(self.state) == 2 and self.state.isalpha() and self.state.isupper(),
            "state-code",
            "a state has two capital letters",
        )
