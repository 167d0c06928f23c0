"""`hanse log dead-letter`, on a mesh in a folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse.cli.log import app
from hanse.errors import LogError
from hanse.ports.event_log import Record
from helpers.projection_mesh import ProjectionMesh

run = CliRunner()


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectionMesh]:
    (tmp_path / "hanse.toml").write_text('data = "."\n')
    monkeypatch.chdir(tmp_path)
    made = ProjectionMesh(tmp_path)
    made.log.produce("shop.sales", [Record(b"\x1b[31mbad", b"k", (("ce_id", b"7"),)), Record(b"worse", b"k")])
    projector = made.projector(made.product())
    projector.run_to_head()
    projector.con.close()
    yield made
    made.close()


def listed() -> list[dict[str, object]]:
    result = run.invoke(app, ["dead-letter", "list", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_list_show_and_replay(mesh: ProjectionMesh) -> None:
    first, second = listed()
    assert base64.b64decode(str(first["value"])) == b"\x1b[31mbad"
    assert first["reason"] == "the value has no Confluent frame"
    table = run.invoke(app, ["dead-letter", "list", "shop.sales"], catch_exceptions=False)
    assert str(first["id"])[:12] in table.stdout
    shown = run.invoke(
        app, ["dead-letter", "show", "shop.sales", str(first["id"])[:10]], catch_exceptions=False
    )
    assert "\\x1b[31mbad" in shown.stdout
    assert "ce_id: 7" in shown.stdout
    before = {p: r.high for p, r in mesh.log.ranges("shop.sales").items()}
    done = run.invoke(app, ["dead-letter", "replay", "shop.sales", str(second["id"])], catch_exceptions=False)
    assert "1 record sent back" in done.stdout
    after = {p: r.high for p, r in mesh.log.ranges("shop.sales").items()}
    assert sum(after.values()) == sum(before.values()) + 1
    assert run.invoke(app, ["dead-letter", "replay", "shop.sales", "--all"]).exit_code == 0


def test_what_is_not_there_is_said(mesh: ProjectionMesh) -> None:
    with pytest.raises(LogError, match="no dead letter"):
        run.invoke(app, ["dead-letter", "show", "shop.sales", "zz"], catch_exceptions=False)
    assert run.invoke(app, ["dead-letter", "replay", "shop.sales"]).exit_code == 2
    nothing = run.invoke(app, ["dead-letter", "list", "shop.people"], catch_exceptions=False)
    assert "no dead letters" in nothing.stdout
