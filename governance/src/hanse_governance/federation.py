"""The federation's rules (`governance/policies.toml`), tightened by domains, and the waivers.

    select = ["ALL"]            # codes or prefixes; "ALL" is every policy
    ignore = ["LNG"]

    [severity]
    OPS004 = "error"            # "error", "warning" or "off"

    [parameters.MSG005]
    depth = 6

    [[waiver]]
    code = "PII001"
    subject = "orders.*"        # a full name, `*` allowed
    owner = "privacy@book-box.example"
    reason = "Being renamed with version 2"
    until = 2027-03-31

A domain's `domains/<domain>/policies.toml` has `select`, `[severity]` and `[parameters]` for its own
findings, and may only tighten. Waivers are given by the federation alone.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hanse_governance.finding import SEVERITIES, Finding, Location, Severity
from hanse_governance.policy import Policy

FILE = "governance/policies.toml"
DOMAIN_FILE = "policies.toml"
OFF = "off"
_MAX_BYTES = 1_000_000
_KEYS = {"select", "ignore", "severity", "parameters", "waiver", "registration"}
_DOMAIN_KEYS = {"select", "severity", "parameters"}


@dataclass(frozen=True, slots=True)
class Waiver:
    """Leave to breach one policy: for whom, by whom, why and until when (that day included)."""

    code: str
    subject: str
    owner: str
    reason: str
    until: dt.date
    at: Location

    def covers(self, finding: Finding) -> bool:
        """Whether it is about this finding, expired or not."""
        return finding.code == self.code and fnmatchcase(finding.subject, self.subject)

    def expired(self, today: dt.date) -> bool:
        """Whether its last day has passed."""
        return today > self.until


@dataclass(frozen=True, slots=True)
class Breach:
    """Something wrong in a rules file; the policy of that code reports it."""

    code: str
    at: Location
    subject: str
    what: str
    fix: str


@dataclass(slots=True)
class Rules:
    """What one rules file says."""

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    severity: dict[str, str] = field(default_factory=dict[str, str])
    parameters: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def selects(self, code: str) -> bool:
        """Whether the policy of that code runs."""
        return matches(code, self.select) and not matches(code, self.ignore)


@dataclass(slots=True)
class Federation:
    """All rules of a mesh, ready to be asked."""

    mesh: Rules
    domains: dict[str, Rules]
    waivers: tuple[Waiver, ...]
    breaches: tuple[Breach, ...]
    today: dt.date

    def severity(self, policy: Policy, domain: str | None) -> Severity | None:
        """How grave the policy is in that domain; None when it is off there."""
        own = self.domains.get(domain or "")
        if not self.mesh.selects(policy.code) and not (own and matches(policy.code, own.select)):
            return None
        common = _rank(self.mesh.severity.get(policy.code, policy.severity))
        if policy.optional and policy.code not in self.mesh.severity:
            common = -1
        stricter = _rank(own.severity[policy.code]) if own and policy.code in own.severity else -1
        rank = max(common, stricter)
        return None if rank < 0 else SEVERITIES[rank]

    def parameter(self, policy: Policy, name: str, domain: str | None = None) -> int:
        """A policy's parameter in that domain. Raises KeyError when the policy has none of that name."""
        known = {p.name: p for p in policy.parameters}
        value = self.mesh.parameters.get((policy.code, name), known[name].default)
        own = self.domains.get(domain or "")
        return own.parameters.get((policy.code, name), value) if own else value

    def waive(self, findings: Iterable[Finding]) -> list[Finding]:
        """The same findings; those under a waiver in force carry who gave it and until when."""
        live = [w for w in self.waivers if not w.expired(self.today)]
        return [_waived(finding, live) for finding in findings]


def matches(code: str, patterns: Iterable[str]) -> bool:
    """Whether a code is named by one of the patterns: itself, a prefix, or ALL."""
    return any(p == "ALL" or code.startswith(p) for p in patterns)


