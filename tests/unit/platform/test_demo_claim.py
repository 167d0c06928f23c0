"""The note of which input a mesh holds: written whole, and told when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError
from hanse.runtime import demo
from helpers.domain_mesh import make_mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    (tmp_path / "hanse.toml").write_text("")
    return Mesh.open(tmp_path)


def quiet(step: str, count: int) -> None:
    """No progress."""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\xff"])
def test_a_note_that_cannot_be_read_is_named(mesh: Mesh, text: str) -> None:
    mesh.settings.data.mkdir()
    (mesh.settings.data / "demo.json").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        demo.play(mesh, demo.Input.simulated(7, 1), quiet)
    assert caught.value.where is not None
    assert caught.value.where.endswith("demo.json")


def test_an_input_that_is_not_there_claims_nothing(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with make_mesh(tmp_path / "mesh") as mesh:
        for folder, problem in (("wrong", "does not exist"), ("files", "cannot be read")):
            with pytest.raises(ConfigError, match=problem):
                demo.play(mesh, demo.Input.olist(tmp_path / folder), quiet)
            assert not (mesh.settings.data / "demo.json").exists()


def test_a_note_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def half(path: Path, text: str, **options: str) -> int:
        write(path, text[:5], **options)
        raise OSError(28, "No space left on device", str(path))

    mesh = make_mesh(tmp_path / "mesh")
    monkeypatch.setattr(Path, "write_text", half)
    with mesh, pytest.raises(OSError, match="No space"):
        demo.play(mesh, demo.Input.simulated(7, 1), quiet)
    assert not (mesh.settings.data / "demo.json").exists()
