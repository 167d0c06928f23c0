"""Products over topics that others write: sampled, declared, run; on the embedded log and on Apache Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.dead_letter import app as dead_letters
from hanse.cli.product import app
from hanse.errors import HanseError
from hanse.ports.event_log import Record, TopicSpec
from hanse.ports.schema_registry import SchemaRegistry
from hanse.projection.dead_letters import letters
from hanse.publish.reader import Reader
from hanse.registry.client import RegistryClient
from hanse.runtime import run_product
from hanse_governance.runner import check_mesh
from helpers.foreign_topics import (
    BY_STATE,
    CONNECT_FIELDS,
    VALUE,
    changes,
    debezium_avro,
    debezium_json,
    framed,
    person,
    upserts,
    wrapped,
)
from helpers.live_registry import live_registry

PRODUCT = "crm/customers_by_state"


@pytest.fixture(scope="module")
def registry_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "kafka":
        monkeypatch.setenv("HANSE_LOG", request.getfixturevalue("kafka_address"))
    (tmp_path / "hanse.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def topic() -> str:
    return f"dbserver1.shop{uuid.uuid4().hex[:8]}.Customers"


def write(topic: str, records: list[Record], cleanup: Any = "delete") -> None:
    with Mesh.open() as mesh:
        mesh.log.create_topic(TopicSpec(topic, 2, cleanup))
        mesh.log.produce(topic, records)


def new(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["new", PRODUCT, *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def checked(root: Path) -> list[str]:
    return [f"{f.code} {f.what}" for f in check_mesh(root).findings]


def run() -> tuple[Any, set[tuple[Any, ...]]]:
    with Mesh.open() as mesh:
        done = run_product(mesh, "crm.customers_by_state")
        if done.rejected:
            raise done.rejected
        scan = Reader(mesh.settings).scan("crm.customers_by_state")
        return done, set(duckdb.connect().execute(scan.sql).fetchall())


def declaration(root: Path) -> Any:
    import yaml

    return yaml.safe_load((root / "domains/crm/domain.yaml").read_text())["topics"]["customers"]


def test_debezium_in_json_is_applied_and_the_rerun_changes_nothing(root: Path, topic: str) -> None:
    records = debezium_json()
    write(topic, [*records[:20], Record(b"{bad", b"x")])
    printed = new("--from-topic", topic)
    assert "Debezium change events" in printed
    assert "1 of 21 values in the sample cannot be read" in printed
    said = declaration(root)
    assert said["external"] == {"topic": topic, "envelope": "debezium"}
    assert (said["key"], said["kind"], said["event_time"]) == (["id"], "state", "updated_at")
    first, _ = run()
    assert (first.records, first.poison) == (21, 1)
    with Mesh.open() as mesh:
        mesh.log.produce(topic, records[20:])
        assert [letter.value for letter in letters(mesh.log, topic)] == [b"{bad"]
    refused = CliRunner().invoke(dead_letters, ["replay", topic, "--all"])
    assert "others write" in str(refused.exception)
    again, rows = run()
    assert (again.records, again.poison) == (len(records) - 20, 0)
    assert rows == BY_STATE
    rerun, rows = run()
    assert (rerun.records, rows) == (0, BY_STATE)


def test_debezium_in_avro_by_the_topics_own_registry(root: Path, topic: str, registry_address: str) -> None:
    write(topic, debezium_avro(RegistryClient(registry_address)), "compact")
    assert "AVRO, Debezium" in new("--from-topic", topic, "--registry", registry_address)
    said = declaration(root)
    assert said["external"] == {"topic": topic, "envelope": "debezium", "registry": registry_address}
    assert checked(root) == []
    assert run()[1] == BY_STATE


def test_the_mesh_without_that_registry_says_what_to_give(
    root: Path, topic: str, registry_address: str
) -> None:
    write(topic, debezium_avro(RegistryClient(registry_address))[:3])
    with pytest.raises(HanseError, match="--registry"):
        new("--from-topic", topic)
    assert not (root / "domains").exists()


def test_upserts_with_the_key_outside_the_value(root: Path, topic: str) -> None:
    def encode(row: dict[str, Any]) -> bytes:
        return json.dumps({"email": row["email"], "state": row["state"]}).encode()

    write(topic, upserts(encode, lambda number: f"c{number}".encode()), "compact")
    assert "key (in the record's key only)" in new("--from-topic", topic)
    assert declaration(root)["external"]["key_from"] == "record"
    assert run()[1] == BY_STATE


def test_kafka_connect_with_schema_and_a_null_payload(root: Path, topic: str) -> None:
    records = upserts(lambda row: wrapped(row, CONNECT_FIELDS), lambda number: str(number).encode())
    records[-1] = Record(json.dumps({"schema": None, "payload": None}).encode(), records[-1].key)
    write(topic, records, "compact")
    assert "wrapped by Kafka Connect" in new("--from-topic", topic)
    assert declaration(root)["external"]["envelope"] == "connect"
    assert run()[1] == BY_STATE


def test_plain_json_events_without_key_or_headers_all_count(root: Path, topic: str) -> None:
    rows = [{**after, "at": "2026-01-02T03:04:05Z"} for _, _, _, after in changes() if after]
    write(topic, [Record(json.dumps(row).encode()) for row in [*rows, rows[0]]])
    new("--from-topic", topic)
    said = declaration(root)
    assert (said["kind"], said["key"]) == ("events", [])
    assert "email" not in (root / "domains/crm/products/customers_by_state/projection.sql").read_text()
    assert checked(root) == []
    assert run()[1] == {("SP", 11), ("RJ", 11), ("MG", 10)}


def avro(registry: SchemaRegistry) -> list[Record]:
    schema_id = registry.register("plain-value", json.dumps(VALUE)).id
    return [Record(framed(schema_id, VALUE, after)) for _, _, _, after in changes() if after]


def json_schema(registry: SchemaRegistry) -> list[Record]:
    properties = {"id": {"type": "integer"}, "state": {"type": "string"}}
    text = json.dumps({"type": "object", "properties": properties, "required": ["id", "state"]})
    schema_id = registry.register("json-value", text, "JSON").id
    head = b"\0" + schema_id.to_bytes(4, "big")
    return [
        Record(head + json.dumps({n: after[n] for n in properties}).encode())
        for _, _, _, after in changes()
        if after
    ]


def protobuf(registry: SchemaRegistry) -> list[Record]:
    text = 'syntax = "proto3";\nmessage Customer {\n  string state = 1;\n  int64 id = 2;\n}\n'
    head = b"\0" + registry.register("proto-value", text, "PROTOBUF").id.to_bytes(4, "big") + b"\0"
    states = [after["state"].encode() for _, _, _, after in changes() if after]
    return [
        Record(head + b"\x0a" + bytes([len(s)]) + s + b"\x10" + bytes([n + 1])) for n, s in enumerate(states)
    ]


@pytest.mark.parametrize("made", [avro, json_schema, protobuf])
def test_confluent_formats_by_registry(root: Path, topic: str, registry_address: str, made: Any) -> None:
    client = RegistryClient(registry_address)
    write(topic, made(client))
    new("--from-topic", topic, "--registry", registry_address)
    assert run()[1] == {("SP", 10), ("RJ", 11), ("MG", 10)}


def test_a_topic_that_dropped_its_beginning_counts_what_is_left(root: Path, topic: str) -> None:
    write(topic, [Record(json.dumps(person(n)).encode(), b"k", partition=0) for n in range(10)])
    with Mesh.open() as mesh:
        mesh.log.trim(topic, {0: 4})
    assert "dropped its first records" in new("--from-topic", topic)
    assert declaration(root)["external"]["history"] == "partial"
    assert sum(count for _, count in run()[1]) == 6


def test_what_cannot_be_a_source_is_told_with_a_way_out(root: Path, topic: str) -> None:
    write(f"{topic}.text", [Record(b"hello")] * 3)
    write(f"{topic}.empty", [])
    write(f"{topic}.string", [Record(b'{"schema":{"type":"string"},"payload":"x"}')] * 3)
    for name, words in (("text", "neither JSON"), ("empty", "no records"), ("string", "HoistField")):
        with pytest.raises(HanseError, match=words):
            new("--from-topic", f"{topic}.{name}")
    with pytest.raises(HanseError, match="neither in the mesh nor on its log"):
        new("--from-topic", f"{topic}.other")
    assert not (root / "domains").exists()


def test_the_catalog_shows_who_writes_the_topic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    from fastapi.testclient import TestClient

    from hanse_catalog.app import create_app

    (tmp_path / "hanse.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    write(topic, debezium_json())
    new("--from-topic", topic)
    run()
    with Mesh.open() as mesh, TestClient(create_app(mesh)) as client:
        page = client.get("/domains/crm").text
        assert f"others write it as <code>{topic}</code> (debezium)" in page
        assert client.get("/api/domains/crm").json()["topics"][0]["external"]["envelope"] == "debezium"
        nodes = client.get("/api/products/crm/customers_by_state/lineage").json()["nodes"]
        assert {"crm.customers": "external topic"}.items() <= {n["name"]: n["kind"] for n in nodes}.items()
        assert "external topic" in client.get("/products/crm/customers_by_state?tab=lineage").text


@pytest.mark.parametrize("place", ["before-commit", "after-commit"])
def test_killed_anywhere_the_next_run_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topic: str, place: str
) -> None:
    (tmp_path / "hanse.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    write(topic, debezium_json())
    new("--from-topic", topic)
    command = [sys.executable, "-m", "hanse", "product", "run", PRODUCT]
    environment = os.environ | {"HANSE_FAILPOINT": place}
    killed = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert run()[1] == BY_STATE
