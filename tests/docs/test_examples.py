"""Every console block of the guides runs: `$ command` lines, in order, in a fresh mesh per page
(or an empty folder, when the page begins with `hanse init`).

A line of expected output that stands under a command must appear in what the command prints.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.reference_mesh import copy_mesh

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip() and found:
                found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if p.exists() and commands(p)], ids=lambda p: p.name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    begins_empty = commands(page)[0][0].startswith("hanse init")
    here = tmp_path if begins_empty else copy_mesh(tmp_path)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    for command, expected in commands(page):
        words = command.split()
        if words[0] == "cd":
            here = (here / words[1]).resolve()
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=here, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed = " ".join((done.stdout + done.stderr).split())
        for line in expected:
            assert " ".join(line.split()) in printed, (
                f"{command}\nlacks {line!r} in\n{done.stdout}{done.stderr}"
            )
