"""A copy of this repository's own mesh, for tests that run or break it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("domains", "governance/policies.toml", "hanse.toml", "workspace.yaml", "dagster.yaml")


def copy_mesh(folder: Path) -> Path:
    """Copy what makes the mesh, without what is built or generated; returns the folder."""
    for name in PARTS:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    return folder
