"""A team registers a product from its own repository, with its own token, over HTTP."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.product_register import app as command
from hanse.cli.product_register import product_files
from hanse.client import CatalogError, Client
from hanse.descriptors import load_mesh
from hanse_catalog.app import create_app
from hanse_catalog.audit import Audit
from hanse_catalog.sql.pool import PoolSettings
from hanse_catalog.tokens import Tokens
from helpers.live_server import served

BASE = Path(__file__).parents[2] / "unit" / "governance" / "meshes" / "base"
NAME = "orders_by_state"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("register") / "mesh"
    shutil.copytree(BASE, root)
    with (root / "governance" / "policies.toml").open("a", encoding="utf-8") as file:
        file.write('\n[registration]\napprove = ["public"]\n')
    return root


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with Mesh.open(root) as mesh, served(create_app(mesh, settings=PoolSettings(size=1))) as address:
        yield address


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """The team's repository, with one harmless change to its product."""
    folder = shutil.copytree(BASE / "domains" / "orders", tmp_path / "orders") / "products" / NAME
    for file in ("contract.yaml", "product.yaml"):
        text = (folder / file).read_text(encoding="utf-8")
        text = text.replace("version: 1.2.0", "version: 1.2.1").replace("How many.", "How many went there.")
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def token(root: Path, name: str, *grants: str) -> str:
    return Tokens(root / ".hanse" / "catalog.db").issue(name, list(grants), 1)[0]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=True)
    return result.exit_code, result.output


def test_a_token_for_something_else_registers_nothing(root: Path, address: str, team: Path) -> None:
    sent = product_files(team)
    for text in (None, token(root, "Bob", "orders.*"), token(root, "Cat", "register:customers.*")):
        with pytest.raises(CatalogError, match="may not register") as refused:
            Client(address, token=text).register(*sent)
        assert refused.value.status == 403
    own = token(root, "Ann", f"register:orders.{NAME}")
    with pytest.raises(CatalogError, match="may not register"):
        Client(address, token=own).register(*product_files(team, with_domain=True))


def test_from_the_teams_repository_to_the_mesh(root: Path, address: str, team: Path) -> None:
    ann = token(root, "Ann", f"register:orders.{NAME}", "approve:orders.*")
    code, output = run(str(team), "--to", address, "--token", ann)
    assert code == 0, output
    assert f"proposed: orders.{NAME} 1.2.1; it waits for an approval because it is public" in output
    assert run(str(team), "--to", address, "--token", ann)[1] == output, "sending again is sending once"

    listed = Client(address, token=ann)._open("/api/registrations").read()
    assert listed.count(b'"id"') == 1
    owner = Client(address, token=token(root, "Owner", "approve:orders.*"))
    with pytest.raises(CatalogError, match="nobody approves what they registered"):
        Client(address, token=ann)._open("/api/registrations/1/decision", {"approve": True})
    owner._open("/api/registrations/1/decision", {"approve": True}).read()
    product = load_mesh(root).product(f"orders.{NAME}")
    assert product is not None and product.version == "1.2.1"
    with pytest.raises(CatalogError, match="decided already"):
        owner._open("/api/registrations/1/decision", {"approve": False})


def test_the_gates_findings_reach_the_team(root: Path, address: str, team: Path) -> None:
    sql = team / "projection.sql"
    sql.write_text(sql.read_text(encoding="utf-8").replace("AS orders", "AS many"), encoding="utf-8")
    code, output = run(str(team), "--to", address, "--token", token(root, "Ann", "register:orders.*"))
    assert code == 1
    assert "domains/orders/products/orders_by_state/" in output
    assert " error " in output and "fix:" in output


def test_the_audit_has_it(root: Path, address: str) -> None:
    del address
    wanted = {
        ("Ann", "register", "proposed"),
        ("Owner", "register", "active"),
        ("Ann", "register", "refused"),
    }
    seen: set[tuple[str, str, str]] = set()
    until = time.monotonic() + 10
    while time.monotonic() < until and not wanted <= seen:
        seen = {(r.reader, r.action, r.outcome) for r in Audit(root / ".hanse" / "audit.db").last(50)}
        time.sleep(0.1)
    assert wanted <= seen


def test_a_folder_that_is_no_products(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert isinstance(result.exception, Exception)
    assert "not a product's folder" in str(result.exception)
    assert isinstance(command, typer.Typer)
