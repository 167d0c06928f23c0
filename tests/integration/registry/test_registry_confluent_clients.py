"""The server under Confluent's own Python client and its serializers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Metadata,
    MetadataProperties,
    MetadataTags,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    SchemaRegistryError,
    ServerConfig,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from helpers.live_registry import live_registry

ID = {"name": "id", "type": "string"}
NOTE = {"name": "note", "type": "string", "default": ""}


def avro(*fields: Any, name: str = "Order") -> Schema:
    return Schema(json.dumps({"type": "record", "name": name, "fields": list(fields)}), "AVRO")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_registry(Path(tmp_path_factory.mktemp("registry"))) as found:
        yield found


@pytest.fixture
def client(address: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": address})


def error_of(caught: pytest.ExceptionInfo[SchemaRegistryError]) -> tuple[int, int]:
    return caught.value.http_status_code, caught.value.error_code


def test_register_lookup_and_versions(client: SchemaRegistryClient) -> None:
    first = client.register_schema("life-value", avro(ID))
    assert client.register_schema("life-value", avro(ID)) == first
    second = client.register_schema_full_response("life-value", avro(ID, NOTE))
    assert (second.version, second.subject or "life-value") == (2, "life-value")
    assert client.get_versions("life-value") == [1, 2]
    latest = client.get_latest_version("life-value")
    assert (latest.version, latest.schema_id) == (2, second.schema_id)
    assert client.get_version("life-value", 1).schema_id == first
    found = client.lookup_schema("life-value", avro(ID), normalize_schemas=True)
    assert (found.version, found.schema_id) == (1, first)
    assert json.loads(client.get_schema(first).schema_str)["name"] == "Order"
    assert client.get_subjects_by_schema_id(first) == ["life-value"]
    assert [(v.subject, v.version) for v in client.get_schema_versions(first)] == [("life-value", 1)]
    assert sorted(client.get_schema_types()) == ["AVRO", "JSON", "PROTOBUF"]
    guid = client.get_latest_version("life-value").guid
    assert client.get_schema_by_guid(guid).schema_str == latest.schema.schema_str


def test_errors_have_confluents_codes(client: SchemaRegistryClient) -> None:
    client.register_schema("errors-value", avro(ID))
    cases = [
        (lambda: client.get_latest_version("nobody"), (404, 40401)),
        (lambda: client.get_version("errors-value", 9), (404, 40402)),
        (lambda: client.get_version("errors-value", 0), (422, 42202)),
        (lambda: client.lookup_schema("errors-value", avro(NOTE)), (404, 40403)),
        (lambda: client.get_schema(99_999), (404, 40403)),
        (lambda: client.register_schema("errors-value", Schema("{", "AVRO")), (422, 42201)),
        (lambda: client.register_schema("errors-value", Schema("{}", "XML")), (422, 42201)),
        (lambda: client.register_schema("errors-value", avro({"name": "n", "type": "int"})), (409, 409)),
        (lambda: client.set_compatibility("errors-value", "SIDEWAYS"), (422, 42203)),
        (lambda: client.update_mode("errors-value", "SIDEWAYS"), (422, 42204)),
        (lambda: client.get_compatibility("errors-value"), (404, 40408)),
        (lambda: client.get_mode("errors-value"), (404, 40409)),
        (lambda: client.delete_version("errors-value", 1, permanent=True), (404, 40407)),
        (lambda: client.delete_subject("errors-value", permanent=True), (404, 40405)),
        (lambda: client.delete_subject("nobody"), (404, 40401)),
    ]
    for call, expected in cases:
        with pytest.raises(SchemaRegistryError) as caught:
            call()
        assert error_of(caught) == expected, str(caught.value)


def test_refusal_says_what_is_incompatible(client: SchemaRegistryClient) -> None:
    client.register_schema("refusal-value", avro(ID))
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema("refusal-value", avro(ID, {"name": "n", "type": "int"}))
    message = caught.value.error_message
    assert message.startswith("Schema being registered is incompatible with an earlier schema")
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in message
    assert "$.n" in message


def test_compatibility_settings_and_checks(client: SchemaRegistryClient) -> None:
    client.register_schema("compat-value", avro(ID, NOTE))
    narrower = avro({"name": "other", "type": "int"})
    assert client.get_compatibility() == "BACKWARD"
    assert client.test_compatibility("compat-value", avro(ID)) is True
    assert client.test_compatibility("compat-value", narrower) is False
    assert client.test_compatibility("compat-value", narrower, version=1) is False
    assert client.test_compatibility_all_versions("compat-value", narrower) is False
    assert client.test_compatibility("never-seen", narrower) is True
    client.set_compatibility("compat-value", "NONE")
    assert client.get_compatibility("compat-value") == "NONE"
    assert client.test_compatibility("compat-value", narrower) is True
    assert client.register_schema("compat-value", narrower) > 0
    client.set_config(
        "compat-value",
        ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE, compatibility_group="major"),
    )
    config = client.get_config("compat-value")
    assert (config.compatibility_level, config.compatibility_group) == ("FULL_TRANSITIVE", "major")
    client.delete_config("compat-value")
    with pytest.raises(SchemaRegistryError):
        client.get_config("compat-value")


def test_soft_and_hard_delete(client: SchemaRegistryClient, address: str) -> None:
    first_schema = avro(ID, name="Deleted")
    first = client.register_schema("delete-value", first_schema)
    client.register_schema("delete-value", avro(ID, NOTE, name="Deleted"))
    assert client.delete_version("delete-value", 1) == 1
    assert client.get_versions("delete-value") == [2]
    assert client.get_versions("delete-value", deleted=True) == [1, 2]
    assert client.get_versions("delete-value", deleted_only=True) in ([1], [1, 2])
    assert client.get_schema(first).schema_str, "a wire id stays readable while softly deleted"
    with pytest.raises(SchemaRegistryError) as caught:
        client.delete_version("delete-value", 1)
    assert error_of(caught) == (404, 40406)
    assert client.delete_version("delete-value", 1, permanent=True) == 1
    assert client.delete_subject("delete-value") == [2]
    assert "delete-value" not in client.get_subjects()
    assert "delete-value" in client.get_subjects(deleted=True)
    assert client.delete_subject("delete-value", permanent=True) == [2]
    assert "delete-value" not in client.get_subjects(deleted=True)
    again = SchemaRegistryClient({"url": address}).register_schema_full_response("delete-value", first_schema)
    assert again.version == 1
    assert again.schema_id > first, "ids are never given out twice"


def test_references_and_their_protection(client: SchemaRegistryClient) -> None:
    address = Schema(json.dumps({"type": "record", "name": "geo.Zip", "fields": [ID]}), "AVRO")
    client.register_schema("zip", address)
    text = json.dumps({"type": "record", "name": "To", "fields": [{"name": "zip", "type": "geo.Zip"}]})
    user = Schema(text, "AVRO", [SchemaReference("geo.Zip", "zip", 1)])
    user_id = client.register_schema("to-value", user)
    assert client.get_referenced_by("zip", 1) == [user_id]
    assert client.get_latest_version("to-value").schema.references[0].name == "geo.Zip"
    with pytest.raises(SchemaRegistryError) as caught:
        client.delete_version("zip", 1)
    assert error_of(caught) == (422, 42206)
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema("to2-value", Schema(text, "AVRO", [SchemaReference("geo.Zip", "zip", 7)]))
    assert error_of(caught) == (422, 42201)
    client.delete_subject("to-value")
    assert client.delete_version("zip", 1) == 1


def test_modes(client: SchemaRegistryClient) -> None:
    client.register_schema("mode-value", avro(ID))
    assert client.get_global_mode() == "READWRITE"
    assert client.update_mode("mode-value", "READONLY") == "READONLY"
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema("mode-value", avro(ID, NOTE))
    assert error_of(caught) == (422, 42205)
    assert client.delete_mode("mode-value") == "READONLY"
    with pytest.raises(SchemaRegistryError) as caught:
        client.update_mode("mode-value", "IMPORT")
    assert error_of(caught) == (422, 42205)
    assert client.update_mode("imported-value", "IMPORT") == "IMPORT"


def test_metadata_and_tags_are_kept_and_inherited(client: SchemaRegistryClient) -> None:
    metadata = Metadata(
        tags=MetadataTags({"Order.id": ["PII"]}),
        properties=MetadataProperties({"owner": "orders"}),
        sensitive=None,
    )
    text = avro(ID).schema_str
    client.register_schema("meta-value", Schema(text, "AVRO", metadata=metadata))
    found = client.get_latest_with_metadata("meta-value", {"owner": "orders"})
    assert found.version == 1
    assert found.schema.metadata is not None
    assert found.schema.metadata.properties.properties == {"owner": "orders"}
    assert found.schema.metadata.tags.tags == {"Order.id": ["PII"]}
    inherited = client.register_schema_full_response("meta-value", avro(ID, NOTE))
    assert inherited.schema.metadata.properties.properties == {"owner": "orders"}


def test_contexts_keep_ids_apart(client: SchemaRegistryClient) -> None:
    here = client.register_schema("ctx-value", avro(ID, name="Here"))
    there = client.register_schema(":.branch:ctx-value", avro(ID, name="There"))
    assert there == 1
    assert ".branch" in client.get_contexts()
    assert ":.branch:ctx-value" in client.get_subjects()
    assert (
        json.loads(client.get_schema(there, subject_name=":.branch:ctx-value").schema_str)["name"] == "There"
    )
    assert json.loads(client.get_schema(here).schema_str)["name"] == "Here"


def context_for(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def test_avro_serializer(client: SchemaRegistryClient) -> None:
    serialize = AvroSerializer(client, avro(ID, NOTE).schema_str)
    deserialize = AvroDeserializer(client)
    data = serialize({"id": "1", "note": "two"}, context_for("wire-avro"))
    assert data is not None
    assert data[0] == 0
    assert client.get_latest_version("wire-avro-value").schema_id == int.from_bytes(data[1:5], "big")
    assert deserialize(data, context_for("wire-avro")) == {"id": "1", "note": "two"}


def test_json_serializer(client: SchemaRegistryClient) -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Order",
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["id"],
    }
    serialize = JSONSerializer(json.dumps(schema), client)
    deserialize = JSONDeserializer(json.dumps(schema), schema_registry_client=client)
    data = serialize({"id": "1", "n": 2}, context_for("wire-json"))
    assert data is not None
    assert deserialize(data, context_for("wire-json")) == {"id": "1", "n": 2}


def order_class(extra: bool = False) -> Any:
    """A generated message class: scalars, a map, an enum, a oneof and an imported timestamp."""
    from google.protobuf import timestamp_pb2

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"shop/order{int(extra)}.proto", package="shop", syntax="proto3"
    )
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    order = file.message_type.add(name="Order")
    order.field.add(name="id", number=1, type=kind.TYPE_STRING, label=1)
    order.field.add(
        name="at", number=2, type=kind.TYPE_MESSAGE, label=1, type_name=".google.protobuf.Timestamp"
    )
    entry = order.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=1)
    entry.field.add(name="value", number=2, type=kind.TYPE_INT32, label=1)
    order.field.add(
        name="counts", number=3, type=kind.TYPE_MESSAGE, label=3, type_name=".shop.Order.CountsEntry"
    )
    if extra:
        order.field.add(name="note", number=4, type=kind.TYPE_STRING, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))


def test_protobuf_serializer(client: SchemaRegistryClient) -> None:
    order = order_class()
    message = order(id="1", counts={"a": 1})
    message.at.FromSeconds(1_700_000_000)
    conf = {"use.deprecated.format": False}
    data = ProtobufSerializer(order, client, conf)(message, context_for("wire-proto"))
    assert data is not None
    back = ProtobufDeserializer(order, conf, client)(data, context_for("wire-proto"))
    assert back == message
    stored = client.get_latest_version("wire-proto-value")
    assert stored.schema.schema_type == "PROTOBUF"
    assert "map<string, int32> counts = 3;" in stored.schema.schema_str
    wider = order_class(extra=True)
    ProtobufSerializer(wider, client, conf)(wider(id="2"), context_for("wire-proto"))
    assert client.get_versions("wire-proto-value") == [1, 2]
