"""ODCS comparison operators: what a measured value must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

OPERATORS = {
    "mustBe": "{}",
    "mustNotBe": "not {}",
    "mustBeGreaterThan": "more than {}",
    "mustBeGreaterOrEqualTo": "at least {}",
    "mustBeLessThan": "less than {}",
    "mustBeLessOrEqualTo": "at most {}",
    "mustBeBetween": "between {} and {}",
    "mustNotBeBetween": "not between {} and {}",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One operator and its operand; both ends of a range belong to it."""

    operator: str
    operand: Any

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Threshold | None:
        """The operator of a quality rule; None when it has none."""
        found = [name for name in OPERATORS if name in definition]
        return cls(found[0], definition[found[0]]) if len(found) == 1 else None

    def accepts(self, value: Any) -> bool:
        """Whether a measured value is as it must be. NULL is only ever `mustBe: null`."""
        if self.operator == "mustBe":
            return _equal(value, self.operand)
        if self.operator == "mustNotBe":
            return not _equal(value, self.operand)
        number = _number(value)
        if number is None:
            return False
        bounds = (
            [_number(b) for b in self.operand] if isinstance(self.operand, list) else [_number(self.operand)]
        )
        if any(bound is None for bound in bounds):
            return False
        return self._compare(number, [b for b in bounds if b is not None])

    def _compare(self, number: Decimal, bounds: list[Decimal]) -> bool:
        match self.operator:
            case "mustBeGreaterThan":
                return number > bounds[0]
            case "mustBeGreaterOrEqualTo":
                return number >= bounds[0]
            case "mustBeLessThan":
                return number < bounds[0]
            case "mustBeLessOrEqualTo":
                return number <= bounds[0]
            case "mustBeBetween":
                return bounds[0] <= number <= bounds[1]
            case _:
                return not bounds[0] <= number <= bounds[1]

    def text(self, unit: str = "") -> str:
        """In words, such as `at most 1 percent`."""
        operands = self.operand if isinstance(self.operand, list) else [self.operand]
        return f"{OPERATORS[self.operator].format(*operands)} {unit}".strip()


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    found = Decimal(str(value))
    return found if found.is_finite() else None


def _equal(value: Any, wanted: Any) -> bool:
    left, right = _number(value), _number(wanted)
    if left is not None and right is not None:
        return left == right
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return value is wanted
    return str(value) == str(wanted)