def _rank(severity: str) -> int:
    return -1 if severity == OFF else SEVERITIES.index(severity)  # type: ignore[arg-type]


def _waived(finding: Finding, waivers: list[Waiver]) -> Finding:
    from dataclasses import replace

    for waiver in waivers:
        if waiver.covers(finding):
            return replace(finding, waiver=f"{waiver.owner}, until {waiver.until}: {waiver.reason}")
    return finding


def load_federation(
    root: Path, policies: tuple[Policy, ...], today: dt.date, breaches: Iterable[Breach] = ()
) -> Federation:
    """Read all rules files of a mesh. What is wrong in them becomes breaches, never an exception.

    `breaches` are those found already, in rules written in SQL.
    """
    reader = _Reader(root, {p.code: p for p in policies})
    mesh, document = reader.rules(root / FILE, _KEYS)
    waivers = reader.waivers(root / FILE, document, today)
    domains: dict[str, Rules] = {}
    for path in sorted((root / "domains").glob(f"*/{DOMAIN_FILE}")):
        own, document = reader.rules(path, _DOMAIN_KEYS)
        own.select = own.select if "select" in document else ()
        reader.refuse_loosening(path, own, mesh)
        domains[path.parent.name] = own
    return Federation(mesh, domains, waivers, (*breaches, *reader.breaches), today)


