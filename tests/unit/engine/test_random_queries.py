"""Random queries over random rows: however the rows are cut and wherever it restarts, the rows are those of one batch.

The reference recomputes everything once, in DuckDB, over the same rows in the same order of arrival.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.testing import ProjectionHarness

SOURCES = """
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND) WITH ('changelog-mode' = 'I');
CREATE TABLE p (k STRING, w INT, pt TIMESTAMP(3), WATERMARK FOR pt AS pt - INTERVAL '1' SECOND) WITH ('changelog-mode' = 'I');
CREATE TABLE s (id INT NOT NULL PRIMARY KEY NOT ENFORCED, k STRING, v INT) WITH ('changelog-mode' = 'I,UA,D');
CREATE TABLE q (k STRING, v INT) WITH ('changelog-mode' = 'I,UB,UA,D');
"""
WINDOWS = (
    "TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '4' SECOND)",
    "HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '6' SECOND)",
    "CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '4' SECOND)",
    "SESSION(TABLE e PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECOND)",
)
AGGREGATES = (
    "COUNT(*)", "COUNT(v)", "SUM(v)", "AVG(v)", "MIN(v)", "MAX(v)", "COUNT(DISTINCT v)", "SUM(v) FILTER (WHERE v > 1)",
)  # fmt: skip
TESTS = ("v > 1", "k IS NOT NULL", "v IS NULL OR v < 3", "k IN ('a', 'c')", "NOT (v > 0 AND k = 'b')", "TRUE")
JOINS = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
SETS = ("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query of one of the supported forms."""
    pick = draw
    source = pick(st.sampled_from("esq"))
    test = pick(st.sampled_from(TESTS))
    several = ", ".join(
        f"{a} AS a{n}"
        for n, a in enumerate(pick(st.lists(st.sampled_from(AGGREGATES), min_size=1, max_size=3)))
    )
    window = pick(st.sampled_from(WINDOWS))
    join = pick(st.sampled_from(JOINS))
    forms = (
        f"SELECT k, v + 1 AS x FROM {source} WHERE {test}",
        f"SELECT k, {several} FROM {source} WHERE {test} GROUP BY k",
        f"SELECT {several} FROM {source}",
        f"SELECT k, v, {several} FROM {source} GROUP BY ROLLUP (k, v)",
        f"SELECT k, {several} FROM {source} GROUP BY k HAVING COUNT(*) > 1",
        f"SELECT DISTINCT k, v FROM {source} WHERE {test}",
        f"SELECT k, window_start, window_end, {several} FROM TABLE({window}) GROUP BY k, window_start, window_end",
        f"SELECT k, v, window_end FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rn FROM TABLE({window})) WHERE rn <= 2",
        f"SELECT {source}.k, {source}.v, s2.v AS w FROM {source} {join} s AS s2 ON {source}.k = s2.k",
        f"SELECT e.k, e.v, p.w FROM e {join} p ON e.k = p.k AND p.pt BETWEEN e.ts - INTERVAL '2' SECOND AND e.ts + INTERVAL '1' SECOND",
        f"SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM {source}) WHERE rn <= 2",
        "SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS rn FROM e) WHERE rn = 1",
        "SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM e",
        f"SELECT id, v FROM s WHERE k IN (SELECT k FROM {source} WHERE {test})",
        f"SELECT id, (SELECT MAX(v) FROM {source}) AS m FROM s",
        f"SELECT k, v FROM s {pick(st.sampled_from(SETS))} SELECT k, v FROM {source}",
        f"SELECT n, COUNT(*) AS c FROM (SELECT k, COUNT(*) AS n FROM {source} GROUP BY k) GROUP BY n",
    )
    return pick(st.sampled_from(forms))


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[str, str, list[Any]]]:
    """Rows of all sources in one order of arrival: NULLs, duplicates, rows behind the watermark, updates and deletes."""
    rng = draw(st.randoms(use_true_random=False))
    keyed: dict[int, list[Any]] = {}
    bag: list[list[Any]] = []
    at, found = 0, list[tuple[str, str, list[Any]]]()
    for _ in range(draw(st.integers(4, 24))):
        key, value = rng.choice(["a", "b", "c", None]), rng.choice([None, 0, 1, 2, 3, 5])
        source = rng.choice("eepsq")
        at += rng.choice([-5, -1, 0, 1, 1, 2, 3])
        if source in "ep":
            found.append((source, "+I", [key, value, f"2024-01-01T00:01:{at % 60:02d}"]))
        elif source == "s":
            number = rng.randint(1, 4)
            old = keyed.pop(number, None)
            if old is not None and rng.random() < 0.4:
                found.append(("s", "-D", [number, *old]))
                continue
            keyed[number] = [key, value]
            found.append(("s", "+I" if old is None else "+U", [number, key, value]))
        elif bag and rng.random() < 0.4:
            found.append(("q", "-D", bag.pop(rng.randrange(len(bag)))))
        else:
            bag.append([key, value])
            found.append(("q", "+I", [key, value]))
    return found


def rows(
    query: str, fed: Sequence[tuple[str, str, list[Any]]], cuts: Sequence[int], restart: int, **options: Any
) -> list[str]:
    """The final rows, fed in batches of at most these lengths, reopened before the row of that number."""
    with ProjectionHarness(SOURCES + query, **options) as harness:
        at, turn = 0, 0
        while at < len(fed):
            source, length = fed[at][0], cuts[turn % len(cuts)]
            end = at
            while (
                end < len(fed)
                and end - at < length
                and fed[end][0] == source
                and (end == at or end != restart)
            ):
                end += 1
            if source in harness.engine.sources:
                harness.feed(source, [row for _, _, row in fed[at:end]], [kind for _, kind, _ in fed[at:end]])
            at, turn = end, turn + 1
            if at == restart:
                harness.restart()
        harness.end_of_input()
        return sorted(map(repr, harness.rows()))


def agree(query: str, fed: list[Any], cuts: list[int], restart: int, emission: Any, late: Any) -> None:
    """The incremental rows are those of one recomputation."""
    whole = rows(query, fed, [1000], -1, emission=emission, late=late, fast=False)
    assert rows(query, fed, cuts, restart, emission=emission, late=late) == whole


CASE = st.tuples(
    queries(), arrivals(), st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 20),
    st.sampled_from(["update", "closed"]), st.sampled_from(["keep", "drop"]),
)  # fmt: skip
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MANY = int(os.environ.get("HANSE_RANDOM_QUERIES", "3000"))
LONG = settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(CASE)
def test_any_cut_gives_what_one_batch_gives(case: Any) -> None:
    agree(*case)


@pytest.mark.slow
@LONG
@given(CASE)
def test_any_cut_gives_what_one_batch_gives_for_long(case: Any) -> None:
    agree(*case)
