"""`hanse check` as people and CI systems call it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from hanse.model.mesh import MeshModel, Product
from hanse_governance import plan_one
from hanse_governance.cli import check
from hanse_governance.plans import Plan
from hanse_governance.policy import all_policies

BASE = Path(__file__).parent / "meshes" / "base"
CONTRACT = "domains/customers/products/customer_directory/contract.yaml"
SCHEMA = "domains/orders/events/order_placed.avsc"


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    monkeypatch.chdir(root)
    return root


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, list(arguments))


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path, tag: str) -> None:
    if not (root / ".git").exists():
        git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", tag)
    git(root, "tag", tag)


def waive(root: Path, code: str, until: str) -> None:
    who = 'owner = "law@example.org"\nreason = "Later"'
    text = f'[[waiver]]\ncode = "{code}"\nsubject = "*"\n{who}\nuntil = {until}\n'
    (root / "governance/policies.toml").write_text(text, encoding="utf-8")


def break_revenue(root: Path) -> None:
    """Take a column out of a product that another one reads, in a minor version."""
    folder = "domains/orders/products/orders_by_state/"
    column = (
        '      - {name: revenue, logicalType: number, physicalType: "DECIMAL(38, 2)", '
        "description: In euros.}\n"
    )
    edit(root, folder + "contract.yaml", column, "")
    edit(root, folder + "contract.yaml", "version: 1.2.0", "version: 1.3.0")
    edit(root, folder + "projection.sql", ", SUM(total) AS revenue", "")


def test_a_clean_mesh_is_exit_code_0(mesh: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "3 domains, 4 products, 4 schemas checked" in result.output


def test_findings_are_exit_code_1_and_say_what_why_and_how(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    result = run()
    assert result.exit_code == 1
    assert f"{SCHEMA}:3:3: error SCH003 the record PlaceOrder" in result.output
    assert "    why: An event is a fact" in result.output
    assert "    fix: say what has happened" in result.output


def test_warnings_fail_only_when_asked(mesh: Path) -> None:
    edit(mesh, SCHEMA, ', "doc": "Where it goes."', "")
    assert run().exit_code == 0
    assert run("--fail-on", "warning").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--select", "XYZ"], "no policy has the code 'XYZ'"),
        (["--base", "v0"], "there is no git repository"),
        (["--base=--output=x"], "the base is not a git ref"),
        (["nowhere"], "there is no such path"),
        (["--explain", "QQQ"], "no policy has the code"),
    ],
)
def test_what_cannot_run_is_exit_code_2(mesh: Path, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_outside_of_a_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2
    assert "hanse init" in result.output


def test_paths_select_and_ignore_narrow_the_findings(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    edit(mesh, CONTRACT, "classification: personal", "classification: public")
    assert run("domains/customers").output.count("error ") == 1
    assert run("--select", "SCH").output.count("error ") == 1
    assert run("--ignore", ["PII", "SCH"][0], "--ignore", "SCH").exit_code == 0


def test_one_broken_file_does_not_hide_the_other_findings(mesh: Path) -> None:
    edit(mesh, CONTRACT, "kind: DataContract", "kind: [DataContract")
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    output = run().output
    assert "DSC001" in output
    assert "SCH003" in output


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "kind: DataContract\nkind: DataContract\n",
        "[" * 5_000,
        "\x00\x01",
        "a: " + "b" * 2_000_000,
        "",
        "- 1\n",
    ],
)
def test_hostile_descriptors_end_in_one_finding(mesh: Path, text: str) -> None:
    (mesh / CONTRACT).write_text(text, encoding="utf-8")
    result = run()
    assert result.exit_code == 1
    assert f"{CONTRACT}:" in result.output
    assert "DSC001" in result.output


def test_wrong_encoding(mesh: Path) -> None:
    (mesh / CONTRACT).write_bytes("kind: Verträge".encode("latin-1"))
    (mesh / SCHEMA).write_bytes(b'{"type": "record", "name": "\xff"}')
    (mesh / "domains/customers/products/customer_directory/projection.sql").write_bytes(b"SELECT '\xff'")
    output = run().output
    assert "the file is not UTF-8" in output
    assert "SCH001" in output


def test_json_has_everything(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    document = json.loads(run("--format", "json").output)
    assert document["counts"] == {"error": 1, "warning": 0, "waived": 0}
    assert document["findings"][0]["path"] == SCHEMA
    assert (document["findings"][0]["line"], document["findings"][0]["column"]) == (3, 3)


def test_junit_counts_agree_with_the_cases(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    edit(mesh, SCHEMA, ', "doc": "Where it goes."', "")
    suites = ElementTree.fromstring(run("--format", "junit").output)
    suite = suites[0]
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases)
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) == 1
    assert len(suite.findall("testcase/system-out")) == 1
    passing = {c.attrib["classname"] for c in cases if len(c) == 0}
    assert passing == {p.code for p in all_policies()} - {"SCH003", "SCH004"}


def test_sarif_names_rules_places_and_suppressions(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    waive(mesh, "SCH003", "9999-12-31")
    run_ = json.loads(run("--format", "sarif").output)["runs"][0]
    result = run_["results"][0]
    assert run_["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "SCH003"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 3}
    assert result["suppressions"][0]["justification"].endswith("Later")
    assert run().exit_code == 0


def test_github_escapes_what_would_end_the_command(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    lines = run("--format", "github").output.splitlines()
    assert lines[0].startswith(f"::error file={SCHEMA},line=3,col=3,title=SCH003 event-not-in-past-tense::")
    assert "%0A" in lines[0]


def test_paths_are_relative_to_the_repository(mesh: Path) -> None:
    (mesh.parent / ".git").mkdir()
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    issue = json.loads(run("--format", "gitlab").output)[0]
    assert issue["location"]["path"] == f"mesh/{SCHEMA}"
    assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}


def test_the_gate_fails_on_a_branch_that_breaks_a_contract(mesh: Path) -> None:
    commit(mesh, "v1")
    assert run("--base", "v1").exit_code == 0
    break_revenue(mesh)
    commit(mesh, "v2")
    assert run("--select", "PRD004").exit_code == 0, "without a base there is nothing to compare with"
    result = run("--base", "v1", "--select", "PRD004")
    assert result.exit_code == 1
    assert "the column revenue is gone: a major change of orders.orders_by_state" in result.output
    assert "reporting.regions  reporting@example.org  1" in result.output


def test_a_consumer_sees_what_others_break_for_it(mesh: Path) -> None:
    commit(mesh, "v1")
    break_revenue(mesh)
    consumer = ("--base", "v1", "--perspective", "consumer")
    hit = run("domains/reporting", *consumer)
    assert hit.exit_code == 1
    assert "the column revenue is gone" in hit.output
    assert "reporting.regions  reporting@example.org" in hit.output
    assert run("domains/customers", *consumer).exit_code == 0
    assert run("domains/orders", *consumer).exit_code == 0
    assert run(*consumer).exit_code == 1


def test_the_summary_draws_who_is_hit(mesh: Path) -> None:
    commit(mesh, "v1")
    break_revenue(mesh)
    text = run("--base", "v1", "--format", "markdown").output
    assert "### Who is hit by `orders.orders_by_state` (`revenue`)" in text
    assert "| reporting.regions | reporting@example.org | 1 | orders.orders_by_state | revenue |" in text
    assert "```mermaid\nflowchart LR" in text


def test_a_ref_that_is_not_there_and_a_shallow_clone(mesh: Path, tmp_path: Path) -> None:
    commit(mesh, "v1")
    (mesh / "README.md").write_text("more", encoding="utf-8")
    commit(mesh, "v2")
    assert "the base ref 'v9' does not exist here" in run("--base", "v9").output
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--depth", "1", "--no-tags", mesh.as_uri(), str(clone))
    result = run(str(clone), "--base", "v1")
    assert result.exit_code == 2
    assert "fetch-depth: 0" in result.output


def test_a_mesh_below_the_repository_and_one_that_is_new(mesh: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("first", encoding="utf-8")
    git(tmp_path, "init")
    git(tmp_path, "add", "README.md")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "empty")
    assert run("--base", "empty").exit_code == 0
    commit_root = tmp_path
    git(commit_root, "add", ".")
    git(commit_root, "commit", "-m", "mesh")
    break_revenue(mesh)
    assert "PRD004" in run("--base", "HEAD").output


def test_waivers_are_listed_and_expired_ones_fail(mesh: Path) -> None:
    waive(mesh, "PRD003", "9999-01-01")
    listed = run("--waivers")
    assert listed.exit_code == 0
    assert "PRD003  *        9999-01-01  in force  law@example.org  Later" in listed.output
    waive(mesh, "PRD003", "2020-01-01")
    assert run("--waivers").exit_code == 1
    assert "FED002" in run().output


def test_an_unchanged_mesh_is_answered_from_the_cache(mesh: Path) -> None:
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    first = run("--format", "json").output
    assert list((mesh / ".hanse" / "check").glob("run-*.json"))
    assert run("--format", "json").output == first
    edit(mesh, SCHEMA, "PlaceOrder", "OrderPlaced")
    assert run().exit_code == 0
    for path in (mesh / ".hanse" / "check").iterdir():
        path.write_bytes(b"{torn")
    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    assert run("--format", "json").output == first


def test_a_breakdown_of_the_planner_is_a_finding_beside_the_others(
    mesh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = plan_one.plan_one

    def breaking(model: MeshModel, product: Product, *more: Any) -> Plan:
        if product.name == "orders_by_state":
            raise KeyError("a fault of ours\nand more")
        return whole(model, product, *more)

    edit(mesh, SCHEMA, "OrderPlaced", "PlaceOrder")
    with monkeypatch.context() as patched:
        patched.setattr(plan_one, "plan_one", breaking)
        result = run("--format", "json")
    assert result.exit_code == 1
    findings = json.loads(result.stdout)["findings"]
    broken = next(f for f in findings if f["code"] == "SQL001")
    assert broken["subject"] == "orders.orders_by_state"
    assert "KeyError" in broken["what"] and "a fault of ours" in broken["what"]
    assert any(f["code"] == "SCH003" for f in findings)
    again = json.loads(run("--format", "json").stdout)
    assert [f["code"] for f in again["findings"]].count("SQL001") == 0


def test_output_goes_to_a_file(mesh: Path) -> None:
    assert run("--format", "json", "--output", "out/report.json").output == ""
    assert json.loads((mesh / "out/report.json").read_text(encoding="utf-8"))["products"] == 4


def test_explain_prints_a_page(mesh: Path) -> None:
    result = run("--explain", "PII001")
    assert result.exit_code == 0
    assert "# PII001 personal-data-unclassified" in result.output


def test_a_check_loads_nothing_heavy(mesh: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hanse_governance.runner import check_mesh; "
        "check_mesh(Path.cwd()); print(sorted(set(sys.modules) & {'great_expectations', 'pandas', 'dagster', "
        "'duckdb', 'polars', 'pyiceberg', 'fastapi'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=mesh, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
