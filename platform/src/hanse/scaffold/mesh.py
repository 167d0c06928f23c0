"""`hanse init`: a mesh of one's own, with one domain and one product that run."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path, PurePosixPath

from hanse.errors import ConfigError
from hanse.scaffold.domain import domain_new
from hanse.scaffold.names import domain_name
from hanse.scaffold.product import product_new
from hanse.scaffold.render import render, write

EXAMPLE_DOMAIN = "parcels"


def mesh_new(directory: Path, domain: str = EXAMPLE_DOMAIN) -> list[Path]:
    """Make a mesh in a folder, which may exist but not be one; gives the files written.

    Raises ConfigError when a file is in the way, or the folder lies inside another mesh.
    """
    root = directory.resolve()
    domain_name(domain)
    if root.exists() and not root.is_dir():
        raise ConfigError("this is a file", where=str(root), fix="name a folder")
    above = next((f for f in (root, *root.parents) if (f / "hanse.toml").is_file()), None)
    if above is not None:
        what = "there is a mesh here already" if above == root else "this folder lies inside another mesh"
        raise ConfigError(what, where=str(above), fix="name another folder")
    product = f"{domain}_by_reason"
    values = {"mesh": root.name, "domain": domain, "product": product, "version": version("hanse")}
    texts = {_dotted(path): text for path, text in render("mesh", values).items()}
    written = write(root, texts)
    return [*written, *domain_new(root, domain), *product_new(root, f"{domain}/{product}")]


def _dotted(path: PurePosixPath) -> PurePosixPath:
    return path.with_name(".gitignore") if path.name == "gitignore" else path
