"""The case files on a real Flink: the same programs, fed row by row, end with the same rows.

Needs a JDK and the jars of Flink 2.1: unpack PyPI's `apache-flink-libraries` and set HANSE_FLINK_LIB to
its `deps/lib`. Only cases whose windows close and whose late rows drop are Flink's own; the rest say
what the other emissions do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from helpers import flink

ROOT = Path(__file__).parents[2]
KNOWN = {
    "windows: tumble with offset, closed, late dropped": "Flink loses a window that begins off its offset",
}
"""Cases that differ, and why."""


def cases() -> Any:
    """The module that reads the case files."""
    spec = importlib.util.spec_from_file_location("sql_cases", ROOT / "unit/sql/test_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def jobs(module: Any) -> dict[str, tuple[dict[str, Any], dict[str, list[Any]]]]:
    """By name: the job, and the rows that each sink ends with."""
    found: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {}
    for case in module.load():
        common, body = case.values
        options, sql, steps = module.steps(body)
        if options != {"emission": "closed", "late": "drop"} or len(steps) < 2:
            continue
        feed: list[Any] = []
        last: dict[str, list[Any]] = {}
        for step, lines in steps:
            word, _, name = step.partition(" ")
            if word == "feed":
                feed += [
                    [
                        name,
                        line[:2] if line[0] in "+-" else "+I",
                        *json.loads(line[2:] if line[0] in "+-" else line),
                    ]
                    for line in lines
                ]
            elif word == "rows":
                last[name or "result"] = sorted((json.loads(line) for line in lines), key=repr)
        if steps[-2][0] == "end":
            found[case.id] = flink.job(case.id, common + sql, feed), last
    return found


@pytest.mark.slow
def test_the_cases_give_what_flink_gives(tmp_path: Path) -> None:
    if not flink.jars() or shutil.which("javac") is None:
        pytest.skip("HANSE_FLINK_LIB does not name the jars of Flink 2.1, or there is no JDK")
    chosen = os.environ.get("HANSE_FLINK_CASES", "")
    wanted = {name: job for name, job in jobs(cases()).items() if chosen in name and name not in KNOWN}
    different: dict[str, Any] = {}
    for result in flink.run([job for job, _ in wanted.values()], tmp_path):
        expected = wanted[result["id"]][1]
        got = {sink: flink.folded(rows) for sink, rows in result.get("end", {}).items()}
        if got != {sink: json.loads(json.dumps(rows)) for sink, rows in expected.items()}:
            different[result["id"]] = result.get("error") or (got, expected)
    assert not different
