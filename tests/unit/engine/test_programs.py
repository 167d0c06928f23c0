"""The sample programs, each under three profiles, random batch sizes, interleavings and a restart."""

from __future__ import annotations

import json
import os
import random
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hanse.testing import ProjectionHarness

SAMPLE = Path(__file__).parents[3].parent / "shared/cases/projections/sample.jsonl"
PROFILES: dict[str, tuple[Any, Any]] = {
    "flink": ("closed", "drop"),
    "update_drop": ("update", "drop"),
    "update_keep": ("update", "keep"),
}


def cases() -> list[dict[str, Any]]:
    """The sample, or nothing where it is not there."""
    if not SAMPLE.exists():
        return []
    with SAMPLE.open() as lines:
        return [json.loads(line) for line in lines]


def plain(value: Any, kind: str) -> Any:
    """A value as both sides can be compared."""
    kind = kind.upper()
    if value is None:
        return None
    if isinstance(value, str) and kind.startswith("TIMESTAMP"):
        return datetime.fromisoformat(value.replace("Z", "")).isoformat()
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal) or kind.startswith("DECIMAL"):
        return format(Decimal(value), "f")
    if isinstance(value, float) or kind in ("DOUBLE", "FLOAT"):
        return float(f"{float(value):.9g}")
    if isinstance(value, dict):
        pairs = value["$map"] if "$map" in value else value.items()
        return frozenset((repr(plain(k, "")), repr(plain(v, ""))) for k, v in pairs)
    if isinstance(value, list | tuple):
        return tuple(plain(item, "") for item in value)
    return value


def table(rows: Any, columns: list[dict[str, str]]) -> list[tuple[Any, ...]]:
    """Rows in an order of their own."""
    found = [tuple(plain(v, c["type"]) for v, c in zip(row, columns, strict=True)) for row in rows]
    return sorted(found, key=repr)


def program(case: dict[str, Any], *, declared: bool) -> str:
    """The case as one text; `declared` names changelogs and sinks, otherwise both are inferred."""
    parts = [f"SET '{key}' = '{value}'" for key, value in case["config"].items() if "time-zone" in key]
    for source in case["sources"]:
        mode = f" WITH ('changelog-mode' = '{source['changelog_mode']}')" if declared else ""
        parts.append(source["ddl"] + mode)
    for sink in case["sinks"]:
        columns = ", ".join(f"`{c['name']}` {c['type']}" for c in sink["columns"])
        keys = ", ".join(f"`{key}`" for key in sink["primary_key"] or [])
        if declared or keys:
            key = f", PRIMARY KEY ({keys}) NOT ENFORCED" if keys else ""
            parts.append(f"CREATE TABLE {sink['name']} ({columns}{key})")
    return ";\n".join([*parts, *case["sql"]])


def arrivals(case: dict[str, Any], phase: str, rng: random.Random) -> list[tuple[str, list[Any]]]:
    """One interleaving of the sources that the case allows."""
    queues = {s["name"]: list(s[phase]) for s in case["sources"] if s["used"]}
    order = case["feed_order"]
    if isinstance(order, list):
        return [(name, row) for name in order for row in queues.get(name, [])]
    out: list[tuple[str, list[Any]]] = []
    while any(queues.values()):
        names = [name for name in queues if queues[name]]
        for name in names if order == "lockstep" else [rng.choice(names)]:
            out.append((name, queues[name].pop(0)))
    return out


def feed(
    harness: ProjectionHarness, rows: list[tuple[str, list[Any]]], rng: random.Random, most: int
) -> None:
    """Feed in random batches of one source each."""
    at = 0
    while at < len(rows):
        name, size, batch = rows[at][0], rng.randint(1, most), []
        while at < len(rows) and rows[at][0] == name and len(batch) < size:
            batch.append(rows[at][1])
            at += 1
        harness.feed(name, [row[1:] for row in batch], [row[0] for row in batch])


def check(case: dict[str, Any], profile: str, seed: int, most: int, *, declared: bool) -> None:
    """Run a case and compare before the restart and at the end."""
    rng = random.Random(seed)
    emission, late = PROFILES[profile]
    with ProjectionHarness(program(case, declared=declared), emission=emission, late=late) as harness:
        for phase in ("before", "after"):
            feed(harness, arrivals(case, phase, rng), rng, most)
            if phase == "after":
                harness.end_of_input()
            for sink in case["sinks"]:
                expected = sink[f"expected_final_{phase}"]
                if profile != "flink":
                    expected = (sink.get("alt") or {}).get(f"{profile}_{phase}", expected)
                assert table(harness.rows(sink["name"]), sink["columns"]) == table(
                    expected, sink["columns"]
                ), phase
            harness.restart()


def test_the_sample_is_there() -> None:
    if not SAMPLE.exists() and os.environ.get("CI") != "true":
        pytest.skip("the sample of programs is not beside the repository")
    assert len(cases()) >= 46


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_program_gives_what_flink_gives(case: dict[str, Any]) -> None:
    check(case, "flink", 1, 40, declared=True)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", range(4))
def test_program_under_every_profile(case: dict[str, Any], profile: str, seed: int) -> None:
    check(case, profile, seed, (1000, 40, 7, 1)[seed], declared=seed % 2 == 0)
