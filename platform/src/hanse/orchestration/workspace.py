"""`workspace.yaml`: which code locations Dagster loads, one a domain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hanse.errors import ConfigError


def add_location(root: Path, domain: str) -> bool:
    """List the domain's `definitions.py` in `workspace.yaml`; False when it stands there already.

    Comments and order of the file are kept. Raises ConfigError when it is no list of locations.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    path = root / "workspace.yaml"
    document: Any = yaml.load(path.read_text(encoding="utf-8")) if path.exists() else {}
    locations = (document or {}).setdefault("load_from", [])
    if not isinstance(locations, list):
        raise ConfigError("workspace.yaml lists no locations", where=str(path), expected="a list `load_from`")
    if any(entry.get("python_file", {}).get("location_name") == domain for entry in locations):
        return False
    file = f"domains/{domain}/src/{domain}/definitions.py"
    locations.append({"python_file": {"relative_path": file, "location_name": domain}})
    yaml.indent(mapping=2, sequence=4, offset=2)
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)
    return True
