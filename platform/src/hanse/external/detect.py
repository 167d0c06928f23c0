"""What a topic that others write holds: the form of its values, the row inside, its key, its time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hanse.errors import ConfigError, DecodeError, SchemaError, UnknownSchema
from hanse.external.avro_rows import change_row, readable
from hanse.external.json_rows import fields_of, inferred, of_connect
from hanse.external.keys import FoundKey, KeyReader, key_of
from hanse.log.show import last_records
from hanse.model.mesh import Envelope
from hanse.ports.event_log import EventLog
from hanse.ports.schema_registry import RegisteredSchema, SchemaRegistry, SchemaType
from hanse.wire.formats import SUFFIXES, columns_of, decoder_for
from hanse.wire.json.connect import payload_of
from hanse.wire.json.rows import load

SAMPLE = 1_000
PERSONAL = re.compile(
    r"(?i)(e_?mail|phone|mobile|(first|last|full|family|given)_?name|surname|birth|street|address|iban|passport)"
)
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,120}")
_TIMES = ("event_time", "occurred_at", "updated_at", "modified_at", "created_at", "timestamp", "ts")


@dataclass(slots=True)
class Found:
    """A topic's form. `schema` is the text of the row's schema; `rows` the sample, without tombstones."""

    topic: str
    form: SchemaType
    envelope: Envelope
    schema: str
    key: tuple[str, ...]
    key_from: Literal["value", "record"]
    kind: Literal["events", "state"]
    event_time: str | None
    partial: bool
    records: int
    sampled: int
    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list[str])

    @property
    def suffix(self) -> str:
        """Of the schema's file."""
        return next(s for s, form in SUFFIXES.items() if form == self.form)

    def grouping(self) -> list[str]:
        """Text columns whose values repeat in the sample, those of the fewest values first."""
        counts: dict[str, int] = {}
        for name in {n for row in self.rows for n in row}:
            values = [row[name] for row in self.rows if isinstance(row.get(name), str)]
            distinct = len(set(values))
            if distinct < len(values) and distinct <= max(5, len(values) // 2):
                counts[name] = distinct
        return sorted(counts, key=lambda name: (counts[name], name))


@dataclass(slots=True)
class _Values:
    """The values read: their form, the row's schema, and per record the row (None: a tombstone or unreadable)."""

    form: SchemaType
    envelope: Envelope
    schema: Any
    rows: list[dict[str, Any] | None]
    notes: list[str]


def look(log: EventLog, registry: SchemaRegistry, topic: str, key: tuple[str, ...] = ()) -> Found:
    """What the newest records of a topic tell; `key` names the key's columns where they do not.

    Raises ConfigError: no records, values of no form that Hanse reads, no key where one is needed.
    UnknownTopic.
    """
    info, ranges = log.topic(topic), log.ranges(topic)
    sample, _ = last_records(log, topic, SAMPLE)
    raw = [row["value"] for row in sample]
    if not any(value is not None for value in raw):
        raise ConfigError(
            "the topic has no records whose form could be looked at",
            where=f"topic {topic}",
            fix="wait until its producer has written some, then run this again",
        )
    values = _read(raw, registry, topic)
    state = values.envelope == "debezium" or info.spec.cleanup == "compact" or None in raw
    known = _columns(values)
    reader = KeyReader(registry)
    found = (
        FoundKey(key, "value" if set(key) <= known else "record", ("string",) * len(key))
        if key
        else key_of([row["key"] for row in sample], values.rows, known, reader)
    )
    if state and not found.columns:
        raise ConfigError(
            "the topic's rows are updated and deleted by key, and its records tell none",
            where=f"topic {topic}",
            fix=f"name the key's columns, such as --key {sorted(known)[0] if known else 'id'}",
        )
    partial = info.spec.cleanup == "delete" and any(r.low > 0 for r in ranges.values())
    if partial:
        values.notes.append("the topic has dropped its first records: the product begins with what is left")
    rows = [row for row in values.rows if row is not None]
    schema = _schema(values, found)
    _check(schema, values, topic)
    return Found(
        topic=topic,
        form=values.form,
        envelope=values.envelope,
        schema=schema,
        key=found.columns,
        key_from=found.key_from,
        kind="state" if state else "events",
        event_time=_event_time(schema, values.form, rows),
        partial=partial,
        records=sum(r.high - r.low for r in ranges.values()),
        sampled=len(sample),
        rows=rows,
        notes=values.notes,
    )


def _read(raw: Sequence[bytes | None], registry: SchemaRegistry, topic: str) -> _Values:
    present = [value for value in raw if value is not None]
    framed = [value for value in present if len(value) >= 5 and value[0] == 0]
    if 2 * len(framed) > len(present):
        return _registered(raw, _schema_of(framed[-1], registry, topic), registry)
    documents = [_parsed(value) for value in raw]
    good = [d for d in documents if isinstance(d, dict)]
    notes = _unreadable(len(present) - len(good), len(present))
    if 2 * len(good) < len(present):
        raise ConfigError(
            "the values are neither JSON objects nor in Confluent's frame",
            where=f"topic {topic}",
            got=repr(present[-1][:60]),
            fix="have its producer write JSON, or Avro, Protobuf or JSON with a schema registry",
        )
    wrapped = [d for d in good if d.keys() == {"schema", "payload"} and isinstance(d["schema"], dict)]
    if 2 * len(wrapped) > len(good):
        return _connect(documents, wrapped[-1]["schema"], topic, notes)
    if 2 * sum(_is_change(d) for d in good) > len(good):
        images = [_image(d) for d in documents]
        return _Values("JSON", "debezium", inferred(_rows(images), notes), images, notes)
    rows = [d if isinstance(d, dict) else None for d in documents]
    return _Values("JSON", "none", inferred(_rows(rows), notes), rows, notes)


def _schema_of(value: bytes, registry: SchemaRegistry, topic: str) -> RegisteredSchema:
    schema_id = int.from_bytes(value[1:5], "big")
    try:
        found = registry.by_id(schema_id)
    except UnknownSchema as error:
        raise ConfigError(
            f"the registry does not know the schema {schema_id} of the topic's values",
            where=f"topic {topic}",
            got=error.what,
            fix="name the topic's registry: --registry http(s)://host:port",
        ) from error
    if found.references:
        raise ConfigError(
            "the schema of the topic's values refers to others, which a product's source cannot yet",
            where=f"topic {topic}, schema {schema_id}",
            fix="register the schema whole, or declare the topic by hand with a schema that holds all it needs",
        )
    return found


def _registered(raw: Sequence[bytes | None], found: RegisteredSchema, registry: SchemaRegistry) -> _Values:
    notes: list[str] = []
    if found.schema_type == "PROTOBUF":
        return _Values("PROTOBUF", "none", found.schema, _decoded(raw, found, registry, notes), notes)
    document: Any = json.loads(found.schema)
    if found.schema_type == "AVRO":
        row = change_row(document)
        rows = _decoded(raw, found, registry, notes)
        images = rows if row is None else [_image(d) for d in rows]
        return _Values(
            "AVRO", "none" if row is None else "debezium", readable(row or document), images, notes
        )
    parsed = [_parsed(None if value is None else value[5:]) for value in raw]
    rows = [d if isinstance(d, dict) else None for d in parsed]
    if {"before", "after", "op"} <= set(document.get("properties") or {}):
        images = [_image(d) for d in rows]
        return _Values("JSON", "debezium", inferred(_rows(images), notes), images, notes)
    return _Values("JSON", "none", _usable(document, _rows(rows), notes), rows, notes)


def _decoded(
    raw: Sequence[bytes | None], found: RegisteredSchema, registry: SchemaRegistry, notes: list[str]
) -> list[dict[str, Any] | None]:
    """Each value by the newest schema; None for tombstones and what that schema does not read."""
    import pyarrow as pa

    try:
        decoder = decoder_for(registry, found.schema, found.schema_type)
    except SchemaError as error:
        raise ConfigError(
            "the registered schema of the topic's values has no columns",
            where=f"schema {found.id} of {found.subject or 'the registry'}",
            got=str(error),
        ) from error
    result = decoder.decode(pa.table({"value": pa.array(raw, pa.large_binary())}))
    rows: list[dict[str, Any] | None] = [None] * len(raw)
    for place, row in zip(result.indices.tolist(), result.table.to_pylist(), strict=True):
        rows[place] = row
    present = sum(value is not None for value in raw)
    notes += _unreadable(present - result.table.num_rows, present)
    return rows


def _usable(document: Any, rows: list[dict[str, Any]], notes: list[str]) -> Any:
    """The registered JSON Schema where it describes columns, else what the sample tells."""
    try:
        columns_of(json.dumps(document), "JSON")
    except SchemaError as error:
        notes.append(f"the registered schema has no columns ({error.what}): the sample is followed")
        return inferred(rows, notes)
    return document


def _connect(documents: list[Any], schema: Any, topic: str, notes: list[str]) -> _Values:
    payloads = [payload_of(d) for d in documents]
    fields = {str(f.get("field")): f for f in fields_of(schema)}
    if schema.get("type") != "struct":
        raise ConfigError(
            "the payload is no record, so it has no columns",
            where=f"topic {topic}",
            got=f"a Kafka Connect schema of type {schema.get('type')}",
            fix="let the connector name the value, as the transform HoistField does",
        )
    if {"before", "after", "op"} <= fields.keys():
        row = of_connect({**fields["after"], "type": "struct"}, notes) or {}
        return _Values("JSON", "debezium", row, [_image(p) for p in payloads], notes)
    rows = [p if isinstance(p, dict) else None for p in payloads]
    return _Values("JSON", "connect", of_connect(schema, notes) or {}, rows, notes)


def _parsed(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return load(value)
    except DecodeError:
        return None


def _is_change(document: dict[str, Any]) -> bool:
    return "op" in document and "source" in document and ("after" in document or "before" in document)


def _image(event: Any) -> dict[str, Any] | None:
    """The row that a change event is about."""
    event = payload_of(event)
    if not isinstance(event, dict):
        return None
    image = event.get("after") or event.get("before")
    return image if isinstance(image, dict) else None


def _rows(rows: Sequence[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [row for row in rows if row is not None]


def _unreadable(bad: int, of: int) -> list[str]:
    return [f"{bad} of {of} values in the sample cannot be read and will be set aside"] if bad else []


def _columns(values: _Values) -> set[str]:
    if values.form == "AVRO":
        return {f["name"] for f in values.schema["fields"]}
    if values.form == "JSON":
        return set(values.schema.get("properties") or {})
    return set(columns_of(values.schema, "PROTOBUF").names)


def _schema(values: _Values, key: FoundKey) -> str:
    """The row's schema as text: key columns required, personal ones named, names that SQL can tell apart."""
    if values.form == "PROTOBUF":
        if key.key_from == "record":
            raise ConfigError(
                "the key of a topic in Protobuf must stand in its values", fix="name its columns with --key"
            )
        return values.schema
    return json.dumps(_avro(values, key) if values.form == "AVRO" else _json(values, key), indent=2) + "\n"


def _check(schema: str, values: _Values, topic: str) -> None:
    """Raises ConfigError when nothing of the rows can be a column."""
    try:
        columns_of(schema, values.form)
    except SchemaError as error:
        raise ConfigError(
            "the topic's values have no columns",
            where=f"topic {topic}",
            got="; ".join([error.what, *values.notes[:10]]),
            fix="declare the topic by hand, with a schema of what is to be read",
        ) from error


def _avro(values: _Values, key: FoundKey) -> Any:
    document = values.schema
    own = [] if key.key_from == "value" else list(zip(key.columns, key.types, strict=True))
    fields: list[dict[str, Any]] = [
        {"name": name, "type": "long" if kind == "integer" else "string"} for name, kind in own
    ]
    kept = _distinct([f["name"] for f in document["fields"]], values.notes)
    for f in document["fields"]:
        if f["name"] not in kept:
            continue
        made = dict(f)
        if f["name"] in key.columns and isinstance(f["type"], list):
            rest = [b for b in f["type"] if b != "null"]
            made = {**made, "type": rest[0] if len(rest) == 1 else rest}
            made.pop("default", None)
        if PERSONAL.search(f["name"]) and "hanse.classification" not in f:
            made["hanse.classification"] = "personal"
        fields.append(made)
    return {**document, "fields": fields}


def _json(values: _Values, key: FoundKey) -> Any:
    document = values.schema
    own = {} if key.key_from == "value" else dict(zip(key.columns, key.types, strict=True))
    properties: dict[str, Any] = {name: {"type": kind} for name, kind in own.items()}
    described: dict[str, Any] = document.get("properties") or {}
    for name in _distinct(list(described), values.notes):
        found = described[name]
        personal = {"hanse.classification": "personal"} if PERSONAL.search(name) else {}
        properties[name] = {**found, **personal}
    required = [n for n in properties if n in key.columns or n in (document.get("required") or [])]
    return {**document, "type": "object", "properties": properties, "required": required}


def _distinct(names: list[str], notes: list[str]) -> list[str]:
    """Names that can be columns: SQL does not tell capitals from small letters."""
    seen: Counter[str] = Counter()
    kept: list[str] = []
    for name in names:
        seen[name.lower()] += 1
        if not _COLUMN.fullmatch(name) or seen[name.lower()] > 1:
            notes.append(f"{name[:60]} cannot be the name of a column beside the others and is left out")
        else:
            kept.append(name)
    return kept


def _event_time(schema: str, form: SchemaType, rows: list[dict[str, Any]]) -> str | None:
    """A timestamp that no row of the sample lacks."""
    import pyarrow as pa

    columns = columns_of(schema, form)
    times = [f.name for f in columns if pa.types.is_timestamp(f.type)]
    whole = [name for name in times if all(row.get(name) is not None for row in rows)]
    return next((n for wanted in _TIMES for n in whole if n.lower() == wanted), whole[0] if whole else None)