class _Reader:
    """Reads rules files and collects what is wrong in them."""

    def __init__(self, root: Path, policies: dict[str, Policy]) -> None:
        self.root = root
        self.policies = policies
        self.breaches: list[Breach] = []
        self._lines: list[str] = []

    def rules(self, path: Path, allowed: set[str]) -> tuple[Rules, dict[str, Any]]:
        document = self._document(path)
        for key in document.keys() - allowed:
            fix = f"use one of {', '.join(sorted(allowed))}"
            self._wrong(path, key, f"unknown key {key!r} in a rules file", fix)
        rules = Rules(
            select=self._codes(path, document, "select") or ("ALL",),
            ignore=self._codes(path, document, "ignore"),
            severity=self._severities(path, document.get("severity", {})),
            parameters=self._parameters(path, document.get("parameters", {})),
        )
        return rules, document

    def waivers(self, path: Path, document: dict[str, Any], today: dt.date) -> tuple[Waiver, ...]:
        entries: Any = document.get("waiver", [])
        if not isinstance(entries, list):
            self._wrong(path, "waiver", "`waiver` is not a list of tables", "write each one as [[waiver]]")
            return ()
        given = [w for n, e in enumerate(entries) if (w := self._waiver(path, n, e)) is not None]
        for waiver in given:
            if waiver.expired(today):
                self._breach(
                    "FED002",
                    waiver.at,
                    f"the waiver of {waiver.code} for {waiver.subject} ended on {waiver.until}",
                    f"mend what it covered, or let {waiver.owner} give a new date and reason",
                )
        return tuple(given)

    def refuse_loosening(self, path: Path, own: Rules, mesh: Rules) -> None:
        for code, severity in own.severity.items():
            common = mesh.severity.get(code, self.policies[code].severity)
            if _rank(severity) < _rank(common):
                what = f"{path.parent.name} sets {code} to {severity}, the federation has {common}"
                self._breach("FED001", self._at(path, code), what, "raise it, or ask for a waiver")
        for (code, name), value in own.parameters.items():
            known = next(p for p in self.policies[code].parameters if p.name == name)
            common_value = mesh.parameters.get((code, name), known.default)
            looser = value > common_value if known.stricter == "lower" else value < common_value
            if looser:
                what = f"{path.parent.name} sets {code} {name} = {value}, the federation has {common_value}"
                self._breach("FED001", self._at(path, name), what, f"only {known.stricter} is allowed")

    def _document(self, path: Path) -> dict[str, Any]:
        self._lines = []
        if not path.is_file():
            return {}
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError(f"larger than {_MAX_BYTES} bytes")
            text = path.read_text(encoding="utf-8")
            self._lines = text.splitlines()
            return tomllib.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            self._wrong(path, "", f"the rules file cannot be read: {error}", "correct the file")
            return {}

    def _codes(self, path: Path, document: dict[str, Any], key: str) -> tuple[str, ...]:
        values: Any = document.get(key, [])
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            self._wrong(path, key, f"`{key}` is not a list of codes", 'write it as ["MSG", "PII001"]')
            return ()
        for value in values:
            if not any(matches(code, (value,)) for code in self.policies):
                self._wrong(path, value, f"no policy has the code {value!r}", "see docs/reference/policies")
        return tuple(values)

    def _severities(self, path: Path, table: Any) -> dict[str, str]:
        good: dict[str, str] = {}
        for code, value in table.items() if isinstance(table, dict) else ():
            if code not in self.policies:
                self._wrong(path, code, f"no policy has the code {code!r}", "see docs/reference/policies")
            elif value not in (*SEVERITIES, OFF):
                self._wrong(path, code, f"{value!r} is no severity", 'use "error", "warning" or "off"')
            else:
                good[code] = value
        return good

    def _parameters(self, path: Path, table: Any) -> dict[tuple[str, str], int]:
        good: dict[tuple[str, str], int] = {}
        for code, values in table.items() if isinstance(table, dict) else ():
            names = {p.name for p in self.policies[code].parameters} if code in self.policies else set[str]()
            for name, value in values.items() if isinstance(values, dict) else ():
                if name not in names:
                    self._wrong(path, name, f"{code} has no parameter {name!r}", "see the policy's page")
                elif not isinstance(value, int) or isinstance(value, bool):
                    self._wrong(path, name, f"{code} {name} is not a whole number", "write a number")
                else:
                    good[code, name] = value
        return good

    def _waiver(self, path: Path, index: int, entry: Any) -> Waiver | None:
        at = Location(path.relative_to(self.root).as_posix(), self._nth("[[waiver]]", index))
        values: dict[str, Any] = entry if isinstance(entry, dict) else {}
        missing = [k for k in ("code", "subject", "owner", "reason") if not _text(values.get(k))]
        until = values.get("until")
        if isinstance(until, dt.datetime) or not isinstance(until, dt.date):
            missing.append("until")
        if missing:
            fix = "state code, subject, owner, reason and until (a date such as 2027-03-31)"
            self._breach("FED003", at, f"a waiver lacks {', '.join(missing)}", fix)
            return None
        if values["code"] not in self.policies:
            fix = "see docs/reference/policies for the codes"
            self._breach("FED003", at, f"a waiver names {values['code']!r}, which is no policy", fix)
            return None
        texts = {k: str(values[k]) for k in ("code", "subject", "owner", "reason")}
        return Waiver(**texts, until=until, at=at)  # type: ignore[arg-type]

    def _wrong(self, path: Path, token: str, what: str, fix: str) -> None:
        self._breach("FED003", self._at(path, token), what, fix)

    def _breach(self, code: str, at: Location, what: str, fix: str) -> None:
        parts = at.path.split("/")
        subject = parts[1] if parts[0] == "domains" else ""
        self.breaches.append(Breach(code, at, subject, what, fix))

    def _at(self, path: Path, token: str) -> Location:
        pattern = re.compile(rf"\b{re.escape(token)}\b")
        where = path.relative_to(self.root).as_posix()
        for number, line in enumerate(self._lines, 1):
            found = pattern.search(line) if token else None
            if found:
                return Location(where, number, found.start() + 1)
        return Location(where)

    def _nth(self, text: str, index: int) -> int:
        lines = [n for n, line in enumerate(self._lines, 1) if line.strip().startswith(text)]
        return lines[index] if index < len(lines) else 1


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
