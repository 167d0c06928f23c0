"""Value objects that every domain may use."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from hanse.domain.messages import ValueObject, require, value

_CENT = Decimal("0.01")
_ZERO = Decimal("0.00")
_LIMIT = Decimal(10) ** 15


@value
class Money(ValueObject):
    """An exact amount with two decimals in one currency; never negative, below 10^15.

    Raises CommandRejected (`money-exact`, `money-not-negative`, `money-currency`).
    """

    amount: Decimal
    currency: str = "BRL"

    def __post_init__(self) -> None:
        amount = self.amount
        if not isinstance(amount, Decimal) or not amount.is_finite() or amount.as_tuple().exponent != -2:  # pyright: ignore[reportUnnecessaryIsInstance]
            object.__setattr__(self, "amount", _exact(amount))
        require(0 <= self.amount < _LIMIT, "money-not-negative", "an amount lies from 0 to below 10^15")
        require(
            len(self.currency) == 3 and self.currency.isupper(),
            "money-currency",
            "a currency has three letters",
        )

    @classmethod
    def of(cls, text: str | int | Decimal, currency: str = "BRL") -> Money:
        """The amount that the text writes, such as `12.90`."""
        try:
            return cls(Decimal(text), currency)
        except InvalidOperation:
            require(False, "money-exact", "an amount is a decimal number with at most two decimals")
            raise

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str = "BRL") -> Money:
        """The sum; zero of `currency` when there is nothing to add."""
        total = _ZERO
        for money in amounts:
            if money.currency != currency:
                _same(money.currency, currency)
            total += money.amount
        return cls(total, currency)

    def __add__(self, other: Money) -> Money:
        _same(self.currency, other.currency)
        return Money(self.amount + other.amount, self.currency)


def _exact(amount: object) -> Decimal:
    require(isinstance(amount, Decimal), "money-exact", "an amount is a Decimal")
    assert isinstance(amount, Decimal)
    require(amount.is_finite(), "money-exact", "an amount is a finite number")
    require(abs(amount) < _LIMIT, "money-not-negative", "an amount lies from 0 to below 10^15")
    cents = amount.quantize(_CENT)
    require(cents == amount, "money-exact", "an amount has at most two decimals")
    return cents


def _same(left: str, right: str) -> None:
    require(left == right, "money-currency", f"amounts in {left} and {right} cannot be added")


def moment_of(text: str) -> datetime:
    """The moment that a record's value gives as text; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
