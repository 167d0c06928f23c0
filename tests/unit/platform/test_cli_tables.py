"""What stands in descriptors is shown as it stands: it is neither markup nor a command to the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse import runtime
from hanse.cli import domain, product
from hanse.cli.demo import _print as print_demo  # pyright: ignore[reportPrivateUsage]
from hanse.cli.scaffold import init
from hanse.errors import PublicationError
from hanse.runtime import ProductRun
from hanse.runtime.demo import Played, Reason, Stage
from hanse.runtime.reconcile import Total
from hanse.scaffold import mesh_new, product_new


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    mesh_new(tmp_path / "mesh")
    monkeypatch.chdir(tmp_path / "mesh")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "mesh"


def test_a_teams_name_is_no_markup(mesh: Path) -> None:
    path = mesh / "domains/parcels/domain.yaml"
    text = path.read_text(encoding="utf-8")
    assert "name: Parcels" in text
    path.write_text(text.replace("name: Parcels", r'name: "P [/red] :100: \e[2J"'), encoding="utf-8")
    shown = CliRunner().invoke(domain.app, ["list"], catch_exceptions=False).output
    assert r"P [/red] :100: \x1b[2J" in shown


def test_a_products_purpose_commands_no_terminal(mesh: Path) -> None:
    path = mesh / "domains/parcels/products/parcels_by_reason/product.yaml"
    text = path.read_text(encoding="utf-8")
    at = text.index("purpose: ") + len("purpose: ")
    path.write_text(text[:at] + '"\\e]0;x\\a [/b]" #' + text[at:], encoding="utf-8")
    shown = CliRunner().invoke(product.app, ["show", "parcels/parcels_by_reason"], catch_exceptions=False)
    assert r"\x1b]0;x\x07 [/b]" in shown.output


def test_reasons_and_totals_of_the_demo_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    played = Played(
        rows={"a.csv → [/x]": {"read": 1, "accepted": 0, "rejected": 1, "set_aside": 0}},
        reasons=[Reason("state-code [/y]", 1, ["a.csv:2"])],
        stages=[Stage("relay", 1, "events", 0.0)],
        totals=[Total("orders [/z]", 1, 2, False), Total("customers", 1, 1, True)],
    )
    print_demo(played)
    shown = capsys.readouterr().out
    for part in ("a.csv → [/x]", "state-code [/y]", "orders [/z]", "DIFFERENT", "equal"):
        assert part in shown


def test_what_ran_before_an_error_is_told(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product_new(mesh, "parcels/second")

    def run(_: object, name: str) -> ProductRun:
        if name == "parcels.second":
            raise PublicationError("the disk is full")
        return ProductRun(name, records=7, published=True)

    monkeypatch.setattr(runtime, "run_product", run)
    names = ["parcels/parcels_by_reason", "parcels/second"]
    done = CliRunner().invoke(product.app, ["run", *names])
    assert isinstance(done.exception, PublicationError)
    assert "parcels.parcels_by_reason" in done.output
    told = CliRunner().invoke(product.app, ["run", *names, "--json"])
    assert [row["records"] for row in json.loads(told.stdout)] == [7]


def test_a_file_that_was_written_twice_is_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(tmp_path / "own", "crates")
    assert capsys.readouterr().out.count("workspace.yaml") == 1
