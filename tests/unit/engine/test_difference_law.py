"""The law for joins and groups: what batches change comes to what recomputation gives, whatever they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.testing import ProjectionHarness

A = "CREATE TABLE a (id INT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND{}) WITH ('changelog-mode' = '{}');"
B = A.replace("TABLE a", "TABLE b")
MODES = {
    "append": ("", "I"),
    "upsert": (", PRIMARY KEY (id) NOT ENFORCED", "I,UA,D"),
    "retract": ("", "I,UB,UA,D"),
}
KEYED = "CREATE TABLE r (id INT, w INT, u INT, PRIMARY KEY (id) NOT ENFORCED);"
WINDOW = "TABLE(TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '5' SECOND))"
QUERIES = {
    "inner join": "SELECT a.id, a.v, b.v AS w FROM a JOIN b ON a.k = b.k",
    "join without a key": "SELECT a.id, b.id AS o FROM a JOIN b ON a.v < b.v",
    "left join": "SELECT a.id, a.k, b.v FROM a LEFT JOIN b ON a.k = b.k AND a.v > b.v",
    "right join": "SELECT a.id, b.k, b.v FROM a RIGHT JOIN b ON a.k = b.k",
    "full join": "SELECT a.id, b.id AS o FROM a FULL JOIN b ON a.k = b.k",
    "join of commas": "SELECT a.id, b.id AS o FROM a, b WHERE a.k = b.k AND a.v = b.v",
    "join using": "SELECT k, a.v, b.v AS w FROM a JOIN b USING (k)",
    "self join": "SELECT x.id, y.id AS o FROM a x JOIN a y ON x.k = y.k",
    "three joins": "SELECT a.id, b.id AS o, c.v FROM a JOIN b ON a.k = b.k LEFT JOIN b c ON b.id = c.id",
    "keyed join": KEYED + "INSERT INTO r SELECT a.id, a.v, b.v FROM a LEFT JOIN b ON a.k = b.k",
    "group of a join": "SELECT a.k, COUNT(*) AS n, MAX(b.v) AS m FROM a JOIN b ON a.k = b.k GROUP BY a.k",
    "join of groups": "SELECT x.k, x.n, y.m FROM (SELECT k, COUNT(*) AS n FROM a GROUP BY k) x LEFT JOIN "
    "(SELECT k, MIN(v) AS m FROM b GROUP BY k) y ON x.k = y.k",
    "distinct values": "SELECT k, COUNT(DISTINCT v) AS n, MIN(v) AS a, MAX(v) AS b FROM a GROUP BY k",
    "having": "SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING COUNT(*) > 1",
    "values by arrival": "SELECT k, FIRST_VALUE(v) AS f, LAST_VALUE(v) AS l FROM a GROUP BY k",
    "latest": "SELECT id, k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM a) WHERE n = 1",
    "top": "SELECT k, v, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM a) WHERE n <= 2",
    "top of groups": "SELECT k, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s) AS n FROM "
    "(SELECT k, v, SUM(id) AS s FROM a GROUP BY k, v)) WHERE n <= 2",
    "distinct rows": "SELECT DISTINCT k, v FROM a WHERE v > 1",
    "union": "SELECT k, v FROM a UNION SELECT k, id FROM b",
    "union all": "SELECT k, v FROM a UNION ALL SELECT k, id FROM b",
    "except": "SELECT k, v FROM a EXCEPT SELECT k, v FROM b",
    "in": "SELECT id, k FROM a WHERE k IN (SELECT k FROM b WHERE v > 2)",
    "not exists": "SELECT id, k FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
    "values of groups": "SELECT s, COUNT(*) AS n FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k) GROUP BY s",
    "rollup": "SELECT k, v, COUNT(*) AS n FROM a GROUP BY ROLLUP (k, v)",
    "first five": "SELECT id, v FROM a ORDER BY v LIMIT 5",
    "window join": f"SELECT x.id, y.id AS o FROM {WINDOW.format('a')} x JOIN {WINDOW.format('b')} y "
    "ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end",
    "interval join": "SELECT a.id, b.id AS o FROM a LEFT JOIN b ON a.k = b.k AND "
    "b.ts BETWEEN a.ts - INTERVAL '3' SECOND AND a.ts + INTERVAL '3' SECOND",
    "session": "SELECT k, window_start, COUNT(*) AS n FROM TABLE(SESSION(TABLE a PARTITION BY k, DESCRIPTOR(ts), "
    "INTERVAL '5' SECOND)) GROUP BY k, window_start, window_end",
    "distinct in a window": f"SELECT k, window_end, COUNT(DISTINCT v) AS n FROM {WINDOW.format('a')} GROUP BY k, window_start, window_end",
    "over": "SELECT id, k, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM a",
    "keyed sums": "CREATE TABLE r (k STRING, n BIGINT, m INT, PRIMARY KEY (k) NOT ENFORCED);"
    "INSERT INTO r SELECT a.k, COUNT(*), MAX(a.v) FROM a JOIN b ON a.k = b.k GROUP BY a.k",
}
RETRACTED = (
    "inner join",
    "full join",
    "keyed join",
    "group of a join",
    "distinct values",
    "top",
    "union all",
    "except",
)
APPEND_ONLY = ("interval join", "session", "over", "window join", "distinct in a window", "latest")
rows = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 4),
    st.sampled_from(["x", "y", "z", None]),
    st.one_of(st.none(), st.integers(0, 5)),
    st.integers(0, 40).map(lambda n: f"2024-01-01T00:00:{n:02d}"),
    st.booleans(),
)
logs = st.lists(rows, max_size=30)
cuts = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=8)
quick = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CASES = [
    *((name, "append") for name in QUERIES),
    *((name, "upsert") for name in QUERIES if name not in APPEND_ONLY),
    *((name, "retract") for name in RETRACTED),
]


def changes(log: list[Any], mode: str) -> list[tuple[str, str, list[Any]]]:
    """The log as source, kind and row: in a retract log what is taken back was there."""
    out: list[tuple[str, str, list[Any]]] = []
    there: dict[str, list[list[Any]]] = {"a": [], "b": []}
    for source, *row, back in log:
        if mode == "append" or not back:
            out.append((source, "+I", row))
            there[source].append(row)
        elif mode == "upsert":
            out.append((source, "-D", row))
        elif there[source]:
            out.append((source, "-D", there[source].pop(0)))
    return out


def final(program: str, log: list[Any], splits: list[Any], late: Any, **options: Any) -> list[Any]:
    """The rows at the end and whenever a split asks, fed in batches of one source with restarts."""
    out: list[Any] = []
    with ProjectionHarness(program, late=late, **options) as harness:
        at = turn = 0
        while at < len(log):
            size, restart = splits[turn % len(splits)]
            source, batch = log[at][0], log[at : at + size]
            batch = batch[: next((n for n, row in enumerate(batch) if row[0] != source), size)]
            harness.feed(source, [row[2] for row in batch], [row[1] for row in batch])
            at, turn = at + len(batch), turn + 1
            if restart:
                harness.restart()
        out.append(sorted(harness.rows(), key=repr))
        out.append(sorted(folded(harness), key=repr))
    return out


def folded(harness: ProjectionHarness) -> list[Any]:
    """The rows that the changes come to, for a reader who has only these."""
    name = next(iter(harness.engine.sinks))
    sink = harness.engine.program.sinks[name]
    keys = [n for n, column in enumerate(sink.columns) if column.name in sink.primary_key]
    found: list[Any] = []
    table = harness.engine.changes(name)
    for _, op, *row in harness._con.execute(
        f"SELECT _seq, * EXCLUDE (_seq) FROM {table} ORDER BY 1"
    ).fetchall():
        if keys:
            found = [other for other in found if any(other[n] != row[n] for n in keys)]
        elif op < 0:
            found.remove(row)
        if op > 0:
            found.append(row)
    return [tuple(row) for row in found]


def check(name: str, mode: str, log: list[Any], splits: Any, late: Any) -> None:
    """Batches in one case: the rows, and the changes for a reader, equal recomputation."""
    program = A.format(*MODES[mode]) + B.format(*MODES[mode]) + QUERIES[name]
    fed = changes(log, mode)
    whole, _ = final(program, fed, [(1000, False)], late, fast=False)
    rows, seen = final(program, fed, splits, late, small=0)
    assert rows == whole
    assert [tuple(map(repr, row)) for row in seen] == [tuple(map(repr, row)) for row in whole]


@pytest.mark.parametrize(("name", "mode"), CASES)
@quick
@given(log=logs, splits=cuts, late=st.sampled_from(["keep", "drop"]))
def test_changes_come_to_recomputation(name: str, mode: str, log: list[Any], splits: Any, late: Any) -> None:
    check(name, mode, log, splits, late)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", QUERIES)
@settings(quick, max_examples=50)
@given(log=logs, splits=cuts, late=st.sampled_from(["keep", "drop"]))
def test_many_changes_come_to_recomputation(
    name: str, mode: str, log: list[Any], splits: Any, late: Any
) -> None:
    if mode == "append" or name not in APPEND_ONLY:
        check(name, mode, log, splits, late)


def test_joins_and_groups_are_not_recomputed() -> None:
    """What the plans of these queries say, by their first source's batches."""
    said = {}
    for name, query in QUERIES.items():
        with ProjectionHarness(A.format("", "I") + B.format("", "I") + query) as harness:
            lines = [line.strip() for line in harness.explain().splitlines()]
        said[name] = next((line for line in lines if line.startswith("a batch of a:")), "recomputed")
    assert said["inner join"] == "a batch of a: the delta rule"
    assert said["full join"] == 'a batch of a: the groups it touches by "k"'
    assert [name for name, text in said.items() if text == "recomputed"] == [
        "values of groups",
        "rollup",
        "first five",
    ]


def test_recomputes_only_while_that_is_cheaper() -> None:
    """Few keys of a larger state are changed, all of them recomputed, and a small state always."""
    program = A.format("", "I") + QUERIES["distinct values"]
    rows = [[n, f"k{n}", n % 5, "2024-01-01T00:00:00"] for n in range(2_000)]
    with ProjectionHarness(program, small=100) as harness:
        harness.feed("a", rows)
        assert harness.engine.behind
        assert len(harness.rows()) == 2_000
        harness.feed("a", rows[:20])
        assert not harness.engine.behind
        assert "2,020 rows, not recomputed now" in harness.explain()
        harness.feed("a", [[n, f"k{n % 2}", 1, "2024-01-01T00:00:00"] for n in range(900)])
        assert harness.engine.behind
    with ProjectionHarness(program, small=100_000) as harness:
        harness.feed("a", rows)
        harness.rows()
        harness.feed("a", rows[:1])
        assert harness.engine.behind
        assert "recomputed now" in harness.explain()
