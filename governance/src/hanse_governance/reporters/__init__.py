"""Forms of a report: text for people, the rest for machines. Each gives the whole text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hanse_governance.reporters import ci, junit, plain, sarif, summary

if TYPE_CHECKING:
    from hanse_governance.runner import Report

FORMATS: dict[str, Callable[[Report], str]] = {
    "text": plain.text,
    "json": plain.as_json,
    "junit": junit.junit,
    "sarif": sarif.sarif,
    "github": ci.github,
    "gitlab": ci.gitlab,
    "markdown": summary.markdown,
}
