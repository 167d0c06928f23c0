"""The address of Apache Kafka, its options, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hanse.adapters.kafka import broker
from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.errors import ConfigError, LogError
from hanse.ports.event_log import Record


def test_options_come_from_address_and_variables() -> None:
    settings = kafka_settings(
        "kafka://one:9092,two.example:9093?security.protocol=SASL_SSL&sasl.username=me",
        {"HANSE_KAFKA_SASL_PASSWORD": "secret", "HANSE_KAFKA_SASL_USERNAME": "you", "HANSE_LOG": "x"},
    )
    assert settings.servers == "one:9092,two.example:9093"
    assert settings.options == {
        "security.protocol": "SASL_SSL",
        "sasl.username": "you",
        "sasl.password": "secret",
    }
    client = settings.client(group_id="g")
    assert client["bootstrap.servers"] == "one:9092,two.example:9093"
    assert (client["group.id"], client["sasl.password"]) == ("g", "secret")


@pytest.mark.parametrize(
    "address",
    [
        "kafka://",
        "kafka://host",
        "kafka://host:0",
        "kafka://host:99999",
        "kafka://a:1,:2",
        "kafka://a:1/path",
    ],
)
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="address of Apache Kafka"):
        kafka_settings(address, {})


def test_a_refused_address_shows_no_password() -> None:
    with pytest.raises(ConfigError) as caught:
        kafka_settings("kafka://host?sasl.password=hunter2", {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", ["enable.idempotence=false", "acks=0", "auto.offset.reset=latest"])
def test_options_that_break_guarantees_are_refused(option: str) -> None:
    with pytest.raises(ConfigError, match="guarantees"):
        kafka_settings(f"kafka://host:9092?{option}", {})


@pytest.mark.parametrize(
    ("options", "reader"),
    [
        ("", "columnar"),
        ("?reader=confluent", "confluent"),
        ("?security.protocol=SASL_SSL&sasl.mechanisms=SCRAM-SHA-512&sasl.username=a", "columnar"),
        ("?security.protocol=SASL_SSL&sasl.mechanisms=OAUTHBEARER", "confluent"),
        ("?security.protocol=SSL&ssl.keystore.location=k.p12", "confluent"),
    ],
)
def test_the_columnar_reader_is_taken_where_it_knows_every_option(options: str, reader: str) -> None:
    settings = kafka_settings(f"kafka://host:9092{options}", {})
    assert settings.reader == reader
    assert "reader" not in settings.options


@pytest.mark.parametrize("options", ["reader=other", "reader=columnar&sasl.mechanisms=GSSAPI"])
def test_a_reader_that_cannot_be_is_refused(options: str) -> None:
    with pytest.raises(ConfigError, match="reader"):
        kafka_settings(f"kafka://host:9092?{options}", {})


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigError, match="not accepted") as caught:
        KafkaLog(kafka_settings("kafka://127.0.0.1:1?no.such.option=1", {}))
    assert "no.such.option" in str(caught.value)


def test_a_broker_that_is_not_there_fills_no_screen() -> None:
    code = (
        "from hanse.adapters.kafka import log\nfrom hanse.adapters.kafka.settings import kafka_settings\n"
        "from hanse.errors import LogError\nlog._REQUEST_S = 0.5\n"
        "try:\n    log.KafkaLog(kafka_settings('kafka://127.0.0.1:1', {})).topics()\n"
        "except LogError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_a_broker_that_is_not_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hanse.adapters.kafka.log._REQUEST_S", 0.5)
    log = KafkaLog(kafka_settings("kafka://127.0.0.1:1", {}))
    with pytest.raises(LogError, match="does not answer"):
        log.topics()
    with pytest.raises(LogError, match="does not answer"):
        log.produce("a.t", [Record(b"x")])
    log.close()


def test_a_java_that_is_too_old_or_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(broker, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="Java 17") as caught:
        broker.java()
    assert "version 11" in str(caught.value)


def test_jars_need_maven_the_first_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANSE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="Maven"):
        broker.jars()
    broken = tmp_path / "bin" / "mvn"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'cannot resolve'\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:/bin:/usr/bin")
    with pytest.raises(ConfigError, match="could not bring") as caught:
        broker.jars()
    assert "cannot resolve" in str(caught.value)


def test_a_stale_state_file_is_no_running_broker(tmp_path: Path) -> None:
    (tmp_path / "broker.json").write_text(f'{{"pid": 1, "port": 9, "folder": "{tmp_path}"}}')
    assert broker.status(tmp_path) is None
    assert broker.stop(tmp_path) is False
    (tmp_path / "broker.json").write_text("[]")
    with pytest.raises(LogError, match="damaged"):
        broker.status(tmp_path)
