"""The channels of a domain as an AsyncAPI 3.0 document.

Specification: https://www.asyncapi.com/docs/reference/specification/v3.0.0, with its Kafka bindings 0.5.0.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from hanse.errors import ConfigError
from hanse.model.mesh import Domain, MeshModel, Topic
from hanse.settings import Settings
from hanse.wire.formats import format_of

VERSION = "3.0.0"
BINDING = "0.5.0"
_CONTENT = {
    "AVRO": "application/vnd.apache.avro",
    "JSON": "application/json",
    "PROTOBUF": "application/protobuf",
}
_FORMATS = {
    "AVRO": "application/vnd.apache.avro+json;version=1.9.0",
    "JSON": "application/schema+json;version=draft-07",
    "PROTOBUF": "application/vnd.google.protobuf;version=3",
}
_HEADERS = {
    "ce_specversion": "Version of CloudEvents.",
    "ce_id": "Id of the event.",
    "ce_source": "Where the event was recorded.",
    "ce_type": "What happened.",
    "ce_subject": "What it happened to.",
    "ce_time": "When it happened, RFC 3339.",
    "ce_dataschema": "Schema of the value.",
    "ce_correlationid": "Id of the business transaction.",
    "ce_causationid": "Id of what caused the event.",
    "ce_commandid": "Id of the command.",
    "ce_position": "Position in its source, rising: what is not above the highest seen is a repeat.",
    "traceparent": "W3C trace context.",
}
_REQUIRED = [name for name in _HEADERS if name not in ("ce_subject", "ce_dataschema", "traceparent")]
Document = dict[str, Any]


def asyncapi(domain: Domain, model: MeshModel, settings: Settings, version: str = "1.0.0") -> Document:
    """What the domain sends, and what its products receive. Raises ConfigError for a schema that is no schema."""
    readers = _readers(domain, model)
    own = {t.full_name: t for t in domain.own_topics}
    read = {name: topic for name in readers if (topic := model.topic(name)) is not None}
    topics = own | read
    servers = _servers(settings)
    document: Document = {
        "asyncapi": VERSION,
        "id": f"urn:hanse:{domain.name}",
        "info": _info(domain, version),
        "defaultContentType": _CONTENT["AVRO"],
        **({"servers": servers} if servers else {}),
        "channels": {name: _channel(topic, servers) for name, topic in topics.items()},
        "operations": {
            **{
                f"send.{name}": _operation("send", t, f"{domain.name} publishes it.")
                for name, t in own.items()
            },
            **{
                f"receive.{name}": _operation("receive", t, f"Read by {', '.join(readers[name])}.")
                for name, t in read.items()
            },
        },
        "components": {"messages": {name: _message(topic) for name, topic in topics.items()}},
    }
    if any(t.external is None for t in topics.values()):
        document["components"]["messageTraits"] = {"cloudEvents": _trait()}
    return document


def _readers(domain: Domain, model: MeshModel) -> dict[str, list[str]]:
    """The products of the domain, by the inputs that they read."""
    found: dict[str, list[str]] = {}
    for product in model.products:
        if product.domain == domain.name and product.lifecycle != "retired":
            for name in product.inputs:
                found.setdefault(name, []).append(product.full_name)
    return found


def _info(domain: Domain, version: str) -> Document:
    team = domain.team
    contact = {"name": team.name, **({"email": team.email} if team.email else {})}
    return {
        "title": f"Events of {domain.name}",
        "version": version,
        "description": domain.purpose or f"What {domain.name} publishes and reads.",
        "contact": contact,
        "tags": [{"name": domain.name}],
    }


def _servers(settings: Settings) -> Document:
    """The brokers that the settings name; none for the embedded log."""
    parts = urlsplit(settings.log)
    if parts.scheme != "kafka":
        return {}
    secure = (
        "security.protocol=sasl_ssl" in parts.query.lower() or "security.protocol=ssl" in parts.query.lower()
    )
    made: Document = {}
    for number, host in enumerate(parts.netloc.split(","), 1):
        server: Document = {"host": host, "protocol": "kafka-secure" if secure else "kafka"}
        if registry := _without_password(settings.registry):
            binding = {"schemaRegistryUrl": registry, "schemaRegistryVendor": "confluent"}
            server["bindings"] = {"kafka": {**binding, "bindingVersion": BINDING}}
        made[f"kafka{number}"] = server
    return made


def _without_password(address: str) -> str | None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        return None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _channel(topic: Topic, servers: Document) -> Document:
    binding: Document = {"topic": topic.log_name}
    if topic.external is None:
        cleanup = "compact" if topic.kind == "state" else "delete"
        configuration: Document = {"cleanup.policy": [cleanup]}
        if topic.retention_ms is not None:
            configuration["retention.ms"] = topic.retention_ms
        if topic.retention_bytes is not None:
            configuration["retention.bytes"] = topic.retention_bytes
        binding |= {"partitions": topic.partitions, "topicConfiguration": configuration}
    kind = "Facts, appended." if topic.kind == "events" else "State: each key's latest record, null deletes."
    others = "" if topic.external is None else " Written by others."
    return {
        "address": topic.log_name,
        "title": topic.full_name,
        "description": f"{kind}{others}",
        **({"servers": [{"$ref": f"#/servers/{name}"} for name in servers]} if servers else {}),
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.full_name}"}},
        "bindings": {"kafka": {**binding, "bindingVersion": BINDING}},
    }


def _operation(action: str, topic: Topic, summary: str) -> Document:
    channel = f"#/channels/{topic.full_name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": summary,
        "messages": [{"$ref": f"{channel}/messages/{topic.name}"}],
    }


def _message(topic: Topic) -> Document:
    form = format_of(topic.schema_path)
    key: Document = {"type": "string", "description": f"{'|'.join(topic.key)}, as text"} if topic.key else {}
    binding: Document = {"bindingVersion": BINDING}
    if key and topic.external is None:
        binding |= {"key": key, "schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent"}
    made: Document = {
        "name": topic.name,
        "title": topic.name.replace("_", " ").capitalize(),
        "contentType": _CONTENT[form],
        "payload": {"schemaFormat": _FORMATS[form], "schema": _payload(topic, form)},
        "bindings": {"kafka": binding},
    }
    if topic.external is None:
        made["correlationId"] = {"location": "$message.header#/ce_correlationid"}
        made["traits"] = [{"$ref": "#/components/messageTraits/cloudEvents"}]
    return made


def _trait() -> Document:
    """The envelope that every record of a domain carries."""
    properties = {name: {"type": "string", "description": text} for name, text in _HEADERS.items()}
    return {"headers": {"type": "object", "properties": properties, "required": _REQUIRED}}


def _payload(topic: Topic, form: str) -> Any:
    try:
        text = topic.schema_path.read_text(encoding="utf-8")
        schema: Any = text if form == "PROTOBUF" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the schema of topic {topic.full_name} cannot be used",
            where=str(topic.schema_path),
            got=str(error),
        ) from error
    envelope = topic.external.envelope if topic.external else "none"
    if envelope == "connect":
        return {"type": "object", "properties": {"schema": {"type": "object"}, "payload": schema}}
    if envelope == "debezium" and form == "AVRO":
        from hanse.wire.debezium import avro_envelope

        return avro_envelope(text)
    if envelope == "debezium":
        image = {"oneOf": [{"type": "null"}, schema]}
        return {"type": "object", "properties": {"before": image, "after": image, "op": {"type": "string"}}}
    return schema
