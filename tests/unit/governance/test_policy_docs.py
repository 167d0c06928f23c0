"""The policies' pages are made from their classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hanse_governance.docs import COMMAND, pages
from hanse_governance.policy import Policy, all_policies

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "policies"


def test_pages_are_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert written == pages(), f"run `{COMMAND}`"


@pytest.mark.parametrize("policy", all_policies(), ids=lambda p: p.code)
def test_a_policy_says_what_why_and_shows_examples(policy: Policy) -> None:
    text = type(policy).__doc__ or ""
    assert re.fullmatch(r"[A-Z]{3}\d{3}", policy.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", policy.name)
    assert policy.why.endswith(".")
    assert "## Examples" in text
    assert "Breaks it" in text
    assert "Keeps it" in text
    module = type(policy).__module__
    assert module.startswith("hanse_governance.policies.")


def test_codes_and_names_are_unique() -> None:
    names = [p.name for p in all_policies()]
    assert len(set(names)) == len(names)
