"""`hanse check --log` over Apache Kafka: topics that an operator changed are findings that say how to mend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.ports.event_log import TopicSpec
from helpers.reference_mesh import copy_mesh

pytestmark = pytest.mark.kafka


def check(root: Path, log: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "hanse", "check", "--log", "--select", "OPS007", "--format", "json"],
        cwd=root,
        env=os.environ | {"HANSE_LOG": log},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


def test_each_setting_that_differs_is_found(kafka_address: str, tmp_path: Path) -> None:
    root = copy_mesh(tmp_path / "mesh")
    domain = f"d{uuid.uuid4().hex[:8]}"
    folder = root / "domains" / domain
    (folder / "events").mkdir(parents=True)
    (folder / "events" / "e.avsc").write_text(
        '{"type": "record", "name": "E", "fields": [{"name": "id", "type": "string"}]}'
    )
    (folder / "domain.yaml").write_text(
        f"domain: {domain}\npurpose: Drifts.\nteam: {{name: T, email: t@example.org, support: '#t'}}\n"
        "topics:\n"
        "  made: {schema: events/e.avsc, key: [id], partitions: 2, retention: P1D}\n"
        "  carried: {schema: events/e.avsc, kind: state, key: [id], partitions: 2}\n"
        "  unmade: {schema: events/e.avsc, key: [id]}\n"
    )
    log = KafkaLog(kafka_settings(kafka_address))
    log.create_topic(TopicSpec(f"{domain}.made", partitions=3, retention_ms=3_600_000))
    log.create_topic(TopicSpec(f"{domain}.carried", partitions=2))
    log.close()
    code, found = check(root, kafka_address)
    assert code == 1
    assert [(f["subject"].partition(".")[2], f["what"].split(" of ")[0], f["line"]) for f in found] == [
        ("made", "partitions", 5),
        ("made", "retention (ms)", 5),
        ("carried", "cleanup", 6),
    ]
    assert "is declared as 2 and is 3 in the log" in found[0]["what"]
    assert found[1]["fix"] == "set retention.ms of the topic to 86400000, or declare 3600000"


def test_a_log_that_does_not_answer_is_no_finding(tmp_path: Path) -> None:
    root = copy_mesh(tmp_path / "mesh")
    done = subprocess.run(
        [sys.executable, "-m", "hanse", "check", "--log"],
        cwd=root,
        env=os.environ | {"HANSE_LOG": "kafka://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "error:" in done.stderr
