"""Registering products: the gate, approval, idempotence, and what never gets in."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse.cli.product_register import product_files
from hanse.descriptors import load_mesh
from hanse.errors import ConfigError
from hanse_governance.cli import registration
from hanse_governance.registration import Bundle, Desk, GateRefused, desk

BASE = Path(__file__).parent / "meshes" / "base"
NAME = "orders_by_state"


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    shutil.copytree(BASE, tmp_path / "mesh")
    return tmp_path / "mesh"


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """The team's own repository, with its product as it is in the mesh."""
    shutil.copytree(BASE / "domains" / "orders", tmp_path / "team" / "orders")
    return tmp_path / "team" / "orders"


def bundle(team: Path, name: str = NAME, *, with_domain: bool = False) -> Bundle:
    return Bundle(*product_files(team / "products" / name, with_domain=with_domain))


def at(mesh: Path) -> Desk:
    return Desk(mesh, mesh / ".hanse")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def approve_what_is(mesh: Path, reasons: str) -> None:
    with (mesh / "governance" / "policies.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[registration]\napprove = {reasons}\n")


def reworded(team: Path) -> Path:
    """A change that breaks nobody: another purpose, and the patch versions that go with it."""
    folder = team / "products" / NAME
    edit(folder / "contract.yaml", "description: How many.", "description: How many orders went there.")
    for file in ("contract.yaml", "product.yaml"):
        edit(folder / file, "version: 1.2.0", "version: 1.2.1")
    return folder


def copied(team: Path, name: str = "by_state_again") -> Path:
    """A new product: the old one under another name."""
    folder = shutil.copytree(team / "products" / NAME, team / "products" / name)
    for file in folder.iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace(NAME, name), encoding="utf-8")
    return folder


def test_a_new_product_goes_in(mesh: Path, team: Path) -> None:
    copied(team)
    made = at(mesh).register(bundle(team, "by_state_again"), "Ann")
    assert (made.state, made.by, made.waits_for) == ("active", "Ann", ())
    assert load_mesh(mesh).product("orders.by_state_again") is not None


def test_the_same_content_again_is_the_same_registration(mesh: Path, team: Path) -> None:
    reworded(team)
    first = at(mesh).register(bundle(team), "Ann")
    assert at(mesh).register(bundle(team), "Bob").id == first.id
    assert len(at(mesh).history()) == 1


def test_a_breaking_change_does_not_get_in(mesh: Path, team: Path) -> None:
    folder = team / "products" / NAME
    before = (mesh / "domains/orders/products" / NAME / "contract.yaml").read_bytes()
    edit(
        folder / "contract.yaml",
        "- {name: orders, logicalType: integer, physicalType: BIGINT",
        "- {name: many, logicalType: integer, physicalType: BIGINT",
    )
    edit(folder / "projection.sql", "AS orders", "AS many")
    with pytest.raises(GateRefused) as refused:
        at(mesh).register(bundle(team), "Ann")
    assert "PRD004" in {f.code for f in refused.value.findings}
    assert refused.value.impacts
    assert (mesh / "domains/orders/products" / NAME / "contract.yaml").read_bytes() == before
    assert at(mesh).history() == []


def test_errors_that_are_there_already_do_not_hold_up_others(mesh: Path, team: Path) -> None:
    (mesh / "domains/customers/products/customer_directory/projection.sql").write_text(
        "SELEC", encoding="utf-8"
    )
    reworded(team)
    assert at(mesh).register(bundle(team), "Ann").state == "active"


def test_an_approval_is_by_somebody_else_and_goes_through_the_gate_again(mesh: Path, team: Path) -> None:
    approve_what_is(mesh, '["public"]')
    reworded(team)
    made = at(mesh).register(bundle(team), "Ann")
    product = mesh / "domains/orders/products" / NAME / "product.yaml"
    assert (made.state, made.waits_for) == ("proposed", ("public",))
    assert "1.2.1" not in product.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="nobody approves what they registered"):
        at(mesh).decide(made.id, "Ann", approve=True)
    decided = at(mesh).decide(made.id, "Bob", approve=True, note="fine")
    assert (decided.state, decided.decided_by, decided.note) == ("active", "Bob", "fine")
    assert "1.2.1" in product.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="decided already"):
        at(mesh).decide(made.id, "Bob", approve=False)


def test_an_approval_that_the_gate_no_longer_passes_changes_nothing(mesh: Path, team: Path) -> None:
    approve_what_is(mesh, '["always"]')
    copied(team)
    made = at(mesh).register(bundle(team, "by_state_again"), "Ann")
    domain = mesh / "domains/orders/domain.yaml"
    edit(domain, "order_placed:", "order_set_down:")
    with pytest.raises(GateRefused):
        at(mesh).decide(made.id, "Bob", approve=True)
    assert at(mesh).find(made.id).state == "proposed"
    assert not (mesh / "domains/orders/products/by_state_again").exists()


