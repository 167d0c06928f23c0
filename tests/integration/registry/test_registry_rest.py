"""The REST API's shapes and corners, without a network."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from hanse.registry.server import create_app
from hanse.registry.store import RegistryStore
from hanse.registry.wire import MAX_BODY
from helpers.postgres_server import own_database

ID = {"name": "id", "type": "string"}
NOTE = {"name": "note", "type": "string", "default": ""}
COUNT = {"name": "n", "type": "int"}


def avro(*fields: Any, name: str = "Order") -> dict[str, Any]:
    return {"schema": json.dumps({"type": "record", "name": name, "fields": list(fields)})}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where the registry keeps its tables: each shape and corner is the same in both."""
    if request.param == "sqlite":
        yield tmp_path / "registry.db"
    else:
        yield from own_database(request.getfixturevalue("postgres_address"))


@pytest.fixture
def http(place: Path | str) -> Iterator[TestClient]:
    store = RegistryStore(place)
    with TestClient(create_app(store), raise_server_exceptions=False) as client:
        yield client
    store.close()


def register(http: TestClient, subject: str, body: dict[str, Any], query: str = "") -> dict[str, Any]:
    answer = http.post(f"/subjects/{subject}/versions{query}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_media_type_and_root(http: TestClient) -> None:
    answer = http.get("/")
    assert answer.json() == {}
    assert answer.headers["content-type"].startswith("application/vnd.schemaregistry.v1+json")
    assert http.get("/schemas/types").json() == ["JSON", "PROTOBUF", "AVRO"]
    assert http.get("/v1/metadata/id").json()["scope"]["path"] == []
    assert http.get("/v1/metadata/version").json()["version"]
    assert http.get("/health").json() == {"subjects": 0}


def test_a_version_in_full(http: TestClient) -> None:
    made = register(http, "a-value", avro(ID))
    found = http.get("/subjects/a-value/versions/1").json()
    assert found["subject"] == "a-value"
    assert (found["version"], found["id"], found["guid"]) == (1, made["id"], made["guid"])
    assert "schemaType" not in found
    assert http.get("/subjects/a-value/versions/latest/schema").text == found["schema"]
    assert http.get(f"/schemas/ids/{made['id']}/schema").text == found["schema"]
    assert http.get(f"/schemas/guids/{made['guid']}").json()["schema"] == found["schema"]
    assert http.get(f"/schemas/guids/{made['guid']}/ids").json() == [{"context": ".", "id": made["id"]}]
    assert http.get(f"/schemas/ids/{made['id']}?fetchMaxId=true").json()["maxId"] == made["id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/subjects/nobody/versions", 404, 40401),
        ("GET", "/subjects/nobody/versions/1", 404, 40401),
        ("GET", "/subjects/a-value/versions/2", 404, 40402),
        ("GET", "/subjects/a-value/versions/zero", 422, 42202),
        ("GET", "/subjects/a-value/versions/0", 422, 42202),
        ("GET", "/subjects/a-value/versions/99999999999999", 422, 42202),
        ("GET", "/schemas/ids/77", 404, 40403),
        ("GET", "/schemas/ids/77/versions", 404, 40403),
        ("GET", "/schemas/ids/x", 400, 400),
        ("GET", "/schemas/guids/none", 404, 40403),
        ("GET", "/config/a-value", 404, 40408),
        ("GET", "/mode/a-value", 404, 40409),
        ("DELETE", "/config/a-value", 404, 40401),
        ("DELETE", "/subjects/nobody", 404, 40401),
        ("GET", "/nowhere", 404, 404),
        ("PATCH", "/subjects", 405, 405),
        ("GET", "/associations/resources/-/topic", 404, 404),
        ("GET", "/subjects?limit=many", 400, 400),
    ],
)
def test_errors(http: TestClient, method: str, path: str, status: int, code: int) -> None:
    register(http, "a-value", avro(ID))
    answer = http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error_code"] == code
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, 400),
        (b"[]", 400, 400),
        (b"\xff\xfe", 400, 400),
        (b"{}", 422, 42201),
        (b'{"schema": 7}', 422, 42201),
        (b'{"schema": "{}", "schemaType": "XML"}', 422, 42201),
        (b'{"schema": "\\"int\\"", "references": 1}', 422, 42201),
        (b'{"schema": "\\"int\\"", "references": [{}]}', 422, 42201),
        (b'{"schema": "\\"int\\"", "metadata": []}', 422, 42201),
        (b'{"schema": "\\"int\\"", "id": "x"}', 422, 42201),
        (b'{"schema": "\\"int\\"", "id": 5}', 422, 42205),
        (b'{"schema": "\\"int\\"", "version": 5}', 422, 42201),
        (b'{"schema": "' + b"[" * 3000 + b'"}', 422, 42201),
        (b" " * (MAX_BODY + 1), 422, 42209),
        (b'{"schema": "\\"int\\"", "ruleSet": {"rules": []}}', 422, 42210),
        (b'{"schema": "\\"int\\"", "ruleSet": {"domainRules": [{}]}}', 422, 42210),
        (b'{"schema": "\\"int\\"", "ruleSet": {"domainRules": [{"name": "a"}, {"name": "a"}]}}', 422, 42210),
    ],
    ids=lambda value: str(value)[:60],
)
def test_requests_that_are_none(http: TestClient, body: bytes, status: int, code: int) -> None:
    answer = http.post("/subjects/a-value/versions", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert http.get("/subjects").json() == []


@pytest.mark.parametrize("name", ["__GLOBAL", "__EMPTY", "a%00b", "x" * 2_000])
def test_names_that_cannot_be_subjects(http: TestClient, name: str) -> None:
    answer = http.post(f"/subjects/{name}/versions", json=avro(ID))
    assert (answer.status_code, answer.json()["error_code"]) == (422, 42208)


def test_incompatible_is_409_with_all_reasons(http: TestClient) -> None:
    register(http, "a-value", avro(ID))
    answer = http.post("/subjects/a-value/versions", json=avro(COUNT, {"name": "m", "type": "int"}))
    assert answer.status_code == 409
    assert answer.json()["error_code"] == 409
    message = answer.json()["message"]
    assert message.startswith("Schema being registered is incompatible with an earlier schema")
    assert "$.n" in message
    assert "$.m" in message
    assert "{oldSchemaVersion: 1}" in message


def test_compatibility_with_verbose(http: TestClient) -> None:
    register(http, "a-value", avro(ID))
    path = "/compatibility/subjects/a-value/versions"
    assert http.post(f"{path}/latest", json=avro(ID, NOTE)).json() == {"is_compatible": True}
    verbose = http.post(f"{path}/1?verbose=True", json=avro(ID, COUNT)).json()
    assert verbose["is_compatible"] is False
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in verbose["messages"][0]
    assert verbose["messages"][-1] == "{compatibility: 'BACKWARD'}"
    assert http.post(f"{path}?verbose=true", json=avro(ID)).json() == {"is_compatible": True, "messages": []}
    broken = http.post(f"{path}?verbose=true", json={"schema": "{"}).json()
    assert broken["is_compatible"] is False
    assert "not valid JSON" in broken["messages"][0]
    assert http.post(path, json={"schema": "{"}).status_code == 422
    assert http.post(f"{path}/9", json=avro(ID)).json()["error_code"] == 40402


def test_transitive_check_looks_at_all_versions(http: TestClient) -> None:
    http.put("/config/a-value", json={"compatibility": "NONE"})
    for fields in ([ID, COUNT], [ID]):
        register(http, "a-value", avro(*fields))
    body = avro(ID, {"name": "n", "type": "string", "default": ""})
    path = "/compatibility/subjects/a-value/versions"
    http.put("/config/a-value", json={"compatibility": "BACKWARD"})
    assert http.post(path, json=body).json()["is_compatible"] is True
    http.put("/config/a-value", json={"compatibility": "BACKWARD_TRANSITIVE"})
    assert http.post(path, json=body).json()["is_compatible"] is False


def test_config_global_context_and_subject(http: TestClient) -> None:
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD"}
    assert http.put("/config", json={"compatibility": "full"}).json() == {"compatibility": "FULL"}
    assert http.get("/config/a-value?defaultToGlobal=true").json()["compatibilityLevel"] == "FULL"
    assert http.put("/config/:.side:", json={"compatibility": "NONE"}).json() == {"compatibility": "NONE"}
    assert http.get("/config/:.side:x?defaultToGlobal=true").json()["compatibilityLevel"] == "NONE"
    assert http.put("/config/a-value", json={"normalize": True}).json() == {"normalize": True}
    in_force = http.get("/config/a-value?defaultToGlobal=true").json()
    assert in_force == {"compatibilityLevel": "FULL", "normalize": True}
    assert http.delete("/config/a-value").json() == {"normalize": True}
    assert http.delete("/config").json()["compatibilityLevel"] == "FULL"
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD"}
    assert http.put("/config", json={"compatibility": "UP"}).json()["error_code"] == 42203


def test_normalize_returns_the_canonical_text(http: TestClient) -> None:
    text = '{"name": "R",  "fields": [], "type": "record"}'
    made = register(http, "n-value", {"schema": text}, "?normalize=true")
    assert made["schema"] == '{"fields":[],"name":"R","type":"record"}'
    assert http.post("/subjects/n-value?normalize=True", json={"schema": text}).json()["version"] == 1


def test_import_keeps_ids_and_versions(http: TestClient) -> None:
    assert http.put("/mode/moved-value", json={"mode": "IMPORT"}).json() == {"mode": "IMPORT"}
    made = register(http, "moved-value", {**avro(ID), "id": 4711, "version": 3})
    assert (made["id"], made["version"]) == (4711, 3)
    clash = http.post("/subjects/moved-value/versions", json={**avro(COUNT), "id": 4711, "version": 4})
    assert clash.json()["error_code"] == 42205
    plain = http.post("/subjects/moved-value/versions", json=avro(ID, NOTE))
    assert plain.json()["error_code"] == 42205
    http.delete("/mode/moved-value")
    assert register(http, "moved-value", avro(ID, NOTE))["version"] == 4
    assert register(http, "new-value", avro(COUNT))["id"] > 4711


def test_read_only_stops_writing_and_deleting(http: TestClient) -> None:
    register(http, "a-value", avro(ID))
    http.put("/mode", json={"mode": "READONLY"})
    assert http.post("/subjects/a-value/versions", json=avro(ID, NOTE)).json()["error_code"] == 42205
    assert http.delete("/subjects/a-value").json()["error_code"] == 42205
    assert http.get("/subjects/a-value/versions").json() == [1]
    assert http.put("/mode", json={"mode": "ASLEEP"}).json()["error_code"] == 42204


def test_contexts_in_the_address(http: TestClient) -> None:
    register(http, "a-value", avro(ID))
    made = http.post("/contexts/.side/subjects/a-value/versions", json=avro(COUNT)).json()
    assert made["id"] == 1
    assert http.get("/contexts").json() == [".", ".side"]
    assert http.get("/contexts/:.side:/subjects").json() == [":.side:a-value"]
    assert (
        http.get("/contexts/.side/schemas/ids/1").json()["schema"]
        != http.get("/schemas/ids/1").json()["schema"]
    )
    assert http.get("/subjects").json() == [":.side:a-value", "a-value"]
    assert http.get("/subjects?subjectPrefix=:.side:").json() == [":.side:a-value"]
    assert http.get("/subjects?subjectPrefix=a-").json() == ["a-value"]
    assert http.delete("/contexts/.side").json()["error_code"] == 42211
    for query in ("", "?permanent=true"):
        assert http.delete(f"/subjects/:.side:a-value{query}").status_code == 200
    assert http.delete("/contexts/.side").status_code == 204
    assert http.get("/contexts").json() == ["."]


def test_listing_in_pages(http: TestClient) -> None:
    for name in ("a", "b", "c", "d"):
        register(http, f"{name}-value", avro(ID))
    assert http.get("/subjects?offset=1&limit=2").json() == ["b-value", "c-value"]
    assert http.get("/subjects?offset=0&limit=-1").json() == ["a-value", "b-value", "c-value", "d-value"]
    register(http, "a-value", avro(ID, NOTE))
    every = http.get("/schemas").json()
    assert [(s["subject"], s["version"]) for s in every][:3] == [
        ("a-value", 1),
        ("a-value", 2),
        ("b-value", 1),
    ]
    latest = http.get("/schemas?latestOnly=true&subjectPrefix=a").json()
    assert [(s["subject"], s["version"]) for s in latest] == [("a-value", 2)]
    http.delete("/subjects/a-value/versions/1")
    assert http.get("/subjects/a-value/versions?deletedAsNegative=true").json() == [-1, 2]
    assert http.get("/subjects/a-value/versions?deletedOnly=true").json() == [1]
    http.delete("/subjects/b-value")
    assert http.get("/subjects?deletedOnly=true").json() == ["b-value"]
    assert http.get("/schemas/ids/1/subjects").json() == ["c-value", "d-value"]
    assert http.get("/schemas/ids/1/subjects?deleted=true").json() == [
        "a-value",
        "b-value",
        "c-value",
        "d-value",
    ]


def test_protobuf_as_text_and_as_descriptor(http: TestClient) -> None:
    text = 'syntax = "proto3"; package p; message M { string a = 1; map<string, int64> m = 2; }'
    made = register(http, "p-value", {"schema": text, "schemaType": "PROTOBUF"})
    assert http.get("/subjects/p-value/versions/1").json()["schemaType"] == "PROTOBUF"
    serialized = http.get(f"/schemas/ids/{made['id']}?format=serialized").json()["schema"]
    file = FileDescriptorProto.FromString(base64.b64decode(serialized))
    assert [f.name for f in file.message_type[0].field] == ["a", "m"]
    again = register(http, "p-value", {"schema": serialized, "schemaType": "PROTOBUF"})
    assert again["version"] == 1, "the descriptor says the same as the text"
    assert again["schema"] == serialized


def test_references_between_protobuf_and_json_files(http: TestClient) -> None:
    base = 'syntax = "proto3"; package base; message Money { int64 cents = 1; }'
    register(http, "money", {"schema": base, "schemaType": "PROTOBUF"})
    user = 'syntax = "proto3"; import "money.proto"; message Order { base.Money total = 1; }'
    body = {"schema": user, "schemaType": "PROTOBUF"}
    assert http.post("/subjects/order/versions", json=body).json()["error_code"] == 42201
    reference = {"name": "money.proto", "subject": "money", "version": 1}
    made = register(http, "order", {**body, "references": [reference]})
    assert http.get("/subjects/money/versions/1/referencedby").json() == [made["id"]]
    assert http.get("/subjects/order/versions/1").json()["references"] == [reference]
    register(http, "zip", {"schema": '{"type": "string"}', "schemaType": "JSON"})
    schema = json.dumps({"type": "object", "properties": {"z": {"$ref": "zip.json"}}})
    zip_json = {"name": "zip.json", "subject": "zip", "version": 1}
    register(http, "place", {"schema": schema, "schemaType": "JSON", "references": [zip_json]})


def test_metadata_defaults_overrides_and_inheritance(http: TestClient) -> None:
    config = {
        "defaultMetadata": {"properties": {"owner": "nobody", "tier": "1"}},
        "overrideMetadata": {"properties": {"tier": "0"}},
    }
    http.put("/config/m-value", json=config)
    metadata = {"properties": {"owner": "orders"}, "tags": {"Order.id": ["PII"]}}
    made = register(http, "m-value", {**avro(ID), "metadata": metadata})
    expected = {"properties": {"owner": "orders", "tier": "0"}, "tags": {"Order.id": ["PII"]}}
    assert made["metadata"] == expected
    assert register(http, "m-value", avro(ID, NOTE))["metadata"] == expected
    assert http.get("/subjects/m-value/metadata?key=owner&value=orders").json()["version"] == 2
    assert http.get("/subjects/m-value/metadata?key=owner&value=x").json()["error_code"] == 40403
    rules = {
        "domainRules": [{"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}]
    }
    with_rules = register(http, "m-value", {**avro(ID, NOTE), "ruleSet": rules})
    assert (with_rules["version"], with_rules["ruleSet"]) == (3, rules)


def test_lookup_finds_what_a_registration_completed(http: TestClient) -> None:
    metadata = {"properties": {"owner": "orders"}}
    register(http, "l-value", {**avro(ID), "metadata": metadata})
    assert http.post("/subjects/l-value", json=avro(ID)).json()["metadata"] == metadata
    assert http.post("/subjects/l-value", json=avro(COUNT)).json()["error_code"] == 40403
    register(http, "l-value", avro(ID, NOTE))
    http.delete("/subjects/l-value/versions/1")
    assert http.post("/subjects/l-value", json=avro(ID)).json()["error_code"] == 40403
    assert http.post("/subjects/l-value?deleted=true", json=avro(ID)).json()["version"] == 1


def test_compatibility_group_starts_afresh(http: TestClient) -> None:
    http.put("/config/g-value", json={"compatibilityGroup": "major"})

    def major(number: str, *fields: Any) -> dict[str, Any]:
        return {**avro(*fields), "metadata": {"properties": {"major": number}}}

    register(http, "g-value", major("1", ID))
    assert http.post("/subjects/g-value/versions", json=major("1", COUNT)).status_code == 409
    assert register(http, "g-value", major("2", COUNT))["version"] == 2


def test_mounted_under_a_path(tmp_path: Path) -> None:
    store = RegistryStore(tmp_path / "registry.db")
    outer = FastAPI()
    outer.mount("/registry", create_app(store))
    with TestClient(outer) as http:
        register_at = http.post("/registry/subjects/a-value/versions", json=avro(ID))
        assert register_at.json()["version"] == 1
        assert http.get("/registry/contexts/:.:/subjects").json() == ["a-value"]
    store.close()


def test_many_clients_at_once(http: TestClient) -> None:
    answers: list[int] = []

    def work(name: str) -> None:
        for i in range(8):
            added = {"name": f"{name}{i}", "type": "string", "default": ""}
            answers.append(register(http, "busy-value", avro(ID, added))["version"])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == list(range(1, 33))


def test_an_alias_means_its_subject_everywhere_but_in_its_own_settings(http: TestClient) -> None:
    made = register(http, "orders-value", avro(ID))
    http.put("/config/old-orders", json={"alias": "orders-value"})
    assert http.get("/subjects/old-orders/versions").json() == [1]
    assert http.get("/subjects/old-orders/versions/latest").json()["subject"] == "orders-value"
    assert http.post("/subjects/old-orders", json=avro(ID)).json()["id"] == made["id"]
    assert register(http, "old-orders", avro(ID, NOTE))["version"] == 2
    assert http.get("/subjects").json() == ["orders-value"]
    checked = http.post("/compatibility/subjects/old-orders/versions?verbose=true", json=avro(COUNT)).json()
    assert checked["is_compatible"] is False
    assert http.get(f"/schemas/ids/{made['id']}/subjects?subject=old-orders").json() == ["orders-value"]
    assert http.get("/config/old-orders").json() == {"alias": "orders-value"}
    assert http.get("/config/orders-value").status_code == 404
    assert http.put("/config/old-orders", json={"alias": ""}).status_code == 200
    assert http.get("/subjects/old-orders/versions").json()["error_code"] == 40401


def test_metadata_tags_and_rules_come_back_as_they_were_sent(http: TestClient) -> None:
    metadata = {
        "properties": {"owner": "orders"},
        "tags": {"Order.id": ["PII", "KEY"]},
        "sensitive": ["owner"],
    }
    rule = {"name": "known", "kind": "CONDITION", "type": "CEL", "mode": "WRITE", "expr": "message.id != ''"}
    ruleset = {"domainRules": [rule], "migrationRules": []}
    register(http, "m-value", {**avro(ID), "metadata": metadata, "ruleSet": ruleset})
    found = http.get("/subjects/m-value/versions/latest").json()
    assert (found["metadata"], found["ruleSet"]) == (metadata, ruleset)
    later = register(http, "m-value", avro(ID, NOTE))
    assert (later["metadata"], later["ruleSet"]) == (metadata, ruleset), "taken over from the version before"
