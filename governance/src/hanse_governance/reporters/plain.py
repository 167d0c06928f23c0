"""The report for people, and the same as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanse_governance.impact import Impact
    from hanse_governance.runner import Report


def text(report: Report) -> str:
    """One paragraph a finding, then who is hit, then the count."""
    lines: list[str] = []
    for finding in report.findings:
        if finding.waiver:
            continue
        lines += [
            f"{finding.at}: {finding.severity} {finding.code} {finding.what}",
            f"    why: {finding.why}",
            f"    fix: {finding.fix}",
        ]
    for impact in report.impacts:
        lines += ["", *_table(impact)]
    return "\n".join([*lines, *([""] if lines else []), report.summary()]) + "\n"


def _table(impact: Impact) -> list[str]:
    what = ", ".join(impact.columns) or "all columns"
    head = f"{impact.subject} ({what}) breaks: {len(impact.hits) or 'no'} products downstream"
    if not impact.hits:
        return [head]
    rows = [("product", "owner", "steps", "through", "columns")]
    rows += [(h.product, h.owner, str(h.distance), h.via, ", ".join(h.columns) or "all") for h in impact.hits]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        head,
        *("  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows),
    ]


def as_json(report: Report) -> str:
    """Findings, impact and counts as one JSON object."""
    document = {
        "findings": [f.as_dict() for f in report.findings],
        "impact": [i.as_dict() for i in report.impacts],
        "counts": report.counts(),
        "domains": report.domains,
        "products": report.products,
        "schemas": report.schemas,
        "base": report.base,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
