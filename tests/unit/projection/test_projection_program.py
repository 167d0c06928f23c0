"""The composed program, and the way back from its lines to the product's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.errors import ConfigError, UnsupportedSQL
from hanse.projection.program import compose, compose_program, relocated, source_table
from helpers.projection_mesh import ProjectionMesh


@pytest.fixture
def mesh(tmp_path: Path):
    made = ProjectionMesh(tmp_path)
    yield made
    made.close()


def test_sources_sink_and_query_make_one_program(mesh: ProjectionMesh) -> None:
    product = mesh.product()
    text = compose(product, mesh.model(product))
    assert "CREATE TABLE `shop`.`sales` (\n  `sale_id` STRING,\n  `state` STRING," in text
    assert "`amount` DECIMAL(18, 2)" in text
    assert "WATERMARK FOR `sold_at` AS `sold_at`\n" in text
    assert "PRIMARY KEY (`state`) NOT ENFORCED" in text
    assert text.endswith("INSERT INTO `shop`.`report`\n" + product.sql_path.read_text())


def test_a_state_topic_has_its_key_and_a_watermark_its_delay(mesh: ProjectionMesh) -> None:
    from dataclasses import replace

    assert "PRIMARY KEY (`person_id`) NOT ENFORCED" in source_table(mesh.people)
    for delay, text in ((300_000, "'5' MINUTE"), (1_500, "'1.500' SECOND"), (86_400_000, "'1' DAY")):
        assert f"- INTERVAL {text}" in source_table(replace(mesh.sales, watermark_delay_ms=delay))


def test_metadata_columns_come_when_they_are_used(mesh: ProjectionMesh) -> None:
    sql = "SELECT sale_id, _offset FROM sales"
    assert "`_offset` BIGINT METADATA FROM 'offset' VIRTUAL" in source_table(mesh.sales, sql)
    assert "_partition" not in source_table(mesh.sales, sql)


SHAPES = [
    ("SELECT BAD", "BAD"),
    ("-- first\n\n  SELECT\n    BAD", "BAD"),
    ("CREATE VIEW v AS SELECT ';' AS x FROM sales; -- ; not here\nSELECT BAD FROM v;\n", "BAD"),
    ("CREATE VIEW v AS SELECT BAD FROM sales;\nSELECT x FROM v", "BAD"),
    ("CREATE VIEW v AS SELECT 1; SELECT a,\n BAD", "BAD"),
    ("CREATE VIEW v AS SELECT 1; SELECT a, BAD", "BAD"),
    ("INSERT INTO report SELECT BAD FROM sales", "BAD"),
    ("/* ; */ SELECT\n/* x\n y */ BAD", "BAD"),
]


@pytest.mark.parametrize(("sql", "word"), SHAPES)
def test_a_place_in_the_program_is_found_in_the_file(mesh: ProjectionMesh, sql: str, word: str) -> None:
    product = mesh.product(sql)
    program = compose_program(product, mesh.model(product))
    at = program.text.index(word)
    line = program.text.count("\n", 0, at) + 1
    column = at - program.text.rfind("\n", 0, at)
    own = sql.index(word)
    expected = (sql.count("\n", 0, own) + 1, own - sql.rfind("\n", 0, own))
    assert program.locate(line, column) == expected
    moved = relocated(UnsupportedSQL("BAD", line, column, "do not"), program, product)
    assert (moved.line, moved.column) == expected
    assert f"projection.sql, line {expected[0]}, column {expected[1]}" in str(moved)


def test_a_place_in_the_generated_part_stays(mesh: ProjectionMesh) -> None:
    product = mesh.product()
    assert compose_program(product, mesh.model(product)).locate(1, 1) is None


def test_what_is_missing_is_said_by_name(mesh: ProjectionMesh) -> None:
    def error(**changes: object) -> str:
        product = mesh.product(**changes)  # type: ignore[arg-type]
        with pytest.raises(ConfigError) as caught:
            compose(product, mesh.model(product))
        return str(caught.value)

    assert "shop.nothing" in error(inputs=("shop.nothing",))
    assert "shop.sales" in error(inputs=("shop.nothing",))
    assert "no final query" in error(sql="-- nothing\n")
    assert "no final query" in error(sql="CREATE VIEW v AS SELECT 1;")
    assert "promises no column" in error(columns=())
    mesh.sales.schema_path.write_text("{")
    assert "sale.avsc" in error()
