"""Runs every benchmark in its short form: each must end well and print its ratios.

`pytest benchmarks/short.py`; the long form of one is `python benchmarks/NAME.py`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = sorted(p for p in HERE.glob("*.py") if p.name != "short.py")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_short_form(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled():
        print(f"\n--- {program.stem}", flush=True)
        done = subprocess.run([sys.executable, str(program), "--short"], cwd=HERE.parent, timeout=600)
    assert done.returncode == 0
