"""Every policy against its cases: `meshes/cases/<CODE>.toml` edits the base mesh and says what is found.

A case is `[[fails]]` or `[[passes]]` with `edits`, perhaps `before` (edits of the version to compare with;
without it there is no comparison unless `compare = true`), perhaps `in_log` (topics of the log), and `finds`: `path:line:column subject: words`.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hanse.ports.event_log import TopicSpec
from hanse_governance.cache import RunCache
from hanse_governance.finding import Finding
from hanse_governance.planning import Planner
from hanse_governance.policy import all_policies
from hanse_governance.runner import check_folders

MESHES = Path(__file__).parent / "meshes"
PLANNER = Planner(RunCache(None))  # most cases leave most projections as they are
TODAY = dt.date(2026, 6, 1)


def cases() -> list[Any]:
    found: list[Any] = []
    for path in sorted((MESHES / "cases").glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for kind in ("fails", "passes"):
            for number, case in enumerate(document.get(kind, [])):
                found.append(pytest.param(path.stem, kind, case, id=f"{path.stem}-{kind}-{number + 1}"))
    return found


def edited(folder: Path, edits: list[dict[str, str]]) -> Path:
    shutil.copytree(MESHES / "base", folder)
    for edit in edits:
        path = folder / edit["file"]
        if edit.get("delete"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif "write" in edit:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit["write"], encoding="utf-8")
        elif "copy" in edit:
            shutil.copytree(folder / edit["copy"], path)
        else:
            text = path.read_text(encoding="utf-8")
            assert edit["replace"] in text, f"{edit['file']} has no {edit['replace']!r}"
            path.write_text(text.replace(edit["replace"], edit["with"]), encoding="utf-8")
    return folder


def shown(finding: Finding) -> str:
    return f"{finding.at} {finding.subject}: {finding.what}"


@pytest.mark.parametrize(("code", "kind", "case"), cases())
def test_case(code: str, kind: str, case: dict[str, Any], tmp_path: Path) -> None:
    root = edited(tmp_path / "mesh", case.get("edits", []))
    compared = "before" in case or case.get("compare", False)
    base = edited(tmp_path / "base", case.get("before", [])) if compared else None
    in_log = {topic["name"]: TopicSpec(**topic) for topic in case.get("in_log", [])}
    report = check_folders(root, base, TODAY, PLANNER, in_log)
    found = [shown(f) for f in report.findings if f.code == code and not f.waiver]
    wanted = case.get("finds", [])
    assert bool(wanted) == (kind == "fails"), "a failing case says what is found, a passing one nothing"
    assert found == wanted
    errors = [f for f in report.findings if f.severity == "error" and not f.waiver]
    others = sorted({f.code for f in errors if f.code != code})
    assert others == sorted(case.get("also", [])), [shown(f) for f in report.findings if f.code in others]


def test_the_base_mesh_keeps_every_policy(tmp_path: Path) -> None:
    report = check_folders(edited(tmp_path / "mesh", []), MESHES / "base", TODAY)
    assert [shown(f) for f in report.findings] == []


def test_every_policy_has_a_failing_and_a_passing_case() -> None:
    for policy in all_policies():
        path = MESHES / "cases" / f"{policy.code}.toml"
        assert path.is_file(), f"{policy.code} has no cases"
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        assert document.get("fails"), f"{policy.code} has no failing case"
        assert document.get("passes"), f"{policy.code} has no passing case"
