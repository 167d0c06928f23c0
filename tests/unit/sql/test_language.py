"""The dialect's round trip, positions of refusals, bounds, and the reference page."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot

from hanse.errors import UnsupportedSQL
from hanse.sql.dialect import Flink
from hanse.sql.program import compile_program
from hanse.sql.reference import page
from hanse.sql.types import TypeSyntax, parse_type

ROOT = Path(__file__).parents[3]
TEXTS = (
    "CREATE TABLE t (a INT NOT NULL, b STRING METADATA, c AS a + 1, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'x')",
    "CREATE VIEW v (x, y) AS SELECT a, b FROM t",
    "SET 'table.local-time-zone' = 'UTC'",
    "INSERT INTO s SELECT a FROM t",
    "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) AS w",
    "SELECT * FROM TABLE(SESSION(TABLE t PARTITION BY (a, b), DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
    "SELECT * FROM TABLE(HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '1' MINUTE, SIZE => INTERVAL '5' MINUTE))",
    "SELECT FLOOR(ts TO HOUR), CAST(a AS ROW<x INT, y ARRAY<STRING>>), TRY_CAST(b AS DECIMAL(10, 2)) FROM t",
    "SELECT JSON_VALUE(b, '$.x' RETURNING INT DEFAULT 0 ON EMPTY), JSON_OBJECT(KEY 'a' VALUE b ABSENT ON NULL), b IS JSON FROM t",
    "SELECT COUNT(*) FILTER(WHERE a > 1), SUM(a) OVER (PARTITION BY b ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT a FROM t JOIN u FOR SYSTEM_TIME AS OF t.ts AS r ON t.a = r.a",
    "SELECT x FROM t CROSS JOIN UNNEST(t.arr) AS q(x) WHERE a IS DISTINCT FROM b AND c NOT IN (1, 2) AND d BETWEEN 1 AND 2",
    "SELECT a, COUNT(*) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING COUNT(*) > 1 ORDER BY a DESC LIMIT 3",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_survives_parsing(text: str) -> None:
    tree = sqlglot.parse_one(text, dialect=Flink)
    again = sqlglot.parse_one(tree.sql(dialect=Flink), dialect=Flink)
    assert again == tree


@pytest.mark.parametrize(
    "text",
    [
        "INT",
        "DECIMAL(10, 2)",
        "TIMESTAMP(3)",
        "TIMESTAMP_LTZ(3)",
        "ARRAY<STRING>",
        "MAP<STRING, ARRAY<INT>>",
        "ROW<`a` INT, `b` STRING>",
    ],
)
def test_a_type_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_type(text)) == text


@pytest.mark.parametrize(
    "text", ["INTT", "MAP<INT>", "ARRAY", "DECIMAL(50, 2)", "TIMESTAMP WITH TIME ZONE", "ROW<a>", "INT)"]
)
def test_a_malformed_type_is_refused(text: str) -> None:
    with pytest.raises((TypeSyntax, IndexError)):
        parse_type(text)


def test_a_megabyte_of_text_is_refused() -> None:
    with pytest.raises(UnsupportedSQL, match="more than"):
        compile_program("SELECT 1 -- " + "x" * 1_000_000)


@pytest.mark.parametrize("depth", [300, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    with pytest.raises(UnsupportedSQL, match="nested"):
        compile_program("SELECT " + "(" * depth + "1" + ")" * depth)


def test_a_thousand_columns_are_planned() -> None:
    columns = ", ".join(f"c{n} INT" for n in range(1000))
    names = ", ".join(f"c{n} + 1 AS d{n}" for n in range(1000))
    program = compile_program(f"CREATE TABLE t ({columns}); SELECT {names} FROM t")
    assert len(program.sinks["result"].columns) == 1000


def test_the_reference_page_is_current() -> None:
    written = (ROOT / "docs/reference/sql.md").read_text()
    assert written == page(), "run: python -m hanse.sql.reference docs/reference/sql.md"
