"""The reference pages of the policies, made from their classes.

`python -m hanse_governance.docs DIR` writes them; a test holds that they are up to date.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from hanse_governance.policy import Policy, all_policies

COMMAND = "python -m hanse_governance.docs docs/reference/policies"
_GENERATED = f"<!-- Made by `{COMMAND}`: edit the policy instead. -->"
_FAMILIES = {
    "DSC": "Descriptors",
    "FED": "Federation",
    "LNG": "Language",
    "MSG": "Message coupling",
    "OPS": "Operations",
    "PII": "Personal data",
    "PRD": "Contracts and products",
    "SCH": "Schemas",
    "SQL": "Projections",
}


def page(policy: Policy) -> str:
    """The page of one policy as Markdown."""
    lines = [
        f"# {policy.code} {policy.name}",
        "",
        f"Severity: {policy.severity}",
        "",
        inspect.cleandoc(type(policy).__doc__ or ""),
        "",
        "## Why it matters",
        "",
        policy.why,
    ]
    if policy.parameters:
        lines += [
            "",
            "## Parameters",
            "",
            "| name | default | stricter | meaning |",
            "|---|---|---|---|",
        ]
        lines += [f"| `{p.name}` | {p.default} | {p.stricter} | {p.help} |" for p in policy.parameters]
    return "\n".join(lines) + "\n"


def index() -> str:
    """The page that lists all policies by family."""
    lines = [
        _GENERATED,
        "",
        "# Policies",
        "",
        "What `hanse check` enforces. `hanse check --explain CODE` prints a page in the terminal.",
    ]
    for prefix, family in _FAMILIES.items():
        members = [p for p in all_policies() if p.code.startswith(prefix)]
        if members:
            lines += ["", f"## {family}", "", "| code | name | severity | why |", "|---|---|---|---|"]
            lines += [f"| [{p.code}]({p.code}.md) | {p.name} | {p.severity} | {p.why} |" for p in members]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """All pages, by file name."""
    made = {f"{p.code}.md": f"{_GENERATED}\n\n{page(p)}" for p in all_policies()}
    return {"index.md": index(), **made}


def main(folder: Path) -> None:
    """Write all pages into a folder and remove those of policies that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for stale in folder.glob("*.md"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
