"""A copy of the reference mesh, and the command line as its user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.reference_mesh import copy_mesh

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    return copy_mesh(tmp_path / "mesh")


@pytest.fixture(scope="session")
def hanse() -> Run:
    def run(
        folder: Path, *arguments: str, timeout: float = 180, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hanse", *arguments],
            cwd=folder,
            env={**os.environ, "COLUMNS": "160", **environ},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
