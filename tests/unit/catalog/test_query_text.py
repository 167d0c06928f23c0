"""The reader's text before any parser: parameters and bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.errors import QueryRefused
from hanse_catalog.sql.pivot import find_pivot
from hanse_catalog.sql.text import parameters_of, prepare, tokens


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT :a", "SELECT $a"),
        ("WHERE x=:a AND y IN (:b,:c)", "WHERE x=$a AND y IN ($b,$c)"),
        ("SELECT a::INTEGER, b :: TEXT", "SELECT a::INTEGER, b :: TEXT"),
        ("SELECT l[1:n], l[:n], {'a':b}", "SELECT l[1:n], l[:n], {'a':b}"),
        ("SELECT total:sum(x)", "SELECT total:sum(x)"),
        (
            "SELECT ':a', \":b\", $$:c$$ -- :d\n, /* :e */ :f",
            "SELECT ':a', \":b\", $$:c$$ -- :d\n, /* :e */ $f",
        ),
        ("struct_pack(a := 1)", "struct_pack(a := 1)"),
    ],
)
def test_named_parameters(sql: str, wanted: str) -> None:
    assert prepare(sql) == wanted


def test_parameters_are_named_once_in_order() -> None:
    assert parameters_of("SELECT :b, :a, $b, $$x$$") == ["b", "a"]


@pytest.mark.parametrize(
    "sql", ["", "  ", "SELECT 'x", 'SELECT "x', "/* x", "$$ x", "x\0", "((" * 40, "x" * 70_000]
)
def test_hopeless_texts_are_refused(sql: str) -> None:
    with pytest.raises(QueryRefused):
        prepare(sql)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(list("ab1 ':\"$-/*()[]{}\n,;=éE\\")), max_size=40))
def test_pieces_lose_nothing(sql: str) -> None:
    try:
        pieces = list(tokens(sql))
    except QueryRefused:
        return
    assert "".join(piece.text for piece in pieces) == sql


def test_a_pivot_is_cut_around_what_has_no_values() -> None:
    pivot = find_pivot("WITH s AS (SELECT 1) PIVOT s ON a, b IN ('x') USING sum(c) GROUP BY d;")
    assert pivot is not None
    assert pivot.values_queries() == [
        "WITH s AS (SELECT 1)  SELECT DISTINCT (a)::VARCHAR FROM s WHERE (a) IS NOT NULL ORDER BY 1 LIMIT 201"
    ]
    assert pivot.with_values([["p", "it's"]]).endswith(
        "ON a IN ('p', 'it''s'), b IN ('x') USING sum(c) GROUP BY d"
    )
    with pytest.raises(QueryRefused):
        pivot.with_values([["v"] * 201])


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "SELECT pivot FROM t", "PIVOT t ON a IN (1) USING sum(b)", "PIVOT t"]
)
def test_other_texts_have_no_pivot(sql: str) -> None:
    assert find_pivot(sql) is None
