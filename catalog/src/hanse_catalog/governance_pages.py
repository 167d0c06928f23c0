"""The picture of governance: policies by domain, waivers, and the context map with who reads whom."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hanse_governance.finding import Finding
from hanse_governance.runner import Report

from .api import catalog_of, reader_of
from .contexts import HEIGHT, WIDTH, context_map
from .kept import Kept
from .problems import Forbidden
from .render import page as render

api = APIRouter(prefix="/api", tags=["governance"])
pages = APIRouter()


@dataclass(frozen=True, slots=True)
class Line:
    """A policy with its findings by domain: (errors, warnings, waived)."""

    code: str
    name: str
    cells: dict[str, tuple[int, int, int]]


def matrix(report: Report) -> list[Line]:
    """Policies that found something, each with its counts by domain; "" is the mesh as a whole."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for finding in report.findings:
        kind = "waived" if finding.waiver else finding.severity
        counts[finding.code, finding.domain or "", kind] += 1
    domains = {domain for _, domain, _ in counts}
    lines: list[Line] = []
    for code, name in report.policies:
        cells = {
            domain: (
                counts[code, domain, "error"],
                counts[code, domain, "warning"],
                counts[code, domain, "waived"],
            )
            for domain in domains
        }
        if any(map(any, cells.values())):
            lines.append(Line(code, name, cells))
    return lines


def _report(request: Request) -> Report:
    checker: Kept[Report] | None = request.app.state.checker
    if checker is None:
        raise Forbidden("this catalog has no files to check", fix="serve it over a mesh, with `hanse up`")
    return checker.at(catalog_of(request).view.revision())


@api.get("/governance", summary="What the policies found")
def found(request: Request) -> JSONResponse:
    """Counts, findings and waivers of `hanse check` on the mesh as it is; and who reads whom across domains."""
    report, catalog, reader = _report(request), catalog_of(request), reader_of(request)
    seen = catalog.visible(reader)
    hidden = {p.full_name for p in catalog.view.products()} - {p.full_name for p in seen}
    relations = context_map(catalog.view.domains(), seen).relations
    return JSONResponse(
        {
            "counts": report.counts(),
            "findings": [f.as_dict() for f in report.findings if f.subject not in hidden],
            "waivers": report.waivers,
            "relations": [
                {"source": r.source, "reader": r.reader, "tables": r.tables, "products": r.products}
                for r in relations
            ],
        }
    )


@pages.get("/governance")
async def governance(request: Request) -> Response:
    """Policies by domain, findings, waivers, and the context map."""
    catalog, reader = catalog_of(request), reader_of(request)
    report = await asyncio.to_thread(_report, request)
    seen = catalog.visible(reader)
    hidden = {p.full_name for p in catalog.view.products()} - {p.full_name for p in seen}
    domains = catalog.view.domains()
    live = [f for f in report.findings if not f.waiver and f.subject not in hidden]
    context: dict[str, Any] = {
        "section": "governance",
        "report": report,
        "counts": report.counts(),
        "lines": matrix(report),
        "domains": [d.name for d in domains],
        "findings": sorted(live, key=_gravest)[:200],
        "map": context_map(domains, seen),
        "coupling": [f for f in live if f.code.startswith("MSG")],
        "size": (WIDTH, HEIGHT),
    }
    return render("governance.html", **context)


def _gravest(finding: Finding) -> tuple[bool, str, str]:
    return (finding.severity != "error", finding.code, finding.subject)
