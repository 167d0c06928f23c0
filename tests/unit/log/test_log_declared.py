"""Topics that exist with other settings than their domain declares are reported, all of them."""

from __future__ import annotations

from pathlib import Path

from hanse.adapters.sqlite_log import SqliteLog
from hanse.log.declared import drifts, spec_of
from hanse.model.mesh import Domain, MeshModel, Team, Topic
from hanse.ports.event_log import TopicSpec


def test_drift_names_the_topic_and_both_sides(tmp_path: Path) -> None:
    placed = Topic("orders", "placed", tmp_path, ("id",), partitions=4)
    state = Topic("orders", "state", tmp_path, ("id",), kind="state", partitions=2)
    unmade = Topic("orders", "unmade", tmp_path, ("id",))
    domain = Domain("orders", tmp_path / "orders", Team("Orders"), topics=(placed, state, unmade))
    model = MeshModel(tmp_path, (domain,), ())
    log = SqliteLog(tmp_path / "log.db")
    log.create_topic(spec_of(placed))
    log.create_topic(TopicSpec("orders.state", partitions=2))
    log.create_topic(TopicSpec("foreign.topic"))
    (found,) = drifts(log, model)
    log.close()
    assert "orders.state" in found.what
    assert found.where == str(tmp_path / "orders" / "domain.yaml")
    assert "cleanup compact" in str(found.expected)
    assert "cleanup delete" in str(found.got)
