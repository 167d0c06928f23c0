"""Rules written in SQL over the mesh's model, and the tables that they read."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse.errors import HanseError
from hanse_governance.finding import Finding
from hanse_governance.model_tables import TABLES, ModelTables
from hanse_governance.runner import check_folders, model_of

BASE = Path(__file__).parent / "meshes" / "base"
TODAY = dt.date(2026, 6, 1)
RULE = """-- code: ACM002
-- name: short-description
-- severity: warning
-- why: Two words do not explain a column.
-- fix: say more in the contract
SELECT owner || '.' || field AS subject, field || ' is hardly described' AS what
FROM fields WHERE owner_kind = 'product' AND length(description) < 30
"""


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    shutil.copytree(BASE, tmp_path / "mesh")
    return tmp_path / "mesh"


def write(root: Path, text: str, folder: str = "governance") -> Path:
    path = root / folder / "rules" / "rule.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(root: Path, code: str) -> list[Finding]:
    return [f for f in check_folders(root, None, TODAY).findings if f.code == code]


def undescribed(root: Path, code: str = "ACM002") -> set[str]:
    return {f.subject for f in found(root, code)}


def test_a_rule_finds_what_it_selects_where_it_is_declared(mesh: Path) -> None:
    write(mesh, RULE)
    findings = found(mesh, "ACM002")
    assert findings
    for finding in findings:
        assert finding.severity == "warning"
        assert finding.at.path.endswith("contract.yaml")
        assert finding.at.line > 1
        column = finding.subject.rsplit(".", 1)[1]
        line = (mesh / finding.at.path).read_text(encoding="utf-8").splitlines()[finding.at.line - 1]
        assert column in line


def test_a_domains_rule_is_about_its_own_subjects(mesh: Path) -> None:
    write(mesh, RULE)
    everywhere = undescribed(mesh)
    shutil.rmtree(mesh / "governance" / "rules")
    write(mesh, RULE, "domains/orders")
    own = undescribed(mesh)
    assert own == {s for s in everywhere if s.startswith("orders.")}
    assert own < everywhere


def test_the_federation_grades_waives_and_deselects_it(mesh: Path) -> None:
    write(mesh, RULE)
    toml = mesh / "governance" / "policies.toml"
    toml.write_text('[severity]\nACM002 = "error"\n', encoding="utf-8")
    assert {f.severity for f in found(mesh, "ACM002")} == {"error"}
    toml.write_text('[severity]\nACM002 = "off"\n', encoding="utf-8")
    assert found(mesh, "ACM002") == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (RULE.replace("-- why:", "-- reason:"), "the rule's head lacks `-- why: …`"),
        (RULE.replace("ACM002", "ACM2"), "is no code"),
        (RULE.replace("ACM002", "PII001"), "is taken by another policy"),
        (RULE.replace("severity: warning", "severity: fatal"), "is no severity"),
        (RULE.replace("AS what", "AS text"), "must give subject and what"),
        (RULE.replace("FROM fields", "FROM columns"), "the query failed"),
        (RULE + "; DROP TABLE fields", "not a single SELECT"),
        (RULE.split("SELECT")[0] + "COPY fields TO 'out.csv'", "not a single SELECT"),
        (RULE.replace("FROM fields WHERE", "FROM read_csv('/etc/passwd') WHERE"), "file system operations"),
        (RULE.split("SELECT")[0] + "SELEC 1", "cannot be parsed"),
    ],
)
def test_a_rule_that_is_none_is_a_finding_and_the_others_still_come(mesh: Path, text: str, what: str) -> None:
    write(mesh, text)
    write(mesh, RULE, "domains/orders")
    broken = [f for f in found(mesh, "FED003") if f.at.path == "governance/rules/rule.sql"]
    assert [what in f.what for f in broken] == [True]
    assert undescribed(mesh)


def test_a_rule_that_fails_on_the_rows_says_so(mesh: Path) -> None:
    write(mesh, RULE.replace("'product' AND", "'product' AND CAST(field AS INTEGER) > 0 AND"))
    (finding,) = found(mesh, "ACM002")
    assert "the rule cannot run" in finding.what
    assert finding.at.path == "governance/rules/rule.sql"


def test_every_table_has_rows_of_the_mesh(mesh: Path) -> None:
    tables = ModelTables(model_of(mesh))
    counts = {name: tables.query(f"FROM {name}").num_rows for name in TABLES}
    assert all(counts.values()), counts
    read = tables.query("SELECT DISTINCT source FROM lineage WHERE product = 'orders.orders_by_state'")
    assert read.column("source").to_pylist() == ["orders.order_placed"]
    tables.close()


def test_a_query_without_end_is_stopped() -> None:
    with pytest.raises(HanseError, match="took too long"):
        ModelTables().query("SELECT count(*) FROM range(1000000000000)", seconds=0.2)


def test_the_command_prints_json(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer import Typer

    from hanse_catalog.cli import sql

    app = Typer()
    app.command()(sql)
    monkeypatch.chdir(mesh)
    result = CliRunner().invoke(app, ["--model", "SELECT product FROM products ORDER BY 1", "-f", "json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    assert "orders.orders_by_state" in [row["product"] for row in document["rows"]]
    assert document["truncated"] is False
