"""New meshes, domains and products keep every policy, run, and overwrite nothing."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from importlib import invalidate_caches
from pathlib import Path

import duckdb
import pytest
import yaml

from hanse.bootstrap import Mesh
from hanse.descriptors import load_mesh
from hanse.domain import Command, ValueObject, command, require, value
from hanse.domain.building import build
from hanse.errors import CommandRejected, ConfigError
from hanse.publish.reader import Reader
from hanse.runtime import run_product
from hanse.scaffold import domain_new, mesh_new, product_new
from hanse.scaffold.feed import feed
from hanse.scaffold.names import domain_name, product_name
from hanse_governance.runner import check_folders

TODAY = dt.date(2026, 6, 1)


@value
class Weight(ValueObject):
    grams: int

    def __post_init__(self) -> None:
        require(self.grams > 0, "weight-positive", "a parcel has a weight")


@command
class Weigh(Command):
    parcel_id: str
    weight: Weight


@pytest.fixture(autouse=True)
def forget_domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A domain that a test imports is not there for the next one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    invalidate_caches()


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    root = tmp_path / "mesh"
    mesh_new(root)
    return root


def findings(root: Path) -> list[str]:
    return [f"{f.at} {f.code} {f.what}" for f in check_folders(root, None, TODAY).findings]


def test_a_new_mesh_keeps_every_policy(mesh: Path) -> None:
    assert findings(mesh) == []
    model = load_mesh(mesh)
    assert [p.full_name for p in model.products] == ["parcels.parcels_by_reason"]


def test_a_new_domain_and_product_keep_every_policy_and_touch_only_the_workspace(mesh: Path) -> None:
    before = {p: p.read_bytes() for p in mesh.rglob("*") if p.is_file()}
    domain_new(mesh, "returns")
    product_new(mesh, "returns/return_rate")
    assert findings(mesh) == []
    changed = [p.relative_to(mesh).as_posix() for p, text in before.items() if p.read_bytes() != text]
    assert changed == ["workspace.yaml"]
    locations = yaml.safe_load((mesh / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    assert [entry["python_file"]["location_name"] for entry in locations] == ["parcels", "returns"]
    for entry in locations:
        assert (mesh / entry["python_file"]["relative_path"]).is_file()


@pytest.mark.parametrize(
    "name", ["boxes", "deliveries", "news", "gift_cards", "stock", "address_changes", "x"]
)
def test_any_fair_name_works(mesh: Path, name: str) -> None:
    domain_new(mesh, name)
    product_new(mesh, f"{name}/{name}_by_reason")
    assert findings(mesh) == []


def test_a_domain_is_fed_through_its_aggregate(mesh: Path) -> None:
    domain_new(mesh, "exchanges")
    with Mesh.open(mesh) as opened:
        fed = feed(opened, "exchanges")
        assert fed.accepted == 4
        assert fed.rejected == [
            (4, "recorded-once", "this exchange was recorded before"),
            (6, "amount-not-negative", "an amount is not negative"),
        ]
        assert fed.records == 4
        again = feed(opened, "exchanges")
        assert (again.accepted, again.records) == (4, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "the line is not JSON"),
        ("[]", "the line names no command"),
        ('{"command": "Erase"}', "the line names no command"),
        ('{"command": ["RecordClaim"]}', "the line names no command"),
        ('{"command": "RecordClaim", "claim_id": "1"}', "is missing"),
        (
            '{"command": "RecordClaim", "claim_id": "1", "reason": "x", "amount": "much", '
            '"recorded_at": "2026-01-01T00:00:00+00:00"}',
            "the value cannot be read",
        ),
    ],
)
def test_a_bad_line_names_its_place(mesh: Path, tmp_path: Path, line: str, message: str) -> None:
    domain_new(mesh, "claims")
    path = tmp_path / "commands.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with Mesh.open(mesh) as opened, pytest.raises(ConfigError, match=message) as caught:
        feed(opened, "claims", path)
    assert caught.value.where
    assert f"{path}:2" in caught.value.where


@pytest.mark.parametrize(
    ("amount", "rule"),
    [
        ("1E30", "amount-in-bounds"),
        ("1000000000000000.00", "amount-in-bounds"),
        ("NaN", "command-malformed"),
        ("1E-40", "amount-in-cents"),
    ],
)
def test_an_amount_that_no_topic_holds_is_rejected(
    mesh: Path, tmp_path: Path, amount: str, rule: str
) -> None:
    domain_new(mesh, "refunds")
    line = {"refund_id": "1", "reason": "x", "recorded_at": "2026-01-01T00:00:00+00:00"}
    path = tmp_path / "commands.jsonl"
    given = [{**line, "command": "RecordRefund", "amount": a} for a in (amount, "999999999999999.99")]
    path.write_text("\n".join(map(json.dumps, given)), encoding="utf-8")
    with Mesh.open(mesh) as opened:
        fed = feed(opened, "refunds", path)
    assert [(number, name) for number, name, _ in fed.rejected] == [(1, rule)]
    assert (fed.accepted, fed.records) == (1, 1)


def test_a_line_ends_only_where_json_lines_do(mesh: Path, tmp_path: Path) -> None:
    domain_new(mesh, "repairs")
    path = tmp_path / "commands.jsonl"
    line = '{"command": "RecordRepair", "repair_id": "1", "reason": "a\u2028b\x85c", "amount": "1.00", '
    path.write_bytes(f'{line}"recorded_at": "2026-01-01T00:00:00+00:00"}}\r\n'.encode())
    with Mesh.open(mesh) as opened:
        assert (feed(opened, "repairs", path).accepted, feed(opened, "repairs", path).records) == (1, 0)
        offsets = {p: r.low for p, r in opened.log.ranges("repairs.repair_recorded").items()}
        (value,) = opened.log.read("repairs.repair_recorded", offsets).rows["value"].to_pylist()
    assert "a\u2028b\x85c".encode() in value


def test_a_value_object_of_other_types_is_a_rejection() -> None:
    with pytest.raises(CommandRejected, match="command-malformed"):
        build(Weigh, {"parcel_id": "1", "weight": {"grams": "heavy"}}, "here")


def test_products_follow_their_source(mesh: Path) -> None:
    domain_new(mesh, "ledgers")
    product_new(mesh, "ledgers/parcels_seen", from_topic="parcels.parcel_recorded")
    sql = (mesh / "domains/ledgers/products/parcels_seen/projection.sql").read_text(encoding="utf-8")
    assert "FROM parcels.parcel_recorded" in sql
    assert findings(mesh) == []
    schema = mesh / "domains/ledgers/events/ledger_recorded.avsc"
    schema.write_text(
        schema.read_text(encoding="utf-8").replace('"reason", "type": "string"', '"reason", "type": "int"')
    )
    product_new(mesh, "ledgers/all_of_it")
    sql = (mesh / "domains/ledgers/products/all_of_it/projection.sql").read_text(encoding="utf-8")
    assert "SELECT ledger_id, reason, amount, recorded_at" in sql
    assert findings(mesh) == []


def test_personal_columns_and_sql_words_are_handled(mesh: Path) -> None:
    schema = mesh / "domains/parcels/events/parcel_recorded.avsc"
    field = (
        '{"name": "order", "type": "string", "doc": "Its place."},\n    {"name": "email", "type": "string", '
    )
    field += '"doc": "Ciphertext.", "hanse.personal": "parcel_id"},\n    {"name": "reason"'
    schema.write_text(
        schema.read_text(encoding="utf-8").replace('{"name": "reason"', field), encoding="utf-8"
    )
    product_new(mesh, "parcels/by_order")
    sql = (mesh / "domains/parcels/products/by_order/projection.sql").read_text(encoding="utf-8")
    assert "SELECT `order`, COUNT(*)" in sql
    assert "email" not in sql
    assert findings(mesh) == []


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "a-b", "a b", "../x", "a/b", "x" * 64, "é", "select", "class", "match", "json", "hanse",
     "hanse_x", "numpy", "con", "platform", "a\n", "main"],
)  # fmt: skip
def test_names_that_cannot_be(mesh: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        domain_new(mesh, name)
    assert sorted(p.name for p in (mesh / "domains").iterdir()) == ["parcels"]


@pytest.mark.parametrize(
    "name", ["x", "x/y/z", "/y", "x/", "parcels/../../y", "parcels/select", "other/y", "parcels.."]
)
def test_products_that_cannot_be(mesh: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        product_new(mesh, name)


def test_good_names_pass() -> None:
    assert domain_name("gift_cards2") == "gift_cards2"
    assert product_name("return_rate") == "return_rate"


def test_nothing_is_overwritten(mesh: Path) -> None:
    before = {p: p.read_bytes() for p in mesh.rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match="there is a mesh here already"):
        mesh_new(mesh)
    with pytest.raises(ConfigError, match="lies inside another mesh"):
        mesh_new(mesh / "inner")
    with pytest.raises(ConfigError, match="there is a domain parcels already"):
        domain_new(mesh, "parcels")
    with pytest.raises(ConfigError, match="is not overwritten"):
        product_new(mesh, "parcels/parcels_by_reason")
    with pytest.raises(ConfigError, match="has a topic of that name"):
        product_new(mesh, "parcels/parcel_recorded")
    assert {p: p.read_bytes() for p in mesh.rglob("*") if p.is_file()} == before


def test_a_file_in_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not overwritten"):
        mesh_new(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_a_link_that_leads_outside_is_refused(mesh: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (mesh / "domains" / "parcels" / "products" / "leak").symlink_to(outside)
    with pytest.raises(ConfigError):
        product_new(mesh, "parcels/leak")
    assert list(outside.iterdir()) == []


def test_a_domain_gets_a_project_file_only_where_uv_wants_one(mesh: Path) -> None:
    (mesh / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["domains/*"]\n', encoding="utf-8")
    domain_new(mesh, "returns")
    assert (mesh / "domains/returns/pyproject.toml").is_file()
    (mesh / "pyproject.toml").write_text(
        '[tool.uv.workspace]\nmembers = ["domains/parcels"]\n', encoding="utf-8"
    )
    domain_new(mesh, "refunds")
    assert not (mesh / "domains/refunds/pyproject.toml").exists()


def test_what_is_made_is_formatted_typed_python(mesh: Path) -> None:
    domain_new(mesh, "returns")
    for path in (mesh / "domains").rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    ruff = Path(sys.executable).parent / "ruff"
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    done = subprocess.run(
        [ruff, "check", "--isolated", "--select", "E,F,W,I,B,UP", "--line-length", "110", "."],
        cwd=mesh,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_first_product_runs_to_published_rows(mesh: Path) -> None:
    domain_new(mesh, "refunds")
    product_new(mesh, "refunds/refunds_by_reason")
    with Mesh.open(mesh) as opened:
        empty = run_product(opened, "refunds.refunds_by_reason")
        assert empty.rejected is None
        feed(opened, "refunds")
        run = run_product(opened, "refunds.refunds_by_reason")
        assert run.rejected is None
        scan = Reader(opened.settings).scan("refunds.refunds_by_reason")
    rows = duckdb.sql(
        f"SELECT reason, record_count, amount_total FROM ({scan.sql}) ORDER BY reason"
    ).fetchall()
    assert rows == [
        ("changed mind", 1, Decimal("31.20")),
        ("damaged", 2, Decimal("32.90")),
        ("too late", 1, Decimal("12.50")),
    ]


def test_the_commands_say_what_they_wrote_and_what_is_next(tmp_path: Path) -> None:
    hanse = Path(sys.executable).parent / "hanse"

    def run(*arguments: str, cwd: Path = tmp_path) -> str:
        done = subprocess.run([hanse, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Next: cd town && hanse check" in run("init", "town")
    town = tmp_path / "town"
    assert "domains/returns/domain.yaml" in run("domain", "new", "returns", cwd=town)
    assert "hanse product run returns/return_rate" in run("product", "new", "returns/return_rate", cwd=town)
    assert "2 domains, 2 products, 2 schemas checked" in run("check", cwd=town)
    assert "4 accepted, 2 rejected, 4 records on the log" in run("domain", "feed", "returns", cwd=town)
    assert "Returns" in run("domain", "list", cwd=town)
