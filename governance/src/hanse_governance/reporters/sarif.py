"""SARIF 2.1.0, for code scanning. Each policy is a rule with its whole page as help."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hanse_governance.docs import page
from hanse_governance.policy import all_policies

if TYPE_CHECKING:
    from hanse_governance.finding import Finding
    from hanse_governance.runner import Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(report: Report) -> str:
    """One run; a waived finding is a suppressed result."""
    rules = [
        {
            "id": policy.code,
            "name": policy.name,
            "shortDescription": {"text": policy.why},
            "help": {"text": policy.why, "markdown": page(policy)},
            "defaultConfiguration": {"level": policy.severity},
        }
        for policy in all_policies()
    ]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    driver = {"name": "hanse check", "version": version("hanse-governance"), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The root of the repository."}}},
        "results": [_result(report, finding, index[finding.code]) for finding in report.findings],
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _result(report: Report, finding: Finding, rule: int) -> dict[str, Any]:
    uri = quote(report.repository_path(finding.at.path))
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": f"{finding.what}\n{finding.why}\nTo mend it: {finding.fix}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri, "uriBaseId": "SRCROOT"},
                    "region": {"startLine": finding.at.line, "startColumn": finding.at.column},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.subject or "mesh"}],
            }
        ],
        "partialFingerprints": {"hanse/v1": fingerprint(finding)},
    }
    if finding.waiver:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.waiver}]
    return result


def fingerprint(finding: Finding) -> str:
    """An id that stays when lines move: of the code, the file, the subject and the sentence."""
    text = "\0".join((finding.code, finding.at.path, finding.subject, finding.what))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
