"""A mesh with the reference domains' descriptors and schemas, in a folder of its own, without products."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hanse.bootstrap import Mesh

ROOT = Path(__file__).resolve().parents[2]
OLIST = ROOT.parent / "shared/data/olist"


def make_mesh(root: Path, *domains: str) -> Mesh:
    root.mkdir(parents=True, exist_ok=True)
    (root / "hanse.toml").write_text("")
    for domain in domains or ("customers", "orders"):
        shutil.copytree(
            ROOT / "domains" / domain,
            root / "domains" / domain,
            ignore=shutil.ignore_patterns("products", "src", "__pycache__"),
            dirs_exist_ok=True,
        )
    return Mesh.open(root)


def needs_olist() -> Path:
    if not OLIST.is_dir():
        reason = f"the Olist sample is not at {OLIST}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return OLIST
