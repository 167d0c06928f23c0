from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.domain import CommandRejected, Money

CENTS = st.integers(0, 10**15)


@settings(max_examples=50, deadline=None)
@given(st.lists(CENTS, max_size=20))
def test_a_total_is_exact_to_the_cent(cents: list[int]) -> None:
    total = Money.total(Money(Decimal(c).scaleb(-2)) for c in cents)
    assert total.amount == Decimal(sum(cents)).scaleb(-2)


def test_amounts_have_two_decimals() -> None:
    assert str(Money.of("12.9").amount) == "12.90"
    assert str(Money.of(12).amount) == "12.00"
    assert Money.of("1.10") + Money.of("2.20") == Money.of("3.30")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("12.905", "money-exact"),
        ("NaN", "money-exact"),
        ("Infinity", "money-exact"),
        ("twelve", "money-exact"),
        ("-0.01", "money-not-negative"),
        ("1e15", "money-not-negative"),
        ("1e999999", "money-not-negative"),
    ],
)
def test_what_is_no_amount_is_refused_by_a_rule(text: str, rule: str) -> None:
    with pytest.raises(CommandRejected) as caught:
        Money.of(text)
    assert caught.value.rule == rule


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CommandRejected, match="money-currency"):
        Money.of(1, "BRL") + Money.of(1, "EUR")
    with pytest.raises(CommandRejected, match="money-currency"):
        Money.total([Money.of(1, "EUR")])
    with pytest.raises(CommandRejected, match="money-currency"):
        Money.of(1, "reais")
