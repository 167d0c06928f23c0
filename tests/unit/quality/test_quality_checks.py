"""Contract rules on rows: what passes, what fails and what cannot be measured."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.model.mesh import Column, Contract, QualityRule
from hanse.quality import CheckResult, checks, names, run_checks

ROWS = [
    (1, "A", "a@x.example", 1.5),
    (2, "B", "b@x.example", None),
    (3, "B", "", -2.0),
    (4, None, "nobody", 4.0),
]
COLUMNS = (
    Column("id", "integer", "BIGINT"),
    Column("kind", "string", "STRING"),
    Column("mail", "string", "STRING", classification="restricted"),
    Column("size", "number", "DOUBLE"),
)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (id BIGINT, kind VARCHAR, mail VARCHAR, size DOUBLE)")
        con.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", ROWS)
        yield con


def contract(
    *rules: tuple[str | None, dict[str, Any]],
    columns: tuple[Column, ...] = COLUMNS,
    options: dict[str, dict[str, Any]] | None = None,
    freshness_ms: int | None = None,
) -> Contract:
    properties = [
        {
            "name": c.name,
            "logicalType": c.logical_type,
            "physicalType": c.physical_type,
            **(options or {}).get(c.name, {}),
        }
        for c in columns
    ]
    quality = tuple(
        QualityRule(
            d.get("name", f"rule{i}"), d, column, "warning" if d.get("severity") == "warning" else "error"
        )
        for i, (column, d) in enumerate(rules)
    )
    document = {"schema": [{"name": "t", "properties": properties}]}
    return Contract("t", "1.0.0", Path("contract.yaml"), columns, quality, freshness_ms, document)


def check(con: duckdb.DuckDBPyConnection, column: str | None, **rule: Any) -> CheckResult:
    results = run_checks(con, "t", contract((column, rule)))
    assert results[0].passed, results[0]
    return results[-1]


LIBRARY = [
    (None, {"metric": "rowCount", "mustBe": 4}, True, "4"),
    (None, {"metric": "rowCount", "mustNotBe": 4}, False, "4"),
    (None, {"metric": "rowCount", "mustBeGreaterThan": 4}, False, "4"),
    (None, {"metric": "rowCount", "mustBeGreaterOrEqualTo": 4}, True, "4"),
    (None, {"metric": "rowCount", "mustBeLessThan": 4}, False, "4"),
    (None, {"metric": "rowCount", "mustBeLessOrEqualTo": 4}, True, "4"),
    (None, {"metric": "rowCount", "mustBeBetween": [4, 9]}, True, "4"),
    (None, {"metric": "rowCount", "mustBeBetween": [5, 9]}, False, "4"),
    (None, {"metric": "rowCount", "mustNotBeBetween": [4, 9]}, False, "4"),
    ("kind", {"metric": "nullValues", "mustBe": 0}, False, "1"),
    ("kind", {"metric": "nullValues", "mustBeLessOrEqualTo": 25, "unit": "percent"}, True, "25"),
    ("kind", {"metric": "nullValues", "mustBeLessThan": 25, "unit": "percent"}, False, "25"),
    ("mail", {"metric": "missingValues", "mustBe": 1}, True, "1"),
    (
        "mail",
        {"metric": "missingValues", "arguments": {"missingValues": [None, "", "nobody"]}, "mustBe": 2},
        True,
        "2",
    ),
    ("id", {"metric": "missingValues", "arguments": {"missingValues": [3]}, "mustBe": 0}, False, "1"),
    ("kind", {"metric": "invalidValues", "arguments": {"validValues": ["A"]}, "mustBe": 0}, False, "2"),
    ("mail", {"metric": "invalidValues", "arguments": {"pattern": "@"}, "mustBe": 2}, True, "2"),
    ("mail", {"metric": "invalidValues", "arguments": {"pattern": "^.{2}'{9}$"}, "mustBe": 4}, True, "4"),
    ("kind", {"metric": "duplicateValues", "mustBe": 0}, False, "1"),
    ("id", {"metric": "duplicateValues", "mustBe": 0}, True, "0"),
    (
        None,
        {"metric": "duplicateValues", "arguments": {"properties": ["kind", "id"]}, "mustBe": 0},
        True,
        "0",
    ),
    (None, {"type": "sql", "query": "SELECT sum(size) FROM ${table}", "mustBe": 3.5}, True, "3.5"),
    ("size", {"type": "sql", "query": "SELECT min(${column}) FROM ${object}", "mustBe": 0}, False, "-2"),
    (None, {"type": "sql", "query": "SELECT max(kind) FROM t", "mustBe": "B"}, True, "B"),
    (None, {"type": "sql", "query": "SELECT count(*) > 3 FROM t", "mustBe": True}, True, "True"),
    (None, {"type": "sql", "query": "SELECT NULL", "mustBeGreaterThan": 0}, False, "None"),
]


@pytest.mark.parametrize(("column", "rule", "passed", "got"), LIBRARY)
def test_library_and_sql(
    con: duckdb.DuckDBPyConnection, column: str | None, rule: dict[str, Any], passed: bool, got: str
) -> None:
    found = check(con, column, **rule)
    assert (found.passed, found.got) == (passed, got), found


UNMEASURABLE = [
    (None, {"metric": "rowCounts", "mustBe": 4}, "does not know the metric"),
    (None, {"metric": "nullValues", "mustBe": 0}, "belongs to a column"),
    ("kind", {"metric": "nullValues"}, "exactly one operator"),
    ("kind", {"metric": "nullValues", "mustBe": 0, "mustBeLessThan": 3}, "exactly one operator"),
    ("kind", {"metric": "nullValues", "mustBe": 0, "unit": "moons"}, "is not rows or percent"),
    ("kind", {"metric": "invalidValues", "mustBe": 0}, "nothing says which values are valid"),
    ("kind", {"metric": "invalidValues", "arguments": {"colour": 1}, "mustBe": 0}, "argument 'colour'"),
    (None, {"metric": "duplicateValues", "mustBe": 0}, "needs the argument properties"),
    (None, {"metric": "duplicateValues", "arguments": {"properties": ["x"]}, "mustBe": 0}, "no column 'x'"),
    ("mail", {"metric": "invalidValues", "arguments": {"pattern": "("}, "mustBe": 0}, "missing"),
    (None, {"type": "sql", "query": "SELECT nothing FROM t", "mustBe": 0}, "nothing"),
    (None, {"type": "sql", "query": "SELECT 1; SELECT 2", "mustBe": 1}, "must be one SELECT"),
    (None, {"type": "sql", "query": "DROP TABLE t", "mustBe": 1}, "must be one SELECT"),
    (None, {"type": "sql", "query": "", "mustBe": 1}, "no query"),
    (None, {"type": "custom", "engine": "soda", "implementation": "x: 1"}, "no quality engine 'soda'"),
    (
        None,
        {"type": "custom", "engine": "greatExpectations", "implementation": "drop table"},
        "implementation",
    ),
]


@pytest.mark.parametrize(("column", "rule", "why"), UNMEASURABLE)
def test_what_cannot_be_measured_fails_and_says_why(
    con: duckdb.DuckDBPyConnection, column: str | None, rule: dict[str, Any], why: str
) -> None:
    results = run_checks(con, "t", contract((column, rule), (None, {"metric": "rowCount", "mustBe": 4})))
    found = results[-2]
    assert (found.passed, found.got) == (False, "not measured")
    assert why in found.note
    assert results[-1].passed


def test_a_query_without_end_is_interrupted(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "QUERY_SECONDS", 0.3)
    query = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE hash(a.range, b.range) = 1"
    found = check(con, None, type="sql", query=query, mustBe=0)
    assert (found.passed, found.got) == (False, "not measured")
    assert "INTERRUPT" in found.note.upper()


def test_samples_are_masked_and_short(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("INSERT INTO t SELECT i, NULL, 'secret', i FROM range(10, 30) r(i)")
    found = check(con, "kind", metric="nullValues", mustBe=0)
    assert found.rows_failed == 21
    assert len(found.sample) == 5
    assert {row["mail"] for row in found.sample} == {"***"}
    duplicates = check(con, "mail", metric="duplicateValues", mustBe=0)
    assert len(duplicates.sample) == 5


def test_a_warning_is_told(con: duckdb.DuckDBPyConnection) -> None:
    found = check(con, None, metric="rowCount", mustBe=5, severity="warning")
    assert (found.passed, found.severity) == (False, "warning")


def test_a_text_rule_says_that_nothing_is_measured(con: duckdb.DuckDBPyConnection) -> None:
    found = check(con, None, type="text", description="We are careful.")
    assert found.passed
    assert found.note == "a promise in words: nothing is measured"


def test_the_schema_is_compared(con: duckdb.DuckDBPyConnection) -> None:
    columns = (*COLUMNS[:3], Column("size", "integer", "BIGINT"), Column("more", "string", "STRING"))
    results = run_checks(con, "t", contract((None, {"metric": "rowCount", "mustBe": 4}), columns=columns))
    assert not results[0].passed
    assert "size DOUBLE instead of BIGINT" in results[0].got
    assert "more missing instead of VARCHAR" in results[0].got
    assert (results[1].passed, results[1].note) == (False, "the columns are not those of the contract")


def test_keys_required_columns_unique_and_options_are_implied(con: duckdb.DuckDBPyConnection) -> None:
    columns = (
        Column("id", "integer", "BIGINT", required=True, primary_key=True),
        Column("kind", "string", "STRING", required=True),
        COLUMNS[2],
        COLUMNS[3],
    )
    promised = contract(
        columns=columns,
        options={
            "kind": {"unique": True, "enum": [{"value": "A"}]},
            "size": {"logicalTypeOptions": {"minimum": 0, "maximum": 4}},
            "mail": {"logicalTypeOptions": {"format": "email", "maxLength": 9}},
        },
    )
    results = {r.name: r for r in run_checks(con, "t", promised)}
    assert list(results) == list(names(promised))
    assert {n: r.got for n, r in results.items()} == {
        "schema": "the same",
        "primary_key": "0",
        "primary_key_present": "0",
        "required_columns": "1",
        "unique_kind": "1",
        "options_kind": "2",
        "options_mail": "4",
        "options_size": "1",
    }
    assert results["primary_key"].passed
    assert not results["options_size"].passed


def test_an_option_that_hanse_does_not_know_fails(con: duckdb.DuckDBPyConnection) -> None:
    promised = contract(options={"mail": {"logicalTypeOptions": {"format": "iban"}}})
    found = run_checks(con, "t", promised)[-1]
    assert (found.passed, found.got) == (False, "not measured")
    assert "iban" in found.note


@pytest.mark.parametrize(("hours", "passed"), [(1, True), (3, False)])
def test_freshness_warns(con: duckdb.DuckDBPyConnection, hours: int, passed: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    promised = contract(freshness_ms=2 * 3_600_000)
    found = run_checks(con, "t", promised, oldest=now - timedelta(hours=hours), now=now)[-1]
    assert (found.name, found.passed, found.severity) == ("freshness", passed, "warning")
    assert names(promised)[-1] == "freshness"


def test_an_empty_table(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("DELETE FROM t")
    found = check(con, "kind", metric="nullValues", mustBe=0, unit="percent")
    assert (found.passed, found.got) == (True, "0")


@pytest.mark.filterwarnings("ignore")
def test_great_expectations(con: duckdb.DuckDBPyConnection) -> None:
    between = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "size", "minValue": 0}}
    rules = [
        {"implementation": between},
        {"implementation": "type: expect_table_row_count_to_equal\nkwargs:\n  value: 4\n"},
        {"implementation": {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "none"}}},
        {"implementation": {"type": "expect_the_moon", "kwargs": {}}},
    ]
    custom = [(None, {"type": "custom", "engine": "greatExpectations", **rule}) for rule in rules]
    results = run_checks(con, "t", contract(*custom))[1:]
    assert [r.passed for r in results] == [False, True, False, False]
    assert results[0].rows_failed == 1
    assert "expect_column_values_to_be_between(column=size, min_value=0)" in results[0].expected
    assert results[1].got == "4"
    assert "expect_the_moon" in results[3].note


def test_checks_of_like_names_keep_their_own_values(con: duckdb.DuckDBPyConnection) -> None:
    """Two columns whose names differ in a sign, and a rule that is called like an implied check."""
    con.execute('CREATE TABLE signs AS SELECT -1::BIGINT AS "a-b", 1::BIGINT AS "a.b" FROM range(2)')
    columns = (Column("a-b", "integer", "BIGINT"), Column("a.b", "integer", "BIGINT"))
    positive = {"logicalTypeOptions": {"minimum": 0}}
    made = contract(
        (None, {"name": "unique_a_b", "metric": "rowCount", "mustBe": 2}),
        columns=columns,
        options={"a-b": {**positive, "unique": True}, "a.b": positive},
    )
    results = run_checks(con, "signs", made)
    assert {r.name: r.passed for r in results} == {
        "schema": True,
        "unique_a_b_2": False,
        "options_a_b": False,
        "options_a_b_2": True,
        "unique_a_b": True,
    }
    assert names(made) == tuple(r.name for r in results)
