"""Finds and resolves all descriptors of a mesh."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from hanse.descriptors import domain as domains
from hanse.descriptors import product as products
from hanse.descriptors.domain import read_domain
from hanse.descriptors.problem import Problem
from hanse.descriptors.product import read_product
from hanse.errors import ConfigError
from hanse.model.mesh import Domain, MeshModel, Product


def load_mesh(root: Path) -> MeshModel:
    """All domains, topics and products under `root`. Raises ConfigError that lists every fault found."""
    model, problems = try_load(root)
    if not problems:
        return model
    first = problems[0].error()
    if len(problems) == 1:
        raise first
    more = "\n".join(f"{p.where}: {p.what}" for p in problems[1:21])
    raise ConfigError(
        f"{first.what} ({len(problems)} faults in the descriptors)",
        where=first.where,
        expected=first.expected,
        got=first.got,
        fix=f"{first.fix or 'mend these files'}; the others:\n{more}",
    )


def try_load(root: Path) -> tuple[MeshModel, list[Problem]]:
    """What could be read, and all faults: a broken file costs its own product or domain only."""
    problems: list[Problem] = []
    found_domains: list[Domain] = []
    found_products: list[Product] = []
    folder = root / "domains"
    for directory in sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []:
        if not (directory / domains.FILE).is_file() and not (directory / "products").is_dir():
            continue
        found = read_domain(directory, problems)
        if found is not None:
            found_domains.append(found)
        for path in _product_folders(directory):
            product = read_product(path, directory.name, problems)
            if product is not None:
                found_products.append(product)
    model = MeshModel(root, tuple(found_domains), tuple(found_products))
    problems.extend(_unresolved(model, {p.path for p in problems}))
    return model, problems


def _product_folders(directory: Path) -> list[Path]:
    folder = directory / "products"
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and (p / products.FILE).is_file())


def _unresolved(model: MeshModel, faulty: set[Path]) -> list[Problem]:
    """Inputs that nothing provides, and products named as a topic. Faulty domains are given the benefit."""
    topics = {t.full_name for d in model.domains for t in d.topics}
    folders = [d for d in (model.root / "domains").glob("*") if d.is_dir()]
    names = topics | {f"{d.name}.{p.name}" for d in folders for p in _product_folders(d)}
    broken = {d.name for d in folders if d / domains.FILE in faulty}
    found: list[Problem] = []
    for product in model.products:
        path = product.directory / products.FILE
        if product.full_name in topics:
            found.append(Problem(f"{product.full_name} is a topic and a product", path, fix="rename one"))
        for name in product.inputs:
            if name in names or name.split(".")[0] in broken:
                continue
            near = get_close_matches(name, sorted(names), 1)
            found.append(
                Problem(
                    f"unknown input {name}",
                    path,
                    _line_of(path, name),
                    expected="a topic or a product of the mesh",
                    got=name,
                    fix=f"did you mean {near[0]}?" if near else None,
                )
            )
    return found


def _line_of(path: Path, text: str) -> int | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if text in line), None)
