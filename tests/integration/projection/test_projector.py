"""The projector on a real log, registry, engine and DuckDB file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.errors import ConfigError, HistoryLost, ProjectionError, UnsupportedSQL
from hanse.ports.event_log import OffsetRange, Record, TopicSpec
from hanse.projection import Projector
from hanse.projection.dead_letters import letters, replay
from helpers.projection_mesh import ProjectionMesh, person, sale


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[ProjectionMesh]:
    made = ProjectionMesh(tmp_path)
    yield made
    made.close()


def table(projector: Projector) -> list[tuple[Any, ...]]:
    output = projector.engine.output("shop.report")
    assert output is not None
    return sorted(projector.con.execute(f"SELECT * FROM {output}").fetchall(), key=repr)


def test_events_become_state_and_a_second_run_reads_only_what_is_new(mesh: ProjectionMesh) -> None:
    projector = mesh.projector(mesh.product())
    mesh.log.produce(
        "shop.sales", [mesh.record(mesh.sales, sale(i, "SP" if i % 2 else "RJ")) for i in range(10)]
    )
    report = projector.run_to_head()
    assert (report.records, report.applied, report.poison) == (10, 10, 0)
    assert table(projector) == [("RJ", 5, Decimal("50.00")), ("SP", 5, Decimal("50.00"))]
    assert projector.lag().records == 0
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(10, "MG", "1.50"))])
    assert projector.lag().records == 1
    assert projector.run_to_head().records == 1
    assert ("MG", 1, Decimal("1.50")) in table(projector)
    assert projector.run_to_head().batches == 0


def test_state_topics_keep_the_latest_row_and_tombstones_delete(mesh: ProjectionMesh) -> None:
    product = mesh.product(
        "SELECT state, COUNT(*) AS people FROM people GROUP BY state",
        (("state", "STRING"), ("people", "BIGINT")),
        inputs=("shop.people",),
    )
    projector = mesh.projector(product)
    mesh.log.produce("shop.people", [mesh.record(mesh.people, person(f"p{i}", "SP")) for i in range(5)])
    mesh.log.produce(
        "shop.people",
        [
            mesh.record(mesh.people, person("p0", "RJ")),
            Record(None, b"p1"),
            mesh.record(mesh.people, person("p2", "RJ")),
            Record(None, b"p2"),
            Record(None, b"never-there"),
        ],
    )
    projector.run_to_head(max_batch=3)
    assert table(projector) == [("RJ", 1), ("SP", 2)]


def test_a_relay_that_sends_again_changes_no_sum(mesh: ProjectionMesh) -> None:
    projector = mesh.projector(mesh.product())
    batch = [mesh.record(mesh.sales, sale(i), position=i) for i in range(1, 41)]
    mesh.log.produce("shop.sales", batch)
    mesh.log.produce("shop.sales", batch[20:])
    projector.run_to_head(max_batch=7)
    mesh.log.produce("shop.sales", batch[30:])
    report = projector.run_to_head()
    assert report.duplicates_dropped == 10
    assert table(projector) == [("SP", 40, Decimal("400.00"))]


def test_unreadable_records_are_set_aside_and_the_rest_goes_on(mesh: ProjectionMesh) -> None:
    projector = mesh.projector(mesh.product())
    good = [mesh.record(mesh.sales, sale(i)) for i in range(6)]
    bad = [
        Record(b"garbage", b"k", (("ce_id", b"1"), ("traceparent", b"t"))),
        Record(b"\x00\x00\x00\xff\xffxx", b"k"),
        Record(good[0].value, b"another-key"),
        Record(None, b"k"),
    ]
    mesh.log.produce("shop.sales", [good[0], *bad[:2], *good[1:], *bad[2:]])
    report = projector.run_to_head()
    assert (report.records, report.applied, report.poison) == (10, 6, 4)
    assert table(projector) == [("SP", 6, Decimal("60.00"))]
    found = list(letters(mesh.log, "shop.sales"))
    assert {letter.value for letter in found} == {b"garbage", b"\x00\x00\x00\xff\xffxx", good[0].value, None}
    first = next(letter for letter in found if letter.value == b"garbage")
    assert (first.topic, first.key, first.product) == ("shop.sales", b"k", "shop.report")
    assert first.headers == (("ce_id", b"1"), ("traceparent", b"t"))
    assert first.reason == "the value has no Confluent frame"
    origin = mesh.log.read("shop.sales", {first.partition: first.offset}, max_records=1).rows
    assert origin.column("value")[0].as_py() == b"garbage"


def test_dead_letters_are_shown_once_whoever_sent_them(mesh: ProjectionMesh) -> None:
    mesh.log.produce("shop.sales", [Record(b"garbage", b"k")])
    for _ in range(3):
        mesh.projector(mesh.product(), duckdb.connect()).run_to_head()
    assert len(list(letters(mesh.log, "shop.sales"))) == 1


def test_a_replayed_record_counts_once(mesh: ProjectionMesh) -> None:
    projector = mesh.projector(mesh.product())
    record = mesh.record(mesh.sales, sale(1), position=5)
    mesh.log.produce("shop.sales", [Record(record.value, b"wrong", record.headers, partition=0)])
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(2), position=9)])
    projector.run_to_head()
    (letter,) = letters(mesh.log, "shop.sales")
    from dataclasses import replace

    mended = replace(letter, key=b"s1")
    assert replay(mesh.log, [mended]) == 1
    assert replay(mesh.log, [mended]) == 1
    projector.run_to_head()
    assert table(projector) == [("SP", 2, Decimal("20.00"))]


def test_a_threshold_stops_the_product_instead(mesh: ProjectionMesh) -> None:
    projector = mesh.projector(mesh.product(deadLetterThreshold=1))
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(1)), Record(b"bad", b"k")])
    assert projector.run_to_head().poison == 1
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(2)), Record(b"bad", b"k")])
    with pytest.raises(ProjectionError, match="deadLetterThreshold"):
        projector.run_to_head()
    assert table(projector) == [("SP", 1, Decimal("10.00"))]
    with pytest.raises(ConfigError, match="deadLetterThreshold"):
        mesh.projector(mesh.product(deadLetterThreshold="many"), duckdb.connect())


def test_a_topic_that_was_made_again_stops_with_a_choice(mesh: ProjectionMesh) -> None:
    projector = mesh.projector(mesh.product())
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(1))])
    projector.run_to_head()
    mesh.log.delete_topic("shop.sales")
    with pytest.raises(HistoryLost, match="gone"):
        projector.run_to_head()
    mesh.log.create_topic(TopicSpec("shop.sales", 3))
    with pytest.raises(HistoryLost, match="hanse product rebuild"):
        projector.run_to_head()
    assert table(projector) == [("SP", 1, Decimal("10.00"))]


def test_a_topic_that_nobody_wrote_yet_is_empty(mesh: ProjectionMesh) -> None:
    mesh.log.delete_topic("shop.sales")
    projector = mesh.projector(mesh.product())
    assert projector.run_to_head().records == 0
    assert projector.lag().records == 0


def test_another_program_on_the_same_state_asks_for_a_rebuild(mesh: ProjectionMesh) -> None:
    con = duckdb.connect(str(mesh.root / "state.duckdb"))
    mesh.projector(mesh.product(), con)
    mesh.projector(mesh.product(), con)
    with pytest.raises(ConfigError, match="rebuild"):
        mesh.projector(
            mesh.product("SELECT state, COUNT(*) AS sales, MAX(amount) AS total FROM sales GROUP BY state"),
            con,
        )


def test_a_refusal_names_the_place_in_the_products_file(mesh: ProjectionMesh) -> None:
    sql = "-- by state\nSELECT state, COUNT(*) AS sales,\n       RAND() AS total\nFROM sales GROUP BY state"
    con = duckdb.connect()
    with pytest.raises(UnsupportedSQL) as caught:
        mesh.projector(mesh.product(sql), con)
    assert caught.value.line == 3
    assert "projection.sql" in str(caught.value)
    mesh.projector(mesh.product(), con)  # a refused program claims nothing


def test_metadata_columns_and_views(mesh: ProjectionMesh) -> None:
    view = "CREATE VIEW v AS SELECT sale_id, _partition AS p, _offset AS o FROM sales;\n"
    sql = view + "SELECT sale_id, p, o FROM v"
    columns = (("sale_id", "STRING"), ("p", "INT"), ("o", "BIGINT"))
    projector = mesh.projector(mesh.product(sql, columns, key=()))
    placed = mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(i)) for i in range(9)])
    projector.run_to_head(max_batch=4)
    changes = projector.engine.changes("shop.report")
    rows = projector.con.execute(f"SELECT sale_id, p, o FROM {changes}").fetchall()
    assert sorted(rows) == sorted((f"s{i}", p, o) for i, (p, o) in enumerate(placed))


@pytest.mark.parametrize("seed", range(6))
def test_any_batch_size_gives_what_one_batch_gives(mesh: ProjectionMesh, seed: int) -> None:
    r = random.Random(seed)
    product = mesh.product(
        "SELECT window_start, state, COUNT(*) AS sales, SUM(amount) AS total\n"
        "FROM TABLE(TUMBLE(TABLE sales, DESCRIPTOR(sold_at), INTERVAL '10' MINUTE))\n"
        "GROUP BY window_start, window_end, state",
        (
            ("window_start", "TIMESTAMP(3)"),
            ("state", "STRING"),
            ("sales", "BIGINT"),
            ("total", "DECIMAL(38, 2)"),
        ),
        key=("window_start", "state"),
    )
    values = [
        sale(i, r.choice(["SP", "RJ"]), f"{r.randint(1, 999) / 100:.2f}", r.randint(0, 60)) for i in range(60)
    ]
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, v, position=i) for i, v in enumerate(values)])
    whole = mesh.projector(product, duckdb.connect())
    whole.run_to_head()
    parts = mesh.projector(product, duckdb.connect())
    parts.run_to_head(max_batch=r.randint(1, 20))
    assert table(parts) == table(whole)
    expected = sum((v["amount"] for v in values), Decimal(0))
    assert sum(row[3] for row in table(parts)) == expected


def test_a_topic_of_plain_json_that_hanse_does_not_own(mesh: ProjectionMesh) -> None:
    import json

    from hanse.model.mesh import Topic

    schema = {
        "type": "object",
        "required": ["id", "at"],
        "properties": {
            "id": {"type": "string"},
            "n": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
        },
    }
    path = mesh.root / "clicks.schema.json"
    path.write_text(json.dumps(schema))
    mesh.topics = (*mesh.topics, Topic("shop", "clicks", path, ("id",), event_time="at"))
    mesh.log.create_topic(TopicSpec("shop.clicks", 2))
    values = [b'{"id":"k%d","n":%d,"at":"2026-01-01T00:00:00Z"}' % (i, i) for i in range(20)]
    records = [Record(v, None, (("content-type", b"application/json"),)) for v in values]
    mesh.log.produce("shop.clicks", [*records, Record(values[0] + values[1], None), Record(b"", None)])
    sql = "SELECT COUNT(*) AS clicks, SUM(n) AS n, MAX(at) AS latest, 'all' AS what FROM clicks"
    columns = (("clicks", "BIGINT"), ("n", "BIGINT"), ("latest", "TIMESTAMP(6)"), ("what", "STRING"))
    projector = mesh.projector(mesh.product(sql, columns, key=("what",), inputs=("shop.clicks",)))
    report = projector.run_to_head()
    assert (report.applied, report.poison) == (20, 2)
    assert table(projector)[0][:2] == (20, 190)


def test_an_expression_that_fails_stops_plainly_and_leaves_the_state(mesh: ProjectionMesh) -> None:
    sql = "SELECT sale_id, CAST(state AS INT) AS n FROM sales"
    projector = mesh.projector(mesh.product(sql, (("sale_id", "STRING"), ("n", "INT")), key=("sale_id",)))
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(1, "7"))])
    projector.run_to_head()
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(2, "SP"))])
    with pytest.raises(ProjectionError, match="shop.report fails on a batch of shop.sales") as caught:
        projector.run_to_head()
    assert "projection.sql" in str(caught.value)
    assert table(projector) == [("s1", 7)]
    assert projector.lag().records == 1


class FullDisk:
    """A connection whose next COMMIT finds the disk full; DuckDB has then rolled back."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.con, name)

    def execute(self, query: str, *more: Any) -> Any:
        if query == "COMMIT" and self.full:
            self.full = False
            self.con.execute("ROLLBACK")
            raise duckdb.IOException("Could not write: No space left on device")
        return self.con.execute(query, *more)


