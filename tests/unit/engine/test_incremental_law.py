"""The law: an incremental form gives what recomputation gives, for any batches and any restarts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.testing import ProjectionHarness

EVENTS = (
    "CREATE TABLE e (k STRING, v INT, d DECIMAL(8,2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND) "
    "WITH ('changelog-mode' = 'I');"
)
STATES = (
    "CREATE TABLE e (id INT PRIMARY KEY NOT ENFORCED, k STRING, v INT, d DECIMAL(8,2)) "
    "WITH ('changelog-mode' = 'I,UA,D');"
)
KEYED = "CREATE TABLE r (id INT, w INT, PRIMARY KEY (id) NOT ENFORCED);"
WINDOW = (
    "SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS a, MAX(d) AS b, AVG(v) AS m FROM TABLE({}) "
    "GROUP BY k, window_start, window_end"
)
OF_EVENTS = {
    "filter": "SELECT k, v + 1 AS w FROM e WHERE v > 2 OR v IS NULL",
    "count": "SELECT k, COUNT(*) AS n, COUNT(v) AS c FROM e GROUP BY k",
    "aggregates": "SELECT k, SUM(v) AS s, AVG(v) AS a, AVG(d) AS g, MIN(v) AS lo, MAX(d) AS hi FROM e GROUP BY k",
    "filtered aggregates": "SELECT k, COUNT(*) FILTER (WHERE v > 3) AS n, SUM(d) FILTER (WHERE v > 3) AS s FROM e GROUP BY k",
    "global": "SELECT COUNT(*) AS n, SUM(d) AS s, MAX(v) AS m FROM e WHERE v > 1",
    "expressions": "SELECT UPPER(k) AS u, SUM(v) / COUNT(*) AS q FROM e GROUP BY UPPER(k)",
    "tumble": WINDOW.format("TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND)"),
    "hop": WINDOW.format("HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)"),
    "cumulate": WINDOW.format("CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND)"),
}
OF_STATES = {
    "keyed projection": KEYED + "INSERT INTO r SELECT id, v * 2 FROM e",
    "keyed filter": KEYED + "INSERT INTO r SELECT id, v FROM e WHERE v > 3",
    "projection without key": "SELECT k, v FROM e WHERE v > 1",
    "orders by state": "SELECT k, COUNT(*) AS n FROM e GROUP BY k",
    "sums of state": "SELECT k, SUM(v) AS s, AVG(d) AS a, COUNT(d) AS c FROM e WHERE v <> 5 GROUP BY k",
    "global of state": "SELECT COUNT(*) AS n, SUM(d) AS s FROM e",
}
keys = st.sampled_from(["a", "b", "c", None])
numbers = st.one_of(st.none(), st.integers(-9, 9))
cents = st.one_of(st.none(), st.integers(-500, 500).map(lambda n: f"{n / 100:.2f}"))
moments = st.integers(0, 60).map(lambda n: f"2024-01-01T00:{n // 60:02d}:{n % 60:02d}")
event_rows = st.lists(st.tuples(keys, numbers, cents, moments), max_size=30)
change = st.tuples(st.sampled_from(["+I", "+U", "+U", "-D"]), st.integers(0, 5), keys, numbers, cents)
state_rows = st.lists(change, max_size=30)
cuts = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=12)
quick = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def final(
    program: str, rows: list[Any], kinds: list[str] | None, splits: list[tuple[int, bool]], **options: Any
) -> list[Any]:
    """Rows before and after the end of input, fed in the given batches with restarts."""
    out: list[Any] = []
    with ProjectionHarness(program, **options) as harness:
        at = turn = 0
        while at < len(rows):
            size, restart = splits[turn % len(splits)]
            harness.feed("e", rows[at : at + size], kinds[at : at + size] if kinds else None)
            at, turn = at + size, turn + 1
            if restart:
                harness.restart()
        out.append(sorted(harness.rows(), key=repr))
        harness.end_of_input()
        out.append(sorted(harness.rows(), key=repr))
    return out


@pytest.mark.parametrize("name", OF_EVENTS)
@quick
@given(
    rows=event_rows,
    splits=cuts,
    times=st.sampled_from([("update", "keep"), ("update", "drop"), ("closed", "drop")]),
)
def test_events_in_any_batches_equal_recomputation(
    name: str, rows: list[Any], splits: list[tuple[int, bool]], times: tuple[Any, Any]
) -> None:
    emission, late = times
    program = EVENTS + OF_EVENTS[name]
    whole = final(program, rows, None, [(1000, False)], emission=emission, late=late, fast=False)
    assert final(program, rows, None, splits, emission=emission, late=late) == whole


@pytest.mark.parametrize("name", OF_STATES)
@quick
@given(rows=state_rows, splits=cuts)
def test_states_in_any_batches_equal_recomputation(
    name: str, rows: list[Any], splits: list[tuple[int, bool]]
) -> None:
    program = STATES + OF_STATES[name]
    kinds, values = [row[0] for row in rows], [row[1:] for row in rows]
    whole = final(program, values, kinds, [(1000, False)], fast=False)
    assert final(program, values, kinds, splits) == whole


@pytest.mark.parametrize("query", [*OF_EVENTS.values()])
def test_events_are_maintained_incrementally(query: str) -> None:
    with ProjectionHarness(EVENTS + query, emission="closed", late="drop") as harness:
        assert "mode: incremental" in harness.explain()
        assert "not kept" in harness.explain()


@pytest.mark.parametrize("query", [*OF_STATES.values()])
def test_states_are_maintained_incrementally(query: str) -> None:
    with ProjectionHarness(STATES + query) as harness:
        assert "mode: incremental" in harness.explain()
