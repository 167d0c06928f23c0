"""Makes log records of integration events: Avro in Confluent's frame, the envelope in CloudEvents headers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
import pyarrow as pa
from fastavro.schema import SchemaParseException

from hanse.errors import ConfigError, SchemaError
from hanse.model.envelope import MAX_ORDINAL, SPEC_VERSION, Envelope, record_position
from hanse.relay.avro import Memory, record_writer

if TYPE_CHECKING:
    from hanse.domain.application import Publish
    from hanse.model.mesh import Topic
    from hanse.ports.schema_registry import RegisteredSchema

_NAMES = (
    "ce_specversion",
    "ce_source",
    "ce_time",
    "ce_correlationid",
    "ce_causationid",
    "ce_commandid",
    "ce_type",
    "ce_dataschema",
    "ce_id",
    "ce_subject",
    "ce_position",
)
_NAMES_TRACED = ("traceparent", *_NAMES)
_HEADER = pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())])


class Origin(NamedTuple):
    """The domain event behind records: its position, and the header values that they all share."""

    position: int
    event_id: str
    names: tuple[str, ...]
    values: tuple[bytes, ...]

    @classmethod
    def of(cls, source: bytes, position: int, envelope: Envelope) -> Origin:
        """The origin of the event at `position` of the store that `source` names."""
        values = (
            SPEC_VERSION,
            source,
            envelope.time.isoformat().encode(),
            envelope.correlation_id.encode(),
            envelope.causation_id.encode(),
            envelope.command_id.encode(),
        )
        names = _NAMES
        if envelope.traceparent:
            names, values = _NAMES_TRACED, (envelope.traceparent.encode(), *values)
        return cls(position, envelope.event_id, names, values)


@dataclass(slots=True)
class Rows:
    """Records of one topic as columns, until they are produced together."""

    keys: list[bytes] = field(default_factory=list[bytes])
    values: list[bytes | None] = field(default_factory=list[bytes | None])
    names: list[str] = field(default_factory=list[str])
    headers: list[bytes] = field(default_factory=list[bytes])
    ends: list[int] = field(default_factory=lambda: [0])

    def add(self, record: Produced) -> None:
        """Add one record."""
        self.keys.append(record.key)
        self.values.append(record.value)
        self.names += record.origin.names
        self.headers += record.headers
        self.ends.append(len(self.headers))

    def add_plain(self, key: bytes, value: bytes, headers: Iterable[tuple[str, bytes]]) -> None:
        """Add a record whose headers are its own."""
        self.keys.append(key)
        self.values.append(value)
        for name, header in headers:
            self.names.append(name)
            self.headers.append(header)
        self.ends.append(len(self.headers))

    def table(self) -> pa.Table:
        """The rows as `EventLog.produce_table` takes them.

        Without a timestamp: a record's is the moment it reached the log, from which retention and freshness
        count; when the event happened stands in `ce_time` and in the event.
        """
        entries = pa.StructArray.from_arrays(
            [pa.array(self.names, pa.string()), pa.array(self.headers, pa.binary())], fields=list(_HEADER)
        )
        return pa.table(
            {
                "key": pa.array(self.keys, pa.large_binary()),
                "value": pa.array(self.values, pa.large_binary()),
                "headers": pa.ListArray.from_arrays(pa.array(self.ends, pa.int32()), entries),
            }
        )


class Produced(NamedTuple):
    """One record: key, framed value (None for a tombstone), and its header values."""

    topic: str
    key: bytes
    value: bytes | None
    origin: Origin
    headers: tuple[bytes, ...]


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

    def __init__(self, topic: Topic, registered: RegisteredSchema, memory: Memory) -> None:
        self.topic = topic
        parsed: Any = fastavro.parse_schema(json.loads(registered.schema))
        self._write = record_writer(parsed, b"\x00" + registered.id.to_bytes(4, "big"), memory)
        self._type = str(parsed["name"]).encode()
        self._schema = f"/subjects/{registered.subject}/versions/{registered.version}".encode()
        self._key_column = topic.key[0] if len(topic.key) == 1 else None

    def record(self, published: Publish, origin: Origin, ordinal: int) -> Produced:
        """The record number `ordinal` of the event at `origin`.

        Raises SchemaError when the value has not exactly the schema's fields, or a field the wrong type.
        """
        if ordinal > MAX_ORDINAL:
            raise SchemaError(
                "one event became too many records",
                where=f"position {origin.position}",
                expected=f"at most {MAX_ORDINAL + 1}",
            )
        value = published.value
        key = self._key(published)
        try:
            data = None if value is None else self._write(value)
        except SchemaError as error:
            raise self._misfit(error) from error
        headers = (
            *origin.values,
            self._type,
            self._schema,
            (f"{origin.event_id}.{ordinal}" if ordinal else origin.event_id).encode(),
            key,
            b"%d" % record_position(origin.position, ordinal),
        )
        return Produced(published.topic, key, data, origin, headers)

    def _misfit(self, error: SchemaError) -> SchemaError:
        return SchemaError(
            f"{self.topic.full_name}: {error.what}",
            where=f"{self.topic.schema_path} {error.where or ''}".strip(),
            expected=error.expected,
            got=error.got,
        )

    def _key(self, published: Publish) -> bytes:
        value = published.value
        if value is not None and self._key_column is not None:
            text = value.get(self._key_column)
            if type(text) is str:
                return text.encode()
        parts = (published.key or ()) if value is None else [value.get(name) for name in self.topic.key]
        if len(parts) != len(self.topic.key) or None in parts:
            raise SchemaError(
                f"a record for {self.topic.full_name} has no key", expected=", ".join(self.topic.key)
            )
        return "|".join(map(str, parts)).encode()
