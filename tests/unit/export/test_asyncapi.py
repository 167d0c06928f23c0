"""AsyncAPI documents of the reference mesh and of topics of others, by the specification's own JSON Schema."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.export import app
from hanse.descriptors import load_mesh
from hanse.export.asyncapi import asyncapi
from hanse.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = Path(__file__).parent / "asyncapi-3.0.0.schema.json"
MODEL = load_mesh(ROOT)


@cache
def validator() -> Any:
    return jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def problems(document: Any) -> list[str]:
    return [f"{list(e.instance_path)}: {e.message[:300]}" for e in validator().iter_errors(document)]


def resolved(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [r for value in node.values() for r in references(value)]
    return [r for value in node for r in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("log", ["sqlite:", "kafka://b1:9092,b2:9092?security.protocol=SASL_SSL"])
@pytest.mark.parametrize("name", [d.name for d in MODEL.domains])
def test_every_domain_is_valid_and_its_references_lead_somewhere(name: str, log: str, tmp_path: Path) -> None:
    domain = MODEL.domain(name)
    assert domain is not None
    settings = Settings(ROOT, tmp_path, log=log, registry="https://user:secret@registry:8081")
    document = asyncapi(domain, MODEL, settings)
    assert problems(document) == []
    assert all(resolved(document, r) for r in references(document) if r.startswith("#/"))
    assert "secret" not in json.dumps(document)
    sent = {name for name, o in document["operations"].items() if o["action"] == "send"}
    assert sent == {f"send.{t.full_name}" for t in domain.own_topics}
    assert ("servers" in document) == log.startswith("kafka")


def test_a_topic_is_told_with_its_settings_and_its_envelope() -> None:
    domain = MODEL.domain("orders")
    assert domain is not None
    document = asyncapi(domain, MODEL, Settings(ROOT, ROOT / ".hanse"), "2.1.0")
    channel = document["channels"]["orders.order_placed"]
    assert document["info"]["version"] == "2.1.0"
    assert channel["address"] == "orders.order_placed"
    assert channel["bindings"]["kafka"]["partitions"] == 4
    assert channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == ["delete"]
    message = resolved(document, channel["messages"]["order_placed"]["$ref"])
    assert message["payload"]["schema"]["name"] == "OrderPlaced"
    assert message["payload"]["schemaFormat"].startswith("application/vnd.apache.avro")
    headers = resolved(document, message["traits"][0]["$ref"])["headers"]
    assert {"ce_id", "ce_position", "ce_correlationid"} <= set(headers["required"])
    assert document["operations"]["receive.orders.order_placed"]["summary"].startswith("Read by orders.")


def test_what_is_broken_is_found_by_the_schema() -> None:
    domain = MODEL.domain("orders")
    assert domain is not None
    document = asyncapi(domain, MODEL, Settings(ROOT, ROOT / ".hanse"))
    document["operations"]["send.orders.order_placed"]["action"] = "publish"
    assert problems(document)


DOMAIN = """
domain: crm
team: {name: Crm}
topics:
  json_rows: {schema: row.json, key: [id], external: {topic: a.json}}
  connect_rows: {schema: row.json, key: [], external: {topic: a.connect, envelope: connect}}
  json_changes: {schema: row.json, key: [id], kind: state, external: {topic: a.changes, envelope: debezium}}
  avro_changes: {schema: row.avsc, key: [id], kind: state, external: {topic: a.avro, envelope: debezium}}
  messages: {schema: row.proto, key: [], external: {topic: a.proto}}
  own: {schema: row.avsc, key: [id], kind: state, retention: P1D, retention_bytes: 10}
"""


def test_formats_and_topics_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "domains/crm"
    folder.mkdir(parents=True)
    (tmp_path / "hanse.toml").write_text("")
    (folder / "domain.yaml").write_text(DOMAIN)
    (folder / "row.json").write_text('{"type": "object", "properties": {"id": {"type": "string"}}}')
    fields = [{"name": "id", "type": "string"}]
    (folder / "row.avsc").write_text(json.dumps({"type": "record", "name": "Row", "fields": fields}))
    (folder / "row.proto").write_text('syntax = "proto3"; message Row { string id = 1; }')
    monkeypatch.chdir(tmp_path)
    with Mesh.open() as mesh:
        model = mesh.model
    names = [t.full_name for t in model.domains[0].topics]
    for name in names:  # as if a product read each
        monkeypatch.setattr("hanse.export.asyncapi._readers", lambda *_, name=name: {name: ["crm.p"]})
        document = asyncapi(model.domains[0], model, mesh.settings)
        assert problems(document) == [], name
        assert f"receive.{name}" in document["operations"]


def test_the_command_prints_and_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    runner = CliRunner()
    printed = runner.invoke(app, ["asyncapi", "orders", "customers"])
    assert printed.exit_code == 0, printed.output
    assert [d["id"] for d in yaml.safe_load_all(printed.output)] == [
        "urn:hanse:customers",
        "urn:hanse:orders",
    ]
    one = runner.invoke(app, ["asyncapi", "orders", "--format", "json"])
    assert json.loads(one.output)["asyncapi"] == "3.0.0"
    written = runner.invoke(app, ["asyncapi", "--output", str(tmp_path), "--format", "json"])
    assert len(written.output.splitlines()) == len(MODEL.domains)
    assert json.loads((tmp_path / "orders.asyncapi.json").read_text()) == json.loads(one.output)
    assert "no domain nobody" in str(runner.invoke(app, ["asyncapi", "nobody"]).exception)
