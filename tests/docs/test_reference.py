"""The reference pages say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from hanse.cli import COMMANDS, load_command

ROOT = Path(__file__).resolve().parents[2]


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "settings.md"])
def test_a_reference_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert written == generator().PAGES[name](), "run: python docs/generate.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_lists_speak_json(name: str) -> None:
    command = load_command(name)
    for sub, found in getattr(command, "commands", {name: command}).items():
        assert found.help, f"{name} {sub} has no help"
        for parameter in found.params:
            assert getattr(parameter, "help", True), f"{name} {sub}: {parameter.name} has no help"
        if sub in ("list", "topics", "history"):
            assert any("--json" in getattr(p, "opts", ()) for p in found.params), f"{name} {sub} lacks --json"
