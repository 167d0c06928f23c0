"""`hanse domain new`: team, language, one topic with its schema, and the domain's place in Dagster."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hanse.errors import ConfigError
from hanse.scaffold.names import domain_name
from hanse.scaffold.render import render, write


def domain_new(root: Path, name: str) -> list[Path]:
    """Make a domain in the mesh at `root`; gives the files written, `workspace.yaml` among them if it grew.

    Raises ConfigError: a name that cannot be, a domain that is there already.
    """
    folder = root / "domains" / domain_name(name)
    if folder.exists() or folder.is_symlink():
        raise ConfigError(f"there is a domain {name} already", where=str(folder), fix="choose another name")
    texts = render("domain", values(name))
    if not wants_project_file(root):
        del texts[PurePosixPath("pyproject.toml")]
    written = write(root, {PurePosixPath("domains", name) / path: text for path, text in texts.items()})
    if (root / "workspace.yaml").is_file():
        from hanse.orchestration.workspace import add_location

        if add_location(root, name):
            written.append(root / "workspace.yaml")
    return written


def values(name: str) -> dict[str, str]:
    """What the templates of a domain are filled with."""
    entity = singular(name)
    return {
        "domain": name,
        "title": name.replace("_", " ").capitalize(),
        "channel": name.replace("_", "-"),
        "dashed": name.replace("_", "-"),
        "entity": entity,
        "term": entity.replace("_", " ").capitalize(),
        "event": f"{entity}_recorded",
        "record": f"{_camel(entity)}Recorded",
        "command": f"Record{_camel(entity)}",
        "aggregate": _camel(entity),
    }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def singular(name: str) -> str:
    """What one thing of a domain is called: `returns` → `return`."""
    if name.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    if name.endswith(("sses", "shes", "ches", "xes")):
        return name[:-2]
    return (
        name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) and len(name) > 3 else name
    )


def wants_project_file(root: Path) -> bool:
    """Whether the folder is a uv workspace that takes every domain for a member, and so for a project."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return False
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    members = document.get("tool", {}).get("uv", {}).get("workspace", {}).get("members", [])
    return any(fnmatchcase("domains/new", str(member)) for member in members)
