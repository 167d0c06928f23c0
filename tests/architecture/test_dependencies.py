"""Dependencies point inwards, and the folders are what design says they are."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "hanse": ROOT / "platform/src/hanse",
    "hanse_governance": ROOT / "governance/src/hanse_governance",
    "hanse_catalog": ROOT / "catalog/src/hanse_catalog",
}
DOMAINS = {p.name: p / "src" / p.name for p in (ROOT / "domains").iterdir() if (p / "src" / p.name).is_dir()}
ALLOWED = {
    "hanse": {"hanse"},
    "hanse_governance": {"hanse", "hanse_governance"},
    "hanse_catalog": {"hanse", "hanse_catalog", "hanse_governance"},
}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def ours(package: Path, allowed: set[str]) -> list[str]:
    known = {*PACKAGES, *DOMAINS}
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in package.rglob("*.py")
        for line, name in imports(path)
        if name.split(".")[0] in known - allowed
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_depend_inwards(package: str) -> None:
    assert ours(PACKAGES[package], ALLOWED[package]) == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_knows_only_the_platform_and_itself(domain: str) -> None:
    assert ours(DOMAINS[domain], {"hanse", domain}) == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_domain_code_never_names_the_event_sourcing_library(domain: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in DOMAINS[domain].rglob("*.py")
        for line, name in imports(path)
        if name.split(".")[0] == "eventsourcing"
    ]
    assert found == []


def test_model_and_ports_name_no_vendor() -> None:
    standard = sys.stdlib_module_names | {"hanse"}
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for folder in ("model", "ports")
        for path in (PACKAGES["hanse"] / folder).rglob("*.py")
        for line, name in imports(path)
        if name.split(".")[0] not in standard | ({"pyarrow"} if folder == "ports" else set())
    ]
    assert found == []


def test_platform_is_a_folder_and_tests_are_no_package() -> None:
    assert not (ROOT / "platform/__init__.py").exists()
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_test_modules_have_distinct_names() -> None:
    names = [path.stem for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
