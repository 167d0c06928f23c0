"""What a check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
Kind = Literal["schema", "library", "sql", "text", "expectation", "freshness", "key"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check on one snapshot. `sample` holds a few offending rows, classified columns masked.

    `rows_failed` counts offending rows where the rule is about rows. A check that cannot run has failed:
    `note` says why. Severity "warning" never rejects a publication.
    """

    name: str
    kind: Kind
    passed: bool
    expected: str
    got: str
    column: str | None = None
    severity: Severity = "error"
    rows_failed: int = 0
    sample: tuple[dict[str, Any], ...] = ()
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CheckResult:
        """The inverse of `as_dict`."""
        values: dict[str, Any] = {**data, "sample": tuple(data.get("sample") or [])}
        return cls(**values)

    def sentence(self) -> str:
        """One line: rule, expected, got, sample."""
        where = f" on {self.column}" if self.column else ""
        sample = f"; for example {self.sample[0]}" if self.sample else ""
        note = f" ({self.note})" if self.note else ""
        return f"{self.name}{where}: expected {self.expected}, got {self.got}{note}{sample}"
