"""What a policy reports: a finding at a place, with the reason and the way to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("warning", "error")


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; `path` is relative to the mesh's root, line and column count from 1."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one policy.

    `subject` is the full name of what is at fault (`orders.order_placed`), `domain` whose it is.
    `breaking` marks a change that breaks readers: its impact is worked out. `columns` are the
    fields that the change touches; empty means all of them. `waiver` is set when it is waived.
    """

    code: str
    name: str
    severity: Severity
    at: Location
    subject: str
    what: str
    why: str
    fix: str
    domain: str | None = None
    breaking: bool = False
    columns: tuple[str, ...] = ()
    waiver: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain JSON values."""
        return {
            "code": self.code,
            "name": self.name,
            "severity": self.severity,
            "path": self.at.path,
            "line": self.at.line,
            "column": self.at.column,
            "subject": self.subject,
            "domain": self.domain,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
            "breaking": self.breaking,
            "columns": list(self.columns),
            "waiver": self.waiver,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Finding:
        """The inverse of `as_dict`."""
        rest = dict(values)
        at = Location(rest.pop("path"), rest.pop("line"), rest.pop("column"))
        return cls(at=at, columns=tuple(rest.pop("columns")), **rest)


def sort_key(finding: Finding) -> tuple[str, int, int, str, str]:
    """Findings in reading order: by file, place and code."""
    at = finding.at
    return (at.path, at.line, at.column, finding.code, finding.what)
