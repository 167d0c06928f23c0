"""Value objects of the orders domain."""

from __future__ import annotations

from hanse.domain import Money, ValueObject, require, value

MOST = 9_999
"""Of items in an order and of instalments: what the topics' 32-bit fields hold, and no order has."""
MOST_MANAGED = 3
"""Items of an order that we fulfil ourselves: its saga has a step for each."""
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
        require(1 <= self.number <= MOST, "item-number", f"items are numbered from 1 to {MOST}")


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
        require(
            0 <= self.installments <= MOST, "payment-installments", f"instalments number from 0 to {MOST}"
        )


def state_code(text: str) -> str:
    """The federal state, checked: two capital letters."""
    require(
        len(text) == 2 and text.isalpha() and text.isupper(), "state-code", "a state has two capital letters"
    )
    return text
