"""Programs as files: `cases/*.test` hold sources' rows, restarts and the rows that must come out.

=== a name
(options, e.g. emission=closed late=drop)
SQL
:: feed e           rows follow as JSON, each after its kind when it is no insert
:: restart
:: end
:: rows [sink]      the rows that must be there, in any order
:: refused          the clause, line and column of UnsupportedSQL
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hanse.errors import UnsupportedSQL
from hanse.testing import ProjectionHarness

FOLDER = Path(__file__).parent / "cases"


def load() -> Iterator[Any]:
    """Every case of every file, with its name."""
    for path in sorted(FOLDER.glob("*.test")):
        common = ""
        for block in path.read_text().split("=== ")[0:]:
            name, _, body = block.partition("\n")
            if not name.strip():
                continue
            if name.strip() == "sources":
                common = body
                continue
            yield pytest.param(common, body, id=f"{path.stem}: {name.strip()}")


def plain(value: Any) -> Any:
    """A Python value as the case files write it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {"$map": sorted(([plain(k), plain(v)] for k, v in value.items()), key=repr)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def steps(body: str) -> tuple[dict[str, Any], str, list[tuple[str, list[str]]]]:
    """Options, SQL, and the steps with their lines."""
    options: dict[str, Any] = {}
    lines = body.splitlines()
    if lines and lines[0].startswith("("):
        options = dict(part.split("=") for part in lines[0].strip("()").split())
        lines = lines[1:]
    sql: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith(":: "):
            found.append((line[3:].strip(), []))
        elif found:
            if line.strip():
                found[-1][1].append(line)
        else:
            sql.append(line)
    return options, "\n".join(sql), found


def feed(harness: ProjectionHarness, source: str, lines: list[str]) -> None:
    """Feed the lines three rows a batch, so that nothing may depend on where batches end."""
    kinds = [line[:2] if line[0] in "+-" else "+I" for line in lines]
    rows = [json.loads(line[2:] if line[0] in "+-" else line) for line in lines]
    for at in range(0, len(rows), 3):
        harness.feed(source, rows[at : at + 3], kinds[at : at + 3])


@pytest.mark.parametrize(("common", "body"), list(load()))
def test_case(common: str, body: str) -> None:
    options, sql, found = steps(body)
    if found[0][0] == "refused":
        with pytest.raises(UnsupportedSQL) as refusal:
            ProjectionHarness(sql, **options)
        error = refusal.value
        assert f"{error.clause} at {error.line}:{error.column}" == found[0][1][0]
        assert error.advice
        return
    with ProjectionHarness(common + sql, **options) as harness:
        for step, lines in found:
            word, _, name = step.partition(" ")
            if word == "feed":
                feed(harness, name, lines)
            elif word == "restart":
                harness.restart()
            elif word == "end":
                harness.end_of_input()
            else:
                rows = sorted((plain(row) for row in harness.rows(name or None)), key=repr)
                assert rows == sorted((json.loads(line) for line in lines), key=repr)


def test_there_are_enough_cases() -> None:
    assert len(list(load())) >= 400
