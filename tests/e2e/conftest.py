"""A copy of the reference mesh, and the command line as its user calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("domains", "governance/policies.toml", "hanse.toml", "workspace.yaml", "dagster.yaml")

Run = Callable[..., subprocess.CompletedProcess[str]]


def copy_mesh(folder: Path) -> Path:
    for name in PARTS:
        target = folder / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    return folder


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
