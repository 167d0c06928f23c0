"""What is wrong with a descriptor, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hanse.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in one file. `line` counts from 1; None when the whole file is meant."""

    what: str
    path: Path
    line: int | None = None
    expected: str | None = None
    got: str | None = None
    fix: str | None = None

    @property
    def where(self) -> str:
        """`file:line`, as editors open it."""
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    def error(self) -> ConfigError:
        """The same as an exception."""
        return ConfigError(self.what, where=self.where, expected=self.expected, got=self.got, fix=self.fix)


class Invalid(ValueError):
    """Stops the reading of one document; carries its problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem
