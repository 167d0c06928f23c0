"""Schemas of the cases, damaged at random: an answer or an error for each, never a crash."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from hanse.schemas import MODES
from hanse.schemas.verdict import verdict_of_line

CASES = [
    json.loads(line)
    for path in sorted((Path(__file__).parent / "cases").glob("own-*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]
KEYS = """$ref type items anyOf properties patternProperties $id dependencies not enum additionalProperties
unevaluatedProperties contains prefixItems required fields symbols name size values default""".split()
DIALECTS = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-04/schema#",
]


def values(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for item in inner for found in values(item))]


PARTS = [part for case in CASES if case["format"] != "PROTOBUF" for part in values(json.loads(case["old"]))]


def damaged(chance: random.Random, value: Any) -> Any:
    """Parts of it replaced by parts of other schemas, and keywords added."""
    if chance.random() < 0.08:
        return chance.choice(PARTS)
    if isinstance(value, list):
        return [damaged(chance, item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: damaged(chance, item) for key, item in value.items()}
    if chance.random() < 0.15:
        found[chance.choice(KEYS)] = chance.choice(PARTS)
    return found


def damaged_text(chance: random.Random, text: str) -> str:
    for _ in range(chance.randrange(4)):
        at, to = chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.randrange(12))
        moved = text[:to] + text[at:end] + text[to:]
        added = text[:at] + chance.choice('{}[]",:;0aA.\n') + text[at:]
        text = chance.choice([text[:at] + text[end:], moved, added])
    return text


def question(chance: random.Random) -> dict[str, Any]:
    case = dict(chance.choice(CASES))
    for side in ("old", "new"):
        if case["format"] == "PROTOBUF" or chance.random() < 0.2:
            case[side] = damaged_text(chance, case[side])
            continue
        value = damaged(chance, json.loads(case[side]))
        if case["format"] == "JSON" and isinstance(value, dict) and chance.random() < 0.3:
            value = {**value, "$schema": chance.choice(DIALECTS)}
        case[side] = json.dumps(value)
    return {**case, "mode": chance.choice(MODES)}


def run(seed: int, count: int) -> None:
    chance = random.Random(seed)
    seen = {True: 0, False: 0}
    for _ in range(count):
        asked = question(chance)
        answer = verdict_of_line(json.dumps(asked).encode())
        assert answer["compatible"] in {True, False}, answer
        assert ("error" in answer) or answer["compatible"] is (not answer["findings"])
        seen[answer["compatible"]] += 1
    assert min(seen.values()) > count / 50, "the damage is too great to test anything"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damaged_schemas(seed: int) -> None:
    run(seed, 800)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_schemas() -> None:
    run(4, 100_000)