def test_a_commit_that_fails_is_told_as_it_was_and_tried_again(mesh: ProjectionMesh) -> None:
    mesh.log.produce("shop.sales", [mesh.record(mesh.sales, sale(i)) for i in range(5)])
    con = FullDisk(duckdb.connect())
    projector = mesh.projector(mesh.product(), con)  # type: ignore[arg-type]
    con.full = True
    with pytest.raises(ProjectionError, match="No space left") as caught:
        projector.run_to_head()
    assert "free the disk" in str(caught.value)
    assert projector.run_to_head().applied == 5


class ShortLog:
    """The log, with its first records gone."""

    def __init__(self, log: Any, low: int) -> None:
        self.log = log
        self.low = low

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)

    def ranges(self, topic: str) -> dict[int, OffsetRange]:
        return {p: OffsetRange(min(self.low, r.high), r.high) for p, r in self.log.ranges(topic).items()}


def test_records_that_are_gone_before_they_were_read_stop_the_product(mesh: ProjectionMesh) -> None:
    records = [mesh.record(mesh.sales, sale(i)) for i in range(30)]
    mesh.log.produce("shop.sales", records)
    whole = mesh.log
    mesh.log = ShortLog(whole, 3)  # type: ignore[assignment]
    with pytest.raises(HistoryLost, match="first records"):
        mesh.projector(mesh.product(), duckdb.connect()).run_to_head()
    partial = mesh.projector(mesh.product(), duckdb.connect(), partial_history=True)
    assert partial.run_to_head().applied == sum(r.high - 3 for r in mesh.log.ranges("shop.sales").values())
    mesh.log = whole
    con = duckdb.connect()
    mesh.projector(mesh.product(), con).run_to_head()
    mesh.log.produce("shop.sales", records)
    mesh.log = ShortLog(whole, 19)  # type: ignore[assignment]
    with pytest.raises(HistoryLost, match="still to be read"):
        mesh.projector(mesh.product(), con).run_to_head()
    mesh.log = whole