def test_a_newer_proposal_takes_the_place_of_an_older(mesh: Path, team: Path) -> None:
    approve_what_is(mesh, '["always"]')
    reworded(team)
    first = at(mesh).register(bundle(team), "Ann")
    edit(team / "products" / NAME / "contract.yaml", "went there.", "went to it.")
    second = at(mesh).register(bundle(team), "Ann")
    assert second.id > first.id
    assert [r.state for r in at(mesh).history(f"orders.{NAME}")] == ["proposed", "superseded"]


def test_nothing_is_approved_when_the_gate_cannot_run(
    mesh: Path, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve_what_is(mesh, '["always"]')
    reworded(team)
    made = at(mesh).register(bundle(team), "Ann")

    def broken(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(desk, "check_folders", broken)
    with pytest.raises(OSError, match="no space"):
        at(mesh).decide(made.id, "Bob", approve=True)
    assert at(mesh).find(made.id).state == "proposed"
    edit(team / "products" / NAME / "contract.yaml", "went there.", "went to it.")
    with pytest.raises(OSError, match="no space"):
        at(mesh).register(bundle(team), "Ann")
    assert len(at(mesh).history()) == 1


def test_rules_that_cannot_be_read_let_nothing_in(mesh: Path, team: Path) -> None:
    approve_what_is(mesh, '["sometimes"]')
    reworded(team)
    with pytest.raises(ConfigError, match="not a list of reasons"):
        at(mesh).register(bundle(team), "Ann")


def test_a_crash_between_files_and_record_is_mended_by_sending_again(
    mesh: Path, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(team)

    def locked(*_: object) -> int:
        raise sqlite3.OperationalError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(Desk, "_keep", locked)
        with pytest.raises(sqlite3.OperationalError):
            at(mesh).register(bundle(team, "by_state_again"), "Ann")
    assert at(mesh).register(bundle(team, "by_state_again"), "Ann").state == "active"
    assert len(at(mesh).history()) == 1


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("../customers/domain.yaml", "no place"),
        ("/etc/cron.d/x", "no place"),
        ("products/other/product.yaml", "no place"),
        ("events/../../x.avsc", "no place"),
        ("src/orders/model.py", "no place"),
        ("events/Order.avsc", "no place"),
    ],
)
def test_a_file_outside_of_its_place_is_refused(mesh: Path, team: Path, place: str, what: str) -> None:
    whole = bundle(team)
    with pytest.raises(ConfigError, match=what):
        at(mesh).register(Bundle("orders", NAME, {**whole.files, place: "x"}), "Ann")


def test_bundles_that_are_none(mesh: Path, team: Path) -> None:
    whole = bundle(team)
    wrong = {
        "not complete": Bundle("orders", NAME, dict(list(whole.files.items())[:2])),
        "not a name": Bundle("..", NAME, whole.files),
        "too large": Bundle("orders", NAME, {**whole.files, "domain.yaml": "#" * 300_000}),
    }
    for what, sent in wrong.items():
        with pytest.raises(ConfigError, match=what):
            at(mesh).register(sent, "Ann")
    with pytest.raises((ConfigError, GateRefused)):
        at(mesh).register(Bundle("nowhere", NAME, whole.files), "Ann")


def test_a_domain_folder_that_leads_elsewhere_is_not_written(mesh: Path, team: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (mesh / "domains" / "linked").symlink_to(tmp_path / "outside")
    whole = bundle(team)
    with pytest.raises(ConfigError, match="leads out of the mesh"):
        Bundle("linked", NAME, whole.files).write(mesh)
    assert list((tmp_path / "outside").rglob("*.yaml")) == []


def test_a_whole_new_domain_comes_with_its_first_product(mesh: Path, team: Path) -> None:
    home = shutil.copytree(team, team.parent / "parcels")
    for file in [*home.rglob("*.yaml"), *home.rglob("*.avsc"), *home.rglob("*.sql")]:
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace("orders.", "parcels.").replace("domain: orders", "domain: parcels"), encoding="utf-8"
        )
    sent = Bundle(*product_files(home / "products" / NAME, with_domain=True))
    assert sent.touches_domain
    try:
        made = at(mesh).register(sent, "Ann")
    except GateRefused as refused:
        pytest.fail("\n".join(f"{f.code} {f.at} {f.what}" for f in refused.findings))
    assert made.state == "active"
    assert load_mesh(mesh).domain("parcels") is not None


def test_the_command_decides(mesh: Path, team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    approve_what_is(mesh, '["always"]')
    reworded(team)
    made = at(mesh).register(bundle(team), "Ann")
    monkeypatch.chdir(mesh)
    run = CliRunner()
    assert run.invoke(registration, ["approve", str(made.id)]).output == f"active: orders.{NAME} 1.2.1\n"
    (row,) = json.loads(run.invoke(registration, ["list", "--json"]).output)
    assert (row["state"], row["decided_by"]) == ("active", "the mesh's owner")
