"""Whatever stands in the files of a mesh, a check ends in findings and never in an exception."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from hanse_governance.cache import RunCache
from hanse_governance.planning import Planner
from hanse_governance.runner import Report, check_folders

BASE = Path(__file__).parent / "meshes" / "base"
TODAY = dt.date(2026, 6, 1)
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x" * 300,
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "a.b",
    "\u0000",
    "enc:v1:x",
    [1, "a"],
]
FILES = sorted(
    p.relative_to(BASE).as_posix()
    for p in BASE.rglob("*")
    if p.suffix in (".yaml", ".avsc", ".sql", ".toml") and p.name != "hanse.toml"
)
PLANNER = Planner(RunCache(None))


def check(root: Path, base: Path | None = BASE) -> Report:
    report = check_folders(root, base, TODAY, PLANNER)
    assert not PLANNER.failed
    return report


def mutated(text: str, chance: random.Random) -> str:
    """The text with one or two lines dropped, doubled, cut, swapped or shifted."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)] + "\n"
            case 3:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 4:
                lines[at] = " " * chance.randrange(5) + lines[at]
            case _:
                lines[at] = lines[at].replace(
                    chance.choice(': ,[{"a1'), chance.choice([":", "]", "\t", "'", "é", "{"]), 1
                )
        lines = lines or ["\n"]
    return "".join(lines)


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file(file: str, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    original = (BASE / file).read_text(encoding="utf-8")
    for seed in range(6):
        text = mutated(original, random.Random(f"{file}{seed}"))
        (root / file).write_text(text, encoding="utf-8")
        check(root)


def replaced(document: Any, chance: random.Random) -> Any:
    """The document with one value anywhere replaced by an odd one."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(document)
    node, key = chance.choice(places)
    node[key] = chance.choice(ODD)
    return document


@pytest.mark.parametrize("file", [f for f in FILES if f.endswith(".avsc")])
def test_odd_values_in_a_schema(file: str, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    for seed in range(15):
        document = replaced(json.loads((BASE / file).read_text(encoding="utf-8")), random.Random(seed))
        (root / file).write_text(json.dumps(document), encoding="utf-8")
        check(root)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"type": ' * 3_000 + '"int"' + "}" * 3_000,
        json.dumps(
            {
                "type": "record",
                "name": "A",
                "fields": [{"name": f"f{i}", "type": "int"} for i in range(5_000)],
            }
        ),
        '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]}',
        '{"type": "record", "name": "A", "fields": "x"}',
        '"string"',
    ],
    ids=["brackets", "deep", "wide", "recursive", "no list", "a word"],
)
def test_a_hostile_schema(text: str, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    (root / "domains/orders/events/order_placed.avsc").write_text(text, encoding="utf-8")
    started = time.perf_counter()
    report = check(root)
    assert report.fails("error")
    assert time.perf_counter() - started < 30


HOSTILE_SQL = {
    "parentheses": "SELECT " + "(" * 5_000,
    "sum": "SELECT " + "1 + " * 20_000 + "1",
    "comments": "/* " * 10_000,
    "quotes": "'" * 999,
    "semicolons": ";" * 10_000,
    "no table": "SELECT 1",
    "nothing": "",
    "drop": "DROP TABLE x",
    "file": "SELECT * FROM read_csv('/etc/passwd')",
    "with": "WITH " * 500,
}


@pytest.mark.parametrize("text", HOSTILE_SQL.values(), ids=HOSTILE_SQL)
def test_a_hostile_projection(text: str, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    (root / "domains/orders/products/orders_by_state/projection.sql").write_text(text, encoding="utf-8")
    codes = {f.code for f in check(root).findings}
    assert codes & {"SQL001", "SQL002"}


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    for file in ("domains/orders/events/order_placed.avsc", "domains/reporting/domain.yaml"):
        (root / file).unlink()
        (root / file).mkdir()
    assert check(root).fails("error")


def test_links_that_lead_nowhere_and_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(BASE, root)
    schema = root / "domains/orders/events/order_placed.avsc"
    schema.unlink()
    schema.symlink_to(schema)
    (root / "domains/loop").symlink_to(root / "domains")
    assert check(root).fails("error")
