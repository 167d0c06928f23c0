"""Compatibility verdicts as data: our own cases, and a sample of public verdicts where it is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hanse.schemas.verdict import verdict_of_line

OWN = Path(__file__).parent / "cases"
SHARED = Path(__file__).parents[4] / "shared" / "cases"
LEAST = {"own-avro": 150, "own-json": 200, "own-protobuf": 100}


def cases(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def wrong(found: list[dict[str, Any]]) -> list[str]:
    """Cases in which we disagree, as lines that a reader understands."""
    lines: list[str] = []
    for case in found:
        answer = verdict_of_line(json.dumps(case).encode())
        if answer["compatible"] != case["compatible"] or "error" in answer:
            why = answer.get("error") or [f["kind"] + " " + f["path"] for f in answer["findings"]]
            lines.append(
                f"{case['id']} {case['mode']} {case.get('reason', '')}: {answer['compatible']} {why}"
            )
    return lines


@pytest.mark.parametrize("name", sorted(LEAST))
def test_our_own_cases(name: str) -> None:
    found = cases(OWN / f"{name}.jsonl")
    assert len({(c["old"], c["new"]) for c in found}) >= LEAST[name], "so many pairs, each in both modes"
    assert len({(c["old"], c["new"], c["mode"]) for c in found}) == len(found), "a case stands twice"
    assert wrong(found) == []


@pytest.mark.parametrize("path", sorted(OWN.glob("*.jsonl")), ids=lambda p: p.stem)
def test_full_is_backward_and_forward(path: Path) -> None:
    by_pair: dict[tuple[str, str], dict[str, bool]] = {}
    for case in cases(path):
        by_pair.setdefault((case["old"], case["new"]), {})[case["mode"]] = case["compatible"]
    both = {pair: modes for pair, modes in by_pair.items() if len(modes) == 2}
    assert len(both) > 40
    full = [
        {"id": str(i), "format": path.stem.removeprefix("own-"), "old": old, "new": new, "mode": "FULL"}
        | {"compatible": all(modes.values())}
        for i, ((old, new), modes) in enumerate(both.items())
    ]
    assert wrong(full) == []


@pytest.mark.parametrize("name", ["avro", "avro-modes", "json", "json-modes", "protobuf", "protobuf-modes"])
def test_public_verdicts(name: str) -> None:
    path = SHARED / f"{name}.jsonl"
    if not path.is_file():
        assert os.environ.get("CI") != "true", f"{path} is missing"
        pytest.skip(f"{path} is not here")
    assert wrong(cases(path)) == []


@pytest.mark.parametrize(
    ("mode", "compatible"),
    [("BACKWARD", True), ("BACKWARD_TRANSITIVE", False), ("FULL_TRANSITIVE", False), ("NONE", True)],
)
def test_transitive_modes_look_at_the_whole_history(mode: str, compatible: bool) -> None:
    def record(*names: str, default: bool) -> str:
        extra = {"default": 0} if default else {}
        fields = [{"name": n, "type": "int", **extra} for n in names]
        return json.dumps({"type": "record", "name": "R", "fields": fields})

    history = [record("a", default=False), record("a", "b", default=True)]
    line = {"id": 1, "format": "AVRO", "history": history[:1], "old": history[1], "mode": mode}
    line["new"] = json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": n, "type": "int"} for n in ("a", "b")]}
    )
    answer = verdict_of_line(json.dumps(line).encode())
    assert answer["compatible"] is compatible
    versions = {f["version"] for f in answer["findings"]}
    assert versions == (set() if compatible else {1})


def test_findings_name_every_incompatibility_with_both_sides() -> None:
    old = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}],
    }
    new = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "a", "type": "string"},
            {"name": "b", "type": {"type": "array", "items": "int"}},
            {"name": "c", "type": {"type": "record", "name": "I", "fields": []}},
        ],
    }
    line = {"id": "x", "format": "AVRO", "old": old, "new": new, "mode": "BACKWARD"}
    answer = verdict_of_line(json.dumps(line).encode())
    found = [(f["path"], f["kind"], f["old"], f["new"]) for f in answer["findings"]]
    assert found == [
        ("$.a", "TYPE_MISMATCH", "int", "string"),
        ("$.b", "TYPE_MISMATCH", "int", "array"),
        ("$.c", "READER_FIELD_MISSING_DEFAULT_VALUE", "absent", "record I"),
    ]


def test_references_come_as_list_or_object() -> None:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": "geo.A"}]})
    one = json.dumps({"type": "record", "name": "geo.A", "fields": []})
    two = json.dumps({"type": "record", "name": "geo.A", "fields": [{"name": "x", "type": "int"}]})
    line = {"id": 1, "format": "AVRO", "old": text, "new": text, "mode": "BACKWARD"}
    line |= {"old_references": [{"name": "geo.A", "schema": one}], "new_references": {"geo.A": two}}
    answer = verdict_of_line(json.dumps(line).encode())
    assert [f["path"] for f in answer["findings"]] == ["$.a.x"]
    del line["new_references"]
    assert "geo.A" in verdict_of_line(json.dumps(line).encode())["error"]
