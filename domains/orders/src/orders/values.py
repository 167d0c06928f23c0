"""Value objects of the orders domain."""

from __future__ import annotations

from hanse.domain import Money, ValueObject, require, value

PAYMENT_TYPES = frozenset({"credit_card", "boleto", "voucher", "debit_card"})


@value
class Item(ValueObject):
    """One unit of a product, at the price of the moment it was ordered."""

    number: int
    product_id: str
    category: str | None
    seller_id: str
    price: Money
    freight: Money

    def __post_init__(self) -> None:
        require(self.number >= 1, "item-number", "items are numbered from 1")


@value
class Payment(ValueObject):
    """Money paid towards an order."""

    type: str
    installments: int
    amount: Money

    def __post_init__(self) -> None:
        require(
            self.type in PAYMENT_TYPES,
            "payment-type-known",
            f"a payment is one of {', '.join(sorted(PAYMENT_TYPES))}, not {self.type!r}",
        )
        require(self.installments >= 0, "payment-installments", "instalments are not negative")


def state_code(text: str) -> str:
    """The federal state, checked: two capital letters."""
    require(
        len(text) == 2 and text.isalpha() and text.isupper(), "state-code", "a state has two capital letters"
    )
    return text
