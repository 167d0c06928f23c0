"""Runs all policies over a mesh and gives the report."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hanse.ports.event_log import TopicSpec
from hanse_governance.base import checked_out, resolve_ref
from hanse_governance.cache import RunCache, content_key
from hanse_governance.federation import Breach, Federation, load_federation, matches
from hanse_governance.finding import Finding, Location, Severity, sort_key
from hanse_governance.impact import Hit, Impact, impacts
from hanse_governance.planning import Planner
from hanse_governance.policy import Policy, all_policies
from hanse_governance.positions import Locator
from hanse_governance.sql_policies import load_rules
from hanse_governance.view import MeshView, Problem

UNUSED = "FED004"
_MOST = 200
_CODES = {"has no schema file": "PRD001", "has no owner": "PRD002"}  # the loader's words, by policy
_FOUND_AGAIN = "unknown input "  # PRD001 tells it with its column


@dataclass(slots=True)
class Report:
    """What a check found. `seconds` is how long it took; `base` the commit compared with."""

    root: Path
    findings: list[Finding]
    impacts: list[Impact]
    policies: list[tuple[str, str]]
    domains: int = 0
    products: int = 0
    schemas: int = 0
    base: str | None = None
    seconds: float = 0.0
    from_cache: bool = False
    waivers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def counts(self) -> dict[str, int]:
        """How many errors, warnings and waived findings."""
        live = [f.severity for f in self.findings if not f.waiver]
        return {
            "error": live.count("error"),
            "warning": live.count("warning"),
            "waived": len(self.findings) - len(live),
        }

    def fails(self, severity: Severity) -> bool:
        """Whether a finding of that severity or a graver one is there and not waived."""
        counts = self.counts()
        return bool(counts["error"] or (severity == "warning" and counts["warning"]))

    def summary(self) -> str:
        """The count in one line."""
        counts = self.counts()
        checked = ", ".join(
            _many(n, noun)
            for n, noun in ((self.domains, "domain"), (self.products, "product"), (self.schemas, "schema"))
        )
        waived = f", {counts['waived']} waived" if counts["waived"] else ""
        found = f"{_many(counts['error'], 'error')}, {_many(counts['warning'], 'warning')}{waived}"
        return f"{checked} checked in {self.seconds:.2f} s: {found}"

    def repository_path(self, path: str) -> str:
        """A finding's path relative to the git repository around the mesh, as CI systems want it."""
        for folder in (self.root, *self.root.parents):
            if (folder / ".git").exists():
                return (self.root / path).relative_to(folder).as_posix()
        return path

    def narrowed(
        self, select: Iterable[str] = (), ignore: Iterable[str] = (), paths: Iterable[Path] = ()
    ) -> Report:
        """The same report with only the findings that are asked for."""
        chosen, left_out, places = tuple(select) or ("ALL",), tuple(ignore), tuple(paths)
        kept = [
            f
            for f in self.findings
            if matches(f.code, chosen) and not matches(f.code, left_out) and self._inside(f, places)
        ]
        if places or chosen != ("ALL",) or left_out:
            kept = [f for f in kept if f.code != UNUSED]  # only a whole run knows what is unused
        subjects = {f.subject for f in kept if f.breaking}
        policies = [p for p in self.policies if matches(p[0], chosen) and not matches(p[0], left_out)]
        hit = [i for i in self.impacts if i.subject in subjects]
        return replace(self, findings=kept, impacts=hit, policies=policies)

    def for_consumers(self, places: Iterable[Path] = ()) -> Report:
        """Only what breaks products under those places, or any product: breaking findings that hit them."""
        folders = tuple(places)

        def concerned(hit: Hit) -> bool:
            home = self.root.joinpath("domains", hit.domain, "products", hit.product.split(".", 1)[1])
            return not folders or any(home.is_relative_to(f) or f.is_relative_to(home) for f in folders)

        hit = [replace(i, hits=tuple(filter(concerned, i.hits))) for i in self.impacts]
        hit = [i for i in hit if i.hits]
        subjects = {i.subject for i in hit}
        kept = [f for f in self.findings if f.breaking and f.subject in subjects]
        return replace(self, findings=kept, impacts=hit)

    def _inside(self, finding: Finding, places: tuple[Path, ...]) -> bool:
        path = self.root / finding.at.path
        return not places or any(path.is_relative_to(place) for place in places)

    def as_dict(self) -> dict[str, Any]:
        """What the cache keeps."""
        return {
            "findings": [f.as_dict() for f in self.findings],
            "impacts": [i.as_dict() for i in self.impacts],
            "policies": self.policies,
            "sizes": [self.domains, self.products, self.schemas],
            "waivers": self.waivers,
        }

    @classmethod
    def from_dict(cls, root: Path, values: dict[str, Any], base: str | None) -> Report:
        """The inverse of `as_dict`, for a mesh at `root`."""
        return cls(
            root=root,
            findings=[Finding.from_dict(f) for f in values["findings"]],
            impacts=[Impact.from_dict(i) for i in values["impacts"]],
            policies=[(p[0], p[1]) for p in values["policies"]],
            domains=values["sizes"][0],
            products=values["sizes"][1],
            schemas=values["sizes"][2],
            base=base,
            from_cache=True,
            waivers=values["waivers"],
        )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def check_mesh(
    root: Path,
    *,
    base: str | None = None,
    today: dt.date | None = None,
    cache_folder: Path | None = None,
    in_log: Mapping[str, TopicSpec] | None = None,
) -> Report:
    """Check the mesh at `root`, against a git ref if one is given. Does not use the network.

    `in_log` are the log's topics by name, to compare declarations with; such a report is not kept.

    With a cache folder, an unchanged mesh is answered from it. Raises ConfigError for a root that is
    no mesh, or a base that is not there.
    """
    started = time.perf_counter()
    root = root.resolve()
    day = today or dt.datetime.now(dt.UTC).date()
    commit = resolve_ref(root, base) if base else None
    cache = RunCache(cache_folder)
    key = content_key(root, commit, day) if cache_folder else ""
    kept = cache.report(key) if in_log is None else None
    if kept is not None:
        report = Report.from_dict(root, kept, commit)
    else:
        report, lasting = _run(root, commit, day, cache, in_log)
        if lasting and in_log is None:
            cache.keep(key, report.as_dict())
    report.seconds = time.perf_counter() - started
    return report


