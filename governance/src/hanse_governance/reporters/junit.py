"""JUnit XML: one test case a finding, so that any CI shows them; waived ones are skipped cases."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from hanse_governance.finding import Finding
    from hanse_governance.runner import Report


def junit(report: Report) -> str:
    """Errors are failures, warnings pass with a text; a clean policy is a passing case."""
    cases = [_case(finding) for finding in report.findings]
    broken = {finding.code for finding in report.findings}
    cases += [_passed(code, name) for code, name in report.policies if code not in broken]
    counts = report.counts()
    suite = ElementTree.Element(
        "testsuite",
        name="hanse check",
        tests=str(len(cases)),
        failures=str(counts["error"]),
        errors="0",
        skipped=str(counts["waived"]),
        time=f"{report.seconds:.3f}",
    )
    suite.extend(cases)
    totals = {k: suite.attrib[k] for k in ("name", "tests", "failures", "errors", "time")}
    top = ElementTree.Element("testsuites", totals)
    top.append(suite)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"


def _passed(code: str, name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname=code, name=name, time="0")


def _case(finding: Finding) -> ElementTree.Element:
    name = f"{finding.at} {_clean(finding.subject)}".strip()
    case = ElementTree.Element("testcase", classname=f"{finding.code} {finding.name}", name=name, time="0")
    body = _clean(f"{finding.at}\n{finding.what}\nwhy: {finding.why}\nfix: {finding.fix}")
    if finding.waiver:
        ElementTree.SubElement(case, "skipped", message=_clean(f"waived by {finding.waiver}"))
    elif finding.severity == "error":
        failure = ElementTree.SubElement(case, "failure", message=_clean(finding.what), type=finding.code)
        failure.text = body
    else:
        ElementTree.SubElement(case, "system-out").text = body
    return case


def _clean(text: str) -> str:
    """The text without characters that XML 1.0 cannot hold."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?"
        for c in text
    )
