"""The keeper goes on with the others when one fails, and says so once."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from hanse.bootstrap import Mesh
from hanse.domain import ApplicationService, load
from hanse.domain.building import build
from hanse.errors import ConfigError, LeaseHeld, SchemaError
from hanse.model.mesh import Domain
from hanse.runtime import ProductRun, Waiting, keeper, relays, serve
from hanse.runtime.relays import relay_one
from hanse.scaffold import domain_new, mesh_new

ROUNDS = 3


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh_new(tmp_path / "mesh")
    domain_new(tmp_path / "mesh", "returns")
    return Mesh.open(tmp_path / "mesh")


def rounds(mesh: Mesh, monkeypatch: pytest.MonkeyPatch, relay: Callable[[Mesh, Domain], int]) -> None:
    """Let the keeper make so many rounds."""
    stop = threading.Event()
    made: list[float | None] = []

    def wait(timeout: float | None = None) -> bool:
        made.append(timeout)
        if len(made) == ROUNDS:
            stop.set()
        return stop.is_set()

    monkeypatch.setattr(stop, "wait", wait)
    monkeypatch.setattr(keeper, "relay_one", relay)
    monkeypatch.setattr(relays, "relay_one", relay)
    monkeypatch.setattr(keeper.Inboxes, "step", lambda *_: 0)  # pyright: ignore[reportUnknownLambdaType]
    keeper.keep(mesh, stop, products=True)


@pytest.mark.parametrize(
    "fault", [SchemaError("no schema"), sqlite3.OperationalError("disk"), OSError(28, "full")]
)
def test_one_domains_fault_keeps_no_other_from_moving(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    relayed: list[str] = []

    def relay(_: Mesh, domain: Domain) -> int:
        if domain.name == "parcels":
            raise fault
        relayed.append(domain.name)
        return 1

    monkeypatch.setattr(keeper, "lag", lambda *_: Waiting(0, ""))  # pyright: ignore[reportUnknownLambdaType]
    rounds(mesh, monkeypatch, relay)
    assert relayed == ["returns"]  # and not again: nothing was committed since
    assert [r.message.split(":")[0] for r in caplog.records] == ["relay of parcels"]


def test_what_is_committed_between_rounds_is_relayed(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    mesh_new(tmp_path / "own", "pallets")
    relayed: list[int] = []

    def relay(mesh: Mesh, domain: Domain) -> int:
        relayed.append(relay_one(mesh, domain))
        if len(relayed) == 1:
            send_example(mesh, domain)
        return relayed[-1]

    monkeypatch.setattr(keeper, "lag", lambda *_: Waiting(0, ""))  # pyright: ignore[reportUnknownLambdaType]
    with Mesh.open(tmp_path / "own") as own:
        rounds(own, monkeypatch, relay)
        assert relayed == [0, 1]
        assert sum(r.high for r in own.log.ranges("pallets.pallet_recorded").values()) == 1


def send_example(mesh: Mesh, domain: Domain) -> None:
    """One command, accepted and not relayed."""
    application = load(domain)
    assert application is not None
    (command,) = application.commands
    line = (domain.directory / "examples/commands.jsonl").read_text(encoding="utf-8").splitlines()[0]
    body = {name: value for name, value in json.loads(line).items() if name != "command"}
    service = ApplicationService(application, mesh.store(domain.name), mesh.keys)
    service.handle(build(command, body, "example"))


def test_a_product_that_another_process_held_is_tried_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[float] = []

    def run(_: Mesh, name: str, *, wait: float) -> ProductRun:
        tried.append(wait)
        if len(tried) == 1:
            raise LeaseHeld("held")
        return ProductRun(name, records=5, published=True)

    monkeypatch.setattr(keeper, "lag", lambda *_: Waiting(5, "head"))  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(keeper, "run_product", run)
    caplog.set_level(logging.INFO, "hanse.keeper")
    rounds(mesh, monkeypatch, lambda mesh, domain: 0)
    assert tried == [0, 0]  # held, then run; not again until the stream moves
    assert caplog.records[0].message.endswith("held")


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [("x = (\n", "model.py:1", "SyntaxError"), ("\nx = y\n", "model.py:2", "NameError: name 'y'")],
)
def test_a_fault_in_a_domains_code_is_told_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str, problem: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"faulty_{problem[:4].lower()}"
    mesh_new(tmp_path / "mesh", name)
    (tmp_path / f"mesh/domains/{name}/src/{name}/model.py").write_text(text, encoding="utf-8")
    domain = Mesh.open(tmp_path / "mesh").model.domain(name)
    assert domain is not None
    with pytest.raises(ConfigError, match=f"the code of the domain {name} has a fault") as caught:
        load(domain)
    assert str(caught.value.where).endswith(place)
    assert problem in str(caught.value.got)


def test_up_starts_nothing_over_a_mesh_that_cannot_be_read(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(*_: object) -> NoReturn:
        pytest.fail("a helper was started")

    monkeypatch.setattr(serve, "_process", process)
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)  # pyright: ignore[reportUnknownLambdaType]
    (mesh.settings.root / "domains/parcels/domain.yaml").write_text("domain: [1", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid YAML"):
        serve.up(mesh)
