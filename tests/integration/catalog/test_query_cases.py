"""Readers' SQL by example: every attack is refused, every honest query runs, in real confined workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from hanse.errors import QueryRefused
from hanse_catalog.sql.service import Limits, Query, QueryFailed, QueryService
from helpers.catalog_mesh import SampleMesh

CASES = Path(__file__).parent / "cases"


def _cases(name: str) -> list[str]:
    lines = (CASES / name).read_text(encoding="utf-8").splitlines()
    return [
        line.replace("\\n", "\n").replace("\\0", "\0") for line in lines if line and not line.startswith("#")
    ]


class Bench:
    """A query service on an event loop of its own."""

    def __init__(self, root: Path) -> None:
        self._runner = asyncio.Runner()
        self.mesh = SampleMesh(root)
        self.service = QueryService(self.mesh, limits=Limits(seconds=10))
        self._runner.run(self.service.start())

    def run(self, work: Callable[[QueryService], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            return await work(self.service)

        return self._runner.run(main())

    def json(self, sql: str, **query: Any) -> dict[str, Any]:
        async def work(service: QueryService) -> bytes:
            return await (await service.open(Query(sql, **query))).read()

        return orjson.loads(self.run(work))

    def close(self) -> None:
        self._runner.run(self.service.close())
        self._runner.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("mesh"))
    yield bench
    bench.close()


@pytest.mark.parametrize("sql", _cases("legit.sql"))
def test_an_honest_query_runs(bench: Bench, sql: str) -> None:
    answer = bench.json(sql)
    assert answer["row_count"] == len(answer["rows"]) > 0


@pytest.mark.parametrize("sql", _cases("attacks.sql"))
def test_an_attack_is_refused_before_it_runs(bench: Bench, sql: str) -> None:
    before = bench.service.pool.replaced
    with pytest.raises(QueryRefused):
        bench.json(sql)
    assert bench.service.pool.replaced == before, "a worker died of it"


def test_a_pivot_without_values_finds_them(bench: Bench) -> None:
    sql = "PIVOT (SELECT * FROM (VALUES (1, 2020, 5), (1, 2021, 6), (2, 2020, 7)) t(k, y, v)) ON y USING sum(v) GROUP BY k ORDER BY k"
    rows = bench.json(sql)["rows"]
    assert rows == [{"k": 1, "2020": 5, "2021": 6}, {"k": 2, "2020": 7, "2021": None}]


def test_values_of_a_pivot_are_text_and_nothing_more(bench: Bench) -> None:
    evil = "x''); SELECT * FROM duckdb_views; --"
    sql = f"PIVOT (SELECT '{evil}' AS k, 1 AS v) ON k USING sum(v)"
    assert list(bench.json(sql)["rows"][0]) == [evil.replace("''", "'")]


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("340282366920938463463374607431768211455::UHUGEINT", "340282366920938463463374607431768211455"),
        ("170141183460469231731687303715884105727::HUGEINT", 170141183460469231731687303715884105727),
        ("INTERVAL '1 year 2 days'", "1 year 2 days"),
        ("'101'::BIT", "101"),
        ("TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "2020-01-01T00:00:00.123456789"),
        ("DATE '20000-01-01'", "20000-01-01"),
        ("TIMESTAMPTZ '2020-01-01 10:00:00+02'", "2020-01-01T08:00:00+00:00"),
        ("'nan'::DOUBLE", "nan"),
        ("'\\xFF'::BLOB", "/w=="),
        ("MAP {'a': 1}", {"a": 1}),
        ("1::BOOLEAN", True),
    ],
)
def test_values_of_every_kind_are_shown_exactly(bench: Bench, expression: str, shown: Any) -> None:
    import json

    async def work(service: QueryService) -> bytes:
        return await (await service.open(Query(f"SELECT {expression} AS v"))).read()

    assert json.loads(bench.run(work))["rows"] == [{"v": shown}]


@pytest.mark.parametrize("form", ["json", "csv", "arrow", "parquet"])
def test_odd_values_never_break_a_worker(bench: Bench, form: str) -> None:
    odd = [
        "'infinity'::TIMESTAMP",
        "DATE '99999-01-01'",
        "{'d': DATE '99999-01-01'}",
        "union_value(a := 1)",
        "to_years(9999)",
    ]
    for expression in odd:
        try:
            bench.run(lambda service, e=expression: _read(service, Query(f"SELECT {e} AS v", format=form)))
        except QueryFailed as error:
            assert error.kind == "query", expression


async def _read(service: QueryService, query: Query) -> bytes:
    return await (await service.open(query)).read()
