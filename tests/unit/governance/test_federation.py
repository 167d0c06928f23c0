"""Rules of the federation and its domains, policies from outside, and impact by column."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hanse.errors import ConfigError
from hanse_governance import policy as policies
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy, all_policies
from hanse_governance.runner import Report, check_folders
from hanse_governance.view import MeshView

BASE = Path(__file__).parent / "meshes" / "base"
TODAY = dt.date(2026, 6, 1)
PRODUCT = "domains/orders/products/orders_by_state"


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    shutil.copytree(BASE, tmp_path / "mesh")
    return tmp_path / "mesh"


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rules(root: Path, text: str, domain: str | None = None) -> None:
    file = f"domains/{domain}/policies.toml" if domain else "governance/policies.toml"
    (root / file).write_text("[severity]\n" + text if domain is None else text, encoding="utf-8")


def severities(report: Report, code: str) -> dict[str, str]:
    return {f.domain or "": f.severity for f in report.findings if f.code == code}


def undocumented(root: Path) -> None:
    edit(root, "domains/orders/events/order_placed.avsc", ', "doc": "Where it goes."', "")
    edit(root, "domains/customers/events/customer.avsc", ', "doc": "Where they live."', "")


def test_a_domain_raises_a_severity_for_itself_alone(mesh: Path) -> None:
    undocumented(mesh)
    rules(mesh, '[severity]\nSCH004 = "error"\n', "orders")
    assert severities(check_folders(mesh, None, TODAY), "SCH004") == {
        "orders": "error",
        "customers": "warning",
    }


def test_what_the_federation_turns_off_a_domain_may_turn_on(mesh: Path) -> None:
    undocumented(mesh)
    rules(mesh, 'SCH004 = "off"\n')
    assert severities(check_folders(mesh, None, TODAY), "SCH004") == {}
    rules(mesh, '[severity]\nSCH004 = "warning"\n', "orders")
    assert severities(check_folders(mesh, None, TODAY), "SCH004") == {"orders": "warning"}
    rules(mesh, "")
    (mesh / "governance/policies.toml").write_text('ignore = ["SCH"]\n', encoding="utf-8")
    rules(mesh, 'select = ["SCH004"]\n', "customers")
    (mesh / "domains/orders/policies.toml").unlink()
    assert severities(check_folders(mesh, None, TODAY), "SCH004") == {"customers": "warning"}


def test_a_loosening_is_told_and_has_no_effect(mesh: Path) -> None:
    undocumented(mesh)
    rules(mesh, 'SCH004 = "error"\n')
    rules(mesh, '[severity]\nSCH004 = "off"\n', "orders")
    report = check_folders(mesh, None, TODAY)
    assert severities(report, "SCH004") == {"orders": "error", "customers": "error"}
    assert [f.code for f in report.findings if f.at.path.endswith("orders/policies.toml")] == ["FED001"]


class HasTags(Policy):
    """Each product has a tag.

    ## Examples

    Breaks it: no `tags`. Keeps it: `tags: [orders]`.
    """

    code = "ACM001"
    name = "no-tag"
    severity = "warning"
    why = "Tags are how our people search."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Products without tags."""
        for product in mesh.model.products:
            if not product.tags:
                at = mesh.in_product(product)
                yield self.finding(at, product.full_name, f"{product.full_name} has no tag", fix="add `tags`")


class SameCode(HasTags):
    """Takes a code that is taken."""

    code = "PII001"


@pytest.fixture
def fresh_policies() -> Iterator[None]:
    all_policies.cache_clear()
    yield
    all_policies.cache_clear()


def offer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    point = EntryPoint(name, f"{__name__}:{name}", policies.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.name])
    monkeypatch.setattr(policies, "entry_points", lambda group: [point])


@pytest.mark.usefixtures("fresh_policies")
def test_a_policy_of_ones_own(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "HasTags")
    edit(mesh, f"{PRODUCT}/product.yaml", "status: active", "status: active\ntags: [orders]")
    found = [f for f in check_folders(mesh, None, TODAY).findings if f.code == "ACM001"]
    assert len(found) == 3
    assert all(f.severity == "warning" and f.subject != "orders.orders_by_state" for f in found)


@pytest.mark.usefixtures("fresh_policies")
@pytest.mark.parametrize(
    ("name", "message"), [("SameCode", "two policies have the code"), ("TODAY", "is not a policy")]
)
def test_a_policy_that_cannot_be(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    offer(monkeypatch, name)
    with pytest.raises(ConfigError, match=message):
        all_policies()


def hit(report: Report) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {h.product: (h.distance, h.columns) for i in report.impacts for h in i.hits}


def test_impact_follows_the_column_through_renames(mesh: Path) -> None:
    edit(mesh, "domains/orders/events/order_placed.avsc", '"name": "total", "type": {"type": "bytes", "logicalType": '
         '"decimal", "precision": 18, "scale": 2}', '"name": "total", "type": "double"')  # fmt: skip
    report = check_folders(mesh, BASE, TODAY)
    assert {f.code for f in report.findings if f.breaking} == {"SCH002"}
    assert hit(report) == {
        "orders.orders_by_state": (1, ("revenue",)),
        "reporting.regions": (2, ("revenue",)),
    }


def test_a_column_that_decides_which_rows_there_are_hits_everything(mesh: Path) -> None:
    edit(
        mesh,
        "domains/orders/events/order_placed.avsc",
        '"name": "state", "type": "string"',
        '"name": "state", "type": "long"',
    )
    assert hit(check_folders(mesh, BASE, TODAY)) == {
        "orders.orders_by_state": (1, ()),
        "reporting.regions": (2, ()),
    }


def test_a_column_that_nobody_reads_hits_nobody(mesh: Path) -> None:
    edit(
        mesh,
        "domains/orders/events/order_placed.avsc",
        '"name": "customer_id", "type": "string"',
        '"name": "customer_id", "type": "long"',
    )
    report = check_folders(mesh, BASE, TODAY)
    assert [i.subject for i in report.impacts] == ["orders.order_placed"]
    assert hit(report) == {}


def test_readers_of_what_is_gone_are_found_in_the_base(mesh: Path) -> None:
    shutil.rmtree(mesh / PRODUCT)
    assert "reporting.regions" in hit(check_folders(mesh, BASE, TODAY))
