"""The types of contracts, as data: text, DuckDB's name, ODCS logicalType."""

import pytest

from hanse.descriptors.types import physical_type
from hanse.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "duckdb", "logical"),
    [
        ("STRING", "VARCHAR", "string"),
        ("varchar(20)", "VARCHAR", "string"),
        ("VARCHAR(MAX)", "VARCHAR", "string"),
        ("smallint", "INTEGER", "integer"),
        ("BIGINT", "BIGINT", "integer"),
        ("double precision", "DOUBLE", "number"),
        ("DECIMAL(18, 2)", "DECIMAL(18,2)", "number"),
        ("NUMERIC", "DECIMAL(10,0)", "number"),
        ("DECIMAL(5)", "DECIMAL(5,0)", "number"),
        ("TIMESTAMP(3)", "TIMESTAMP", "timestamp"),
        ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP WITH TIME ZONE", "timestamp"),
        ("TIMESTAMP_LTZ(6)", "TIMESTAMP WITH TIME ZONE", "timestamp"),
        ("DATE", "DATE", "date"),
        ("ARRAY<STRING>", "VARCHAR[]", "array"),
        ("MAP<STRING, ARRAY<INT>>", "MAP(VARCHAR, INTEGER[])", "map"),
        ("ROW<a INT, `b` DECIMAL(4,2)>", 'STRUCT("a" INTEGER, "b" DECIMAL(4,2))', "object"),
    ],
)
def test_known(text: str, duckdb: str, logical: str) -> None:
    found = physical_type(text)
    assert (found.duckdb, found.logical) == (duckdb, logical)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "JSON",
        "DECIMAL(39,0)",
        "DECIMAL(2,3)",
        "TIMESTAMP(9)",
        "ARRAY<>",
        "MAP<STRING>",
        "ROW<a INT, a INT>",
        "INT; DROP",
        "ARRAY<" * 20 + "INT" + ">" * 20,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be promised"):
        physical_type(text)
