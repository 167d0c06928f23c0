"""Makes log records of integration events: Avro in Confluent's frame, the envelope in CloudEvents headers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import SchemaParseException

from hanse.errors import ConfigError, SchemaError
from hanse.model.envelope import MAX_ORDINAL, SPEC_VERSION, Envelope, record_position
from hanse.ports.event_log import Record

if TYPE_CHECKING:
    from hanse.domain.application import Publish
    from hanse.model.mesh import Topic
    from hanse.ports.schema_registry import RegisteredSchema

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """The domain event behind a record: its source, its position, and the headers all its records share."""

    position: int
    event_id: str
    timestamp_ms: int
    headers: Headers

    @classmethod
    def of(cls, source: bytes, position: int, envelope: Envelope) -> Origin:
        """The origin of the event at `position` of the store that `source` names."""
        headers = [
            ("ce_specversion", SPEC_VERSION),
            ("ce_source", source),
            ("ce_time", envelope.time.isoformat().encode()),
            ("ce_correlationid", envelope.correlation_id.encode()),
            ("ce_causationid", envelope.causation_id.encode()),
            ("ce_commandid", envelope.command_id.encode()),
        ]
        if envelope.traceparent:
            headers.append(("traceparent", envelope.traceparent.encode()))
        return cls(position, envelope.event_id, int(envelope.time.timestamp() * 1000), tuple(headers))


def read_schema(topic: Topic) -> str:
    """The text of the topic's Avro schema. Raises ConfigError when it is missing or lacks a key column."""
    try:
        text = topic.schema_path.read_text(encoding="utf-8")
        parsed: Any = fastavro.parse_schema(json.loads(text))
    except (OSError, ValueError, SchemaParseException) as error:
        raise ConfigError(
            f"the schema of the topic {topic.full_name} cannot be used",
            where=str(topic.schema_path),
            got=str(error),
        ) from error
    names = [field["name"] for field in parsed.get("fields", ())] if isinstance(parsed, dict) else []
    missing = [column for column in topic.key if column not in names]
    if missing:
        raise ConfigError(
            f"the schema of the topic {topic.full_name} lacks its key",
            where=str(topic.schema_path),
            expected=", ".join(topic.key),
            got=", ".join(names),
        )
    return text


class TopicWriter:
    """Writes the records of one topic under its registered schema."""

    def __init__(self, topic: Topic, registered: RegisteredSchema) -> None:
        self.topic = topic
        parsed: Any = fastavro.parse_schema(json.loads(registered.schema))
        self._schema = parsed
        self._names = frozenset(field["name"] for field in parsed["fields"])
        self._frame = b"\x00" + registered.id.to_bytes(4, "big")
        self._headers: Headers = (
            ("ce_type", str(parsed["name"]).encode()),
            (
                "ce_dataschema",
                f"/subjects/{registered.subject}/versions/{registered.version}".encode(),
            ),
        )

    def record(self, published: Publish, origin: Origin, ordinal: int) -> Record:
        """The record number `ordinal` of the event at `origin`.

        Raises SchemaError when the value has not exactly the schema's fields, or a field the wrong type.
        """
        if ordinal > MAX_ORDINAL:
            raise SchemaError(
                "one event became too many records",
                where=f"position {origin.position}",
                expected=f"at most {MAX_ORDINAL + 1}",
            )
        key = self._key(published)
        headers = (
            *origin.headers,
            *self._headers,
            ("ce_id", (f"{origin.event_id}.{ordinal}" if ordinal else origin.event_id).encode()),
            ("ce_subject", key),
            ("ce_position", str(record_position(origin.position, ordinal)).encode()),
        )
        value = None if published.value is None else self._encode(published.value)
        return Record(value, key, headers, origin.timestamp_ms)

    def _key(self, published: Publish) -> bytes:
        value = published.value
        parts: Sequence[Any] = (
            (published.key or ()) if value is None else [value.get(name) for name in self.topic.key]
        )
        if len(parts) != len(self.topic.key) or any(part is None for part in parts):
            raise SchemaError(
                f"a record for {self.topic.full_name} has no key", expected=", ".join(self.topic.key)
            )
        return "|".join(map(str, parts)).encode()

    def _encode(self, value: dict[str, Any]) -> bytes:
        if value.keys() != self._names:
            raise SchemaError(
                f"a mapping gives {self.topic.full_name} other fields than its schema has",
                where=str(self.topic.schema_path),
                expected=", ".join(sorted(self._names)),
                got=", ".join(sorted(value)),
            )
        buffer = BytesIO()
        buffer.write(self._frame)
        try:
            fastavro.schemaless_writer(buffer, self._schema, value)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SchemaError(
                f"a value does not fit the schema of {self.topic.full_name}",
                where=str(self.topic.schema_path),
                got=str(error),
            ) from error
        return buffer.getvalue()
