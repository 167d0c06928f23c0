"""One state, one sentence: the worst finding wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hanse_catalog.health import ago, assess, duration
from hanse_catalog.lineage import Lineage
from hanse_catalog.search import SearchIndex
from hanse_catalog.view import Check, Lag, Snapshot
from helpers.catalog_mesh import SampleMesh

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = Snapshot("1", NOW, 1, "published", 10, 10, "1", (Check("a", True),))
BAD = Snapshot("2", NOW, 2, "rejected", 10, 10, "1", (Check("a", False),))
WARNED = replace(GOOD, checks=(Check("a", True), Check("b", False, "warning")))


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> SampleMesh:
    return SampleMesh(tmp_path_factory.mktemp("mesh"))


@pytest.mark.parametrize(
    ("history", "lag", "state", "says"),
    [
        ([], None, "unknown", "nothing to query"),
        ([GOOD], Lag(0, 0.0), "met", "Every promise holds"),
        ([GOOD], Lag(5, 60.0), "met", "1 min behind"),
        ([GOOD], Lag(5, 500.0), "at risk", "getting late"),
        ([GOOD], Lag(5, 3_600.0), "broken", "late: 1 h behind"),
        ([BAD, GOOD], Lag(0, 0.0), "at risk", "Readers stay on snapshot 1"),
        ([BAD, GOOD], Lag(9, 9_000.0), "broken", "late"),
        ([WARNED], Lag(0, 0.0), "at risk", "1 of 2 checks warn"),
        ([BAD], None, "at risk", "Not published yet"),
    ],
)
def test_the_worst_wins(
    mesh: SampleMesh, history: list[Snapshot], lag: Lag | None, state: str, says: str
) -> None:
    product = next(p for p in mesh.products() if p.full_name == "orders.orders")
    health = assess(product, history, lag)
    assert health.state == state
    assert says in health.sentence


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (0, "0 s"),
        (0.4, "under a second"),
        (59, "59 s"),
        (90, "1 min 30 s"),
        (3_600, "1 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_lengths_of_time(seconds: float, wanted: str) -> None:
    assert duration(seconds) == wanted


def test_how_long_ago() -> None:
    assert ago(NOW - timedelta(seconds=5), NOW) == "just now"
    assert ago(NOW - timedelta(hours=3), NOW) == "3 h ago"


def test_lineage_grows_by_steps(mesh: SampleMesh) -> None:
    lineage = Lineage(mesh.products())
    one = lineage.around("orders.orders_by_state")
    two = lineage.around("orders.orders_by_state", 2)
    assert {n.name for n in one.nodes} == {"orders.orders_by_state", "orders.orders"}
    assert {n.name for n in two.nodes} == {"orders.orders_by_state", "orders.orders", "orders.order_placed"}
    assert two.edges == (
        ("orders.order_placed", "orders.orders"),
        ("orders.orders", "orders.orders_by_state"),
    )
    assert len({(n.x, n.y) for n in two.nodes}) == 3


def test_search_is_fast_over_a_large_mesh(mesh: SampleMesh) -> None:
    import time

    seed = mesh.products()[2]
    many = tuple(replace(seed, name=f"product_{n}", purpose=f"purpose {n}") for n in range(1_000))
    index = SearchIndex(mesh.domains(), many)
    index.search("warm")
    times = []
    for text in ("product_77", "custmer", "delivery da", "puprose 9", "zzz"):
        start = time.process_time()
        found = index.search(text)
        times.append(time.process_time() - start)
        assert found.hits or text == "zzz"
    index.close()
    assert sorted(times)[2] < 0.05


@pytest.mark.parametrize(
    "text", ['"', "a OR b", "NEAR(a b)", "x*", "^", "a:b", "'; DROP", "-", "é" * 300, "\0"]
)
def test_search_takes_any_text(mesh: SampleMesh, text: str, tmp_path: Path) -> None:
    index = SearchIndex(mesh.domains(), mesh.products())
    index.search(text)
    index.close()
