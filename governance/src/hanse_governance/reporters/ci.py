"""Annotations that GitHub and GitLab show in a pull request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hanse_governance.reporters.sarif import fingerprint

if TYPE_CHECKING:
    from hanse_governance.runner import Report

_GITLAB_SEVERITY = {"error": "critical", "warning": "minor"}


def github(report: Report) -> str:
    """GitHub workflow commands, one a finding, then the count."""
    lines: list[str] = []
    for finding in report.findings:
        if finding.waiver:
            continue
        file = _value(report.repository_path(finding.at.path))
        place = f"file={file},line={finding.at.line},col={finding.at.column}"
        title = _value(f"{finding.code} {finding.name}")
        body = _data(f"{finding.what}\n{finding.why}\nTo mend it: {finding.fix}")
        lines.append(f"::{finding.severity} {place},title={title}::{body}")
    return "\n".join([*lines, report.summary()]) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab(report: Report) -> str:
    """GitLab's Code Quality report."""
    issues = [
        {
            "description": f"{f.what} ({f.fix})",
            "check_name": f"{f.code} {f.name}",
            "fingerprint": fingerprint(f),
            "severity": _GITLAB_SEVERITY[f.severity],
            "location": {
                "path": report.repository_path(f.at.path),
                "positions": {"begin": {"line": f.at.line, "column": f.at.column}},
            },
        }
        for f in report.findings
        if not f.waiver
    ]
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"