def _run(
    root: Path, commit: str | None, today: dt.date, cache: RunCache, in_log: Mapping[str, TopicSpec] | None
) -> tuple[Report, bool]:
    """The report, and whether the same mesh would give it again: a breakdown of the planner may pass."""
    with Planner(cache) as planner:
        planner.expect(root)
        if commit is None:
            report = check_folders(root, None, today, planner, in_log)
        else:
            with checked_out(root, commit) as old:
                report = check_folders(root, old, today, planner, in_log)
            report.base = commit
        planner.save()
    return report, not planner.failed


def check_folders(
    root: Path,
    base: Path | None,
    today: dt.date,
    planner: Planner | None = None,
    in_log: Mapping[str, TopicSpec] | None = None,
) -> Report:
    """Check the mesh at `root` against the one at `base`, without git and without a cache of reports."""
    policies, broken = policies_of(root)
    federation = load_federation(root, policies, today, broken)
    planner = planner or Planner(RunCache(None))
    old = view_of(base, federation, planner) if base is not None else None
    return _judge(view_of(root, federation, planner, old, in_log), policies)


def policies_of(root: Path) -> tuple[tuple[Policy, ...], tuple[Breach, ...]]:
    """All policies that hold in the mesh at `root`, its own in SQL among them, and what is wrong with those."""
    shipped = all_policies()
    rules = load_rules(root, frozenset(p.code for p in shipped))
    return (*shipped, *rules.policies), rules.breaches


def view_of(
    root: Path,
    federation: Federation,
    planner: Planner,
    base: MeshView | None = None,
    in_log: Mapping[str, TopicSpec] | None = None,
) -> MeshView:
    """Load a mesh into the view that policies read; broken files become problems."""
    from hanse.descriptors import try_load

    model, found = try_load(root)
    problems = tuple(_problem(root, p) for p in found if not p.what.startswith(_FOUND_AGAIN))
    plan = planner.for_mesh(model)
    return MeshView(model, problems, federation=federation, plan=plan, base=base, in_log=in_log)