def test_two_topics_are_joined_whatever_the_batches(mesh: ProjectionMesh) -> None:
    sql = (
        "SELECT p.person_id, p.state, COUNT(*) AS sales, SUM(s.amount) AS total\n"
        "FROM people AS p JOIN sales AS s ON s.state = p.state\n"
        "GROUP BY p.person_id, p.state"
    )
    columns = (("person_id", "STRING"), ("state", "STRING"), ("sales", "BIGINT"), ("total", "DECIMAL(38, 2)"))
    product = mesh.product(sql, columns, key=("person_id", "state"), inputs=("shop.people", "shop.sales"))
    mesh.log.produce("shop.people", [mesh.record(mesh.people, person(f"p{i}", "SP")) for i in range(4)])
    mesh.log.produce(
        "shop.sales", [mesh.record(mesh.sales, sale(i, "SP" if i % 2 else "RJ")) for i in range(10)]
    )
    mesh.log.produce("shop.people", [mesh.record(mesh.people, person("p0", "RJ")), Record(None, b"p1")])
    seen: list[tuple[int, int]] = []
    projector = mesh.projector(product)
    projector.run_to_head(lambda done, total: seen.append((done, total)), max_batch=3)
    assert seen[-1] == (16, 16)
    fifty = Decimal("50.00")
    assert table(projector) == [("p0", "RJ", 5, fifty), ("p2", "SP", 5, fifty), ("p3", "SP", 5, fifty)]
