"""The Markdown of a pull request's summary, with a picture of who is hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanse_governance.finding import Finding
    from hanse_governance.impact import Impact
    from hanse_governance.runner import Report

_MAX_ROWS = 200


def markdown(report: Report) -> str:
    """Findings as a table, then for each breaking change a table and a Mermaid picture."""
    lines = ["## Hanse check", "", report.summary(), ""]
    open_findings = [f for f in report.findings if not f.waiver]
    if open_findings:
        lines += ["| | Rule | Where | What | To mend it |", "|---|---|---|---|---|"]
        lines += [_row(f) for f in open_findings[:_MAX_ROWS]]
        if len(open_findings) > _MAX_ROWS:
            lines += ["", f"{len(open_findings) - _MAX_ROWS} more are not shown."]
        lines.append("")
    for number, impact in enumerate(report.impacts):
        lines += _impact(impact, number)
    return "\n".join(lines).rstrip() + "\n"


def _row(finding: Finding) -> str:
    sign = "❌" if finding.severity == "error" else "⚠️"
    cells = (f"{sign} {finding.severity}", finding.code, f"`{finding.at}`", finding.what, finding.fix)
    return "| " + " | ".join(_cell(c) for c in cells) + " |"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _impact(impact: Impact, number: int) -> list[str]:
    what = ", ".join(f"`{c}`" for c in impact.columns) or "all columns"
    lines = [f"### Who is hit by `{impact.subject}` ({what})", ""]
    if not impact.hits:
        return [*lines, "Nobody downstream reads it.", ""]
    lines += ["| Product | Owner | Steps | Through | Columns |", "|---|---|---|---|---|"]
    for hit in impact.hits:
        cells = (hit.product, hit.owner, str(hit.distance), hit.via, ", ".join(hit.columns) or "all")
        lines.append("| " + " | ".join(_cell(c) for c in cells) + " |")
    return [*lines, "", "```mermaid", *_mermaid(impact, number), "```", ""]


def _mermaid(impact: Impact, number: int) -> list[str]:
    names = [impact.subject, *(h.product for h in impact.hits)]
    ids = {name: f"n{number}_{i}" for i, name in enumerate(names)}
    lines = ["flowchart LR", f'  {ids[impact.subject]}["{_label(impact.subject)}"]:::changed']
    lines += [f'  {ids[h.product]}["{_label(h.product)}"]' for h in impact.hits]
    lines += [f"  {ids[h.via]} --> {ids[h.product]}" for h in impact.hits if h.via in ids]
    return [*lines, "  classDef changed fill:#fde2e1,stroke:#b3261e,color:#410e0b"]


def _label(text: str) -> str:
    return text.replace('"', "#quot;").replace("<", "#lt;").replace("`", "")