def _problem(root: Path, problem: Any) -> Problem:
    path = Locator(root).relative(problem.path)
    code = next((c for text, c in _CODES.items() if text in problem.what), "DSC001")
    details = "; ".join(f"{k} {v}" for k in ("expected", "got") if (v := getattr(problem, k)))
    what = f"{problem.what} ({details})" if details else problem.what
    fix = problem.fix or (f"write {problem.expected}" if problem.expected else "correct the file")
    return Problem(code, Location(path, problem.line or 1), _subject(path), what, fix)


def _subject(path: str) -> str:
    parts = path.split("/")
    if parts[0] != "domains" or len(parts) < 2:
        return ""
    product = parts[3] if len(parts) > 4 and parts[2] == "products" else ""
    return f"{parts[1]}.{product}" if product else parts[1]


def model_of(root: Path) -> MeshView:
    """The mesh at `root` for reading its model, with the plans that earlier checks kept."""
    from hanse.settings import load_settings

    cache = RunCache(load_settings(root).data / "check")
    policies, breaches = policies_of(root)
    federation = load_federation(root, policies, dt.datetime.now(dt.UTC).date(), breaches)
    with Planner(cache) as planner:
        planner.expect(root)
        view = view_of(root, federation, planner)
        for product in view.model.products:
            view.plan(product)
        planner.save()
    return view


def _judge(mesh: MeshView, policies: tuple[Policy, ...]) -> Report:
    federation = mesh.federation
    graded: list[Finding] = []
    for policy in policies:
        for finding in policy.check(mesh):
            severity = federation.severity(policy, finding.domain)
            if severity is not None:
                graded.append(
                    finding if severity == finding.severity else replace(finding, severity=severity)
                )
    findings = federation.waive(_bounded(graded))
    findings += _unused(federation, policies, findings)
    return Report(
        root=mesh.model.root,
        findings=sorted(findings, key=sort_key),
        impacts=impacts(mesh, findings),
        policies=[(p.code, p.name) for p in policies if federation.mesh.selects(p.code)],
        domains=len(mesh.domains),
        products=len(mesh.products),
        schemas=len(mesh.schemas),
        waivers=[_waiver_row(federation, w) for w in federation.waivers],
    )


def _bounded(findings: list[Finding]) -> list[Finding]:
    """At most `_MOST` findings of one policy about one subject; the last one then tells how many there are."""
    counts = Counter((f.code, f.subject) for f in findings)
    seen: Counter[tuple[str, str]] = Counter()
    kept: list[Finding] = []
    for finding in findings:
        key = (finding.code, finding.subject)
        seen[key] += 1
        if seen[key] < _MOST or counts[key] <= _MOST:
            kept.append(finding)
        elif seen[key] == _MOST:
            more = f"{finding.what} (and {counts[key] - _MOST} more of this kind)"
            kept.append(replace(finding, what=more))
    return kept


def _unused(federation: Federation, policies: tuple[Policy, ...], findings: list[Finding]) -> list[Finding]:
    policy = next((p for p in policies if p.code == UNUSED), None)
    severity = federation.severity(policy, None) if policy else None
    if policy is None or severity is None:
        return []
    made = [
        policy.finding(
            waiver.at,
            "",
            f"the waiver of {waiver.code} for {waiver.subject} covers nothing",
            fix="remove it",
        )
        for waiver in federation.waivers
        if not waiver.expired(federation.today) and not any(waiver.covers(f) for f in findings)
    ]
    return [replace(f, severity=severity) for f in made]


def _waiver_row(federation: Federation, waiver: Any) -> dict[str, str]:
    return {
        "code": waiver.code,
        "subject": waiver.subject,
        "owner": waiver.owner,
        "reason": waiver.reason,
        "until": waiver.until.isoformat(),
        "state": "expired" if waiver.expired(federation.today) else "in force",
        "at": str(waiver.at),
    }
