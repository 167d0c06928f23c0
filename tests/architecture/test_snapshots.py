"""What others build on changes only on purpose: commands, asset keys, dependencies, public names.

`python tests/architecture/test_snapshots.py` writes the snapshot anew.
"""

from __future__ import annotations

import json
import re
import tomllib
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("snapshot.json")
PUBLIC = (
    "hanse.domain",
    "hanse.testing",
    "hanse.runtime",
    "hanse.orchestration",
    "hanse.scaffold",
    "hanse.relay",
)


def commands() -> list[str]:
    from hanse.cli import COMMANDS, load_command

    return sorted(
        f"{name} {sub}".strip()
        for name in COMMANDS
        for sub in getattr(load_command(name), "commands", {"": None})
    )


def assets() -> list[str]:
    from hanse.descriptors import load_mesh

    model = load_mesh(ROOT)
    topics = [f"topic {t.full_name} {t.kind}" for d in model.domains for t in d.topics]
    return sorted([f"product {p.full_name} {p.access}" for p in model.products] + topics)


def dependencies() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("domains/*/pyproject.toml")]:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found[project["name"]] = sorted(re.split(r"[<>=~!\[ ]", d)[0] for d in project["dependencies"])
    return dict(sorted(found.items()))


def names() -> dict[str, list[str]]:
    return {module: sorted(import_module(module).__all__) for module in PUBLIC}


def current() -> dict[str, object]:
    return {"commands": commands(), "assets": assets(), "dependencies": dependencies(), "names": names()}


def test_the_public_surface_is_as_recorded() -> None:
    recorded = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert current() == recorded, "changed on purpose? run: python tests/architecture/test_snapshots.py"


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(current(), indent=2) + "\n", encoding="utf-8")
