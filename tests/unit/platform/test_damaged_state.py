"""A damaged state file is named as such, and the way out that the message gives is one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hanse.bootstrap import Mesh
from hanse.errors import PublicationError
from hanse.publish.verdicts import Verdicts
from hanse.runtime import rebuild_product, run_product
from hanse.scaffold import mesh_new
from hanse.scaffold.feed import feed


def test_a_damaged_state_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    mesh_new(tmp_path / "mesh", "barrels")
    name = "barrels.barrels_by_reason"
    with Mesh.open(tmp_path / "mesh") as mesh:
        feed(mesh, "barrels")
        assert run_product(mesh, name).rows == 3
        mesh.settings.state_path(name).write_bytes(b"\x07" * 9_000)
        with pytest.raises(PublicationError, match="is damaged") as caught:
            run_product(mesh, name)
        assert f"hanse product rebuild {name}" in str(caught.value.fix)
        rebuilt = rebuild_product(mesh, name)
        assert (rebuilt.rows, rebuilt.records) == (3, 4)


def test_a_damaged_history_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.db"
    path.write_bytes(b"\x07" * 9_000)
    for read in (Verdicts(path).products, lambda: Verdicts(path).history("a.b")):
        with pytest.raises(PublicationError, match="history of publications cannot be read") as caught:
            read()
        assert caught.value.where == str(path)
