"""Upkeep: what a crash inside expiry left is swept, nothing else; bytes are verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.product import app
from hanse.publish import maintenance
from hanse.publish.reader import Reader
from hanse.publish.verdicts import Verdicts
from hanse.runtime import run_product
from helpers.shop_mesh import rows_of, sell, settings_of, write_mesh

NAME = "shop.by_state"


class Killed(BaseException):
    """The process died here."""


def test_files_of_a_crash_inside_expiry_are_swept_and_moments_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_mesh(tmp_path / "mesh", [NAME, "reporting.bands"])
    monkeypatch.setattr(maintenance, "MAX_SNAPSHOTS", 4)
    monkeypatch.setattr(maintenance, "KEEP_SNAPSHOTS", 2)

    def die(*_: object) -> None:
        raise Killed

    warehouse = settings_of(root).lakehouse_path / "warehouse"
    with Mesh(settings_of(root)) as mesh:
        for number in range(4):
            sell(mesh, [("A", 1)], number)
            run_product(mesh, NAME)
            if number == 0:
                run_product(mesh, "reporting.bands")
        sell(mesh, [("A", 1)], 9)
        with monkeypatch.context() as crash:
            crash.setattr(maintenance, "_delete", die)
            with pytest.raises(Killed):
                run_product(mesh, NAME)
        stray = warehouse / "shop/by_state/data/0123-0.parquet"
        stray.write_bytes(b"left")
        reader = Reader(mesh.settings)
        kept = [e.seq for e in reader.history(NAME) if e.kept]
        before = {seq: rows_of(root, NAME, seq) for seq in kept}
        monkeypatch.chdir(root)
        shown = CliRunner().invoke(app, ["maintain", NAME])
        assert shown.exit_code == 0, shown.output
        assert not stray.exists()
        assert len(list((warehouse / "shop/by_state/data").glob("*.parquet"))) == len(kept)
        assert 1 in kept, "the snapshot that reporting.bands stands on"
        assert {seq: rows_of(root, NAME, seq) for seq in kept} == before
        sell(mesh, [("B", 200)], 10)
        run_product(mesh, NAME)
        run_product(mesh, "reporting.bands")
        assert rows_of(root, "reporting.bands") == [("high", 1, 1), ("low", 1, 5)]
    again = CliRunner().invoke(app, ["maintain"])
    assert again.exit_code == 0, again.output


def test_a_reader_that_is_no_more_holds_nothing(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "verdicts.db")
    verdicts.pin("a.b", "c.d", 1)
    verdicts.pin("a.b", "e.f", 2)
    verdicts.drop_pins("a.b", {"e.f"})
    assert verdicts.pinned("a.b") == {2}
    verdicts.drop_pins("a.b", set())
    assert verdicts.pinned("a.b") == set()


def test_a_flipped_bit_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_mesh(tmp_path / "mesh", [NAME])
    with Mesh(settings_of(root)) as mesh:
        sell(mesh, [("A", 1)])
        run_product(mesh, NAME)
        path = Path(Reader(mesh.settings).files(NAME).data[0])
    monkeypatch.chdir(root)
    assert CliRunner().invoke(app, ["scrub"]).exit_code == 0
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    path.write_bytes(text)
    found = CliRunner().invoke(app, ["scrub"])
    assert found.exit_code == 1
    assert path.name in "".join(found.output.split())
