"""docker-compose.yml starts what the tests run: same versions, same settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from hanse.adapters.kafka import broker

ROOT = Path(__file__).resolve().parents[3]
PLACES = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"}


def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def test_kafka_has_the_version_of_the_jars() -> None:
    assert services()["kafka"]["image"] == f"apache/kafka:{broker.VERSION}"


def test_kafka_has_the_settings_of_the_tested_broker(tmp_path: Path) -> None:
    tested = dict(line.split("=", 1) for line in broker._properties(tmp_path, 9092, 9093, {}).splitlines())
    composed = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in services()["kafka"]["environment"].items()
    }
    assert composed.keys() == tested.keys()
    assert {n: v for n, v in composed.items() if n not in PLACES} == {
        n: v for n, v in tested.items() if n not in PLACES
    }


def test_postgres_has_the_major_version_that_ci_installs() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    found = re.search(r"/usr/lib/postgresql/(\d+)/", script)
    assert found
    assert services()["postgres"]["image"] == f"postgres:{found[1]}"
