"""The server under Confluent's own Java client, as Flink's connector on Maven Central carries it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanse.adapters.kafka import broker, maven
from hanse.errors import ConfigError
from helpers.kafka_broker import absent
from helpers.live_registry import live_registry

CONNECTOR = ("org.apache.flink", "flink-sql-avro-confluent-registry", "2.1.0")
LOGGER = ("org.slf4j", "slf4j-nop", "1.7.36")
EXPECTED = """
again the same id: true
compatible: true
second version: 2
incompatible: false
why: true
refused: 409 409
versions: [1, 2]
by id: true
latest: 2 AVRO
with a reference: true
resolved: Line
referred to: 422 42206
mode: READONLY READONLY
read only: 422 42205
mode back: READWRITE
level: FULL FULL
soft: [1]
for good: [1]
unknown: 404 40401
subjects: [java-value]
"""


@pytest.fixture(scope="module")
def class_path() -> str:
    try:
        folder = maven.jars("registry-java-client", [CONNECTOR, LOGGER])
    except ConfigError as error:
        absent(str(error))
        raise
    return f"{folder}/*"


def test_each_step_of_a_java_client(class_path: str, tmp_path: Path) -> None:
    with live_registry(tmp_path) as address:
        done = subprocess.run(
            [str(broker.java()), "-cp", class_path, str(Path(__file__).parent / "JavaClient.java"), address],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert done.stdout.strip().splitlines() == EXPECTED.strip().splitlines()
