"""Decoders of topics that others write: an envelope around the row, or key columns in the record's key alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from hanse.model.mesh import External, Topic
from hanse.ports.schema_registry import SchemaRegistry, SchemaType
from hanse.projection.keys import Keys
from hanse.wire.decoded import Decoded, ValueDecoder, by_place
from hanse.wire.formats import columns_of, decoder_for, format_of


def topic_decoder(topic: Topic, registry: SchemaRegistry, schema: str) -> ValueDecoder:
    """The decoder of a topic's values into all columns of its schema. Raises SchemaError."""
    form = format_of(topic.schema_path)
    if topic.external is None:
        return decoder_for(registry, schema, form)
    if topic.external.key_from == "value":
        return _decoder(topic.external, registry, schema, form, topic.key)
    inner = _decoder(topic.external, registry, without(schema, form, topic.key), form, topic.key)
    return KeyedDecoder(inner, topic.key, columns_of(schema, form), registry)


def _decoder(
    external: External, registry: SchemaRegistry, schema: str, form: SchemaType, key: tuple[str, ...]
) -> ValueDecoder:
    if external.envelope == "debezium":
        from hanse.wire.debezium import DebeziumDecoder

        return DebeziumDecoder(registry, schema, form, key)
    if external.envelope == "connect":
        from hanse.wire.json.decoder import JsonDecoder

        return JsonDecoder(registry, schema, wrapped=True)
    return decoder_for(registry, schema, form)


def without(schema: str, form: SchemaType, names: tuple[str, ...]) -> str:
    """An Avro record or a JSON Schema without those fields."""
    document: Any = json.loads(schema)
    if form == "AVRO":
        document["fields"] = [f for f in document["fields"] if f["name"] not in names]
    else:
        properties = document.get("properties", {})
        document["properties"] = {n: p for n, p in properties.items() if n not in names}
        document["required"] = [n for n in document.get("required", []) if n not in names]
    return json.dumps(document)


class KeyedDecoder:
    """Adds the columns that stand in the record's key to those that `inner` reads from its value."""

    def __init__(
        self, inner: ValueDecoder, key: tuple[str, ...], schema: pa.Schema, registry: SchemaRegistry
    ) -> None:
        self.inner = inner
        self.schema = schema
        self.keys = Keys(key, schema, registry, strict=True, external=True)

    def decode(self, rows: pa.Table) -> Decoded:
        """The records whose value and key both read."""
        found = self.inner.decode(rows)
        keys = rows.column("key").take(pa.array(found.indices))
        places, columns, poison = self.keys.read(np.arange(len(found.indices)), keys)
        values = found.table.take(pa.array(places))
        made = dict(zip(self.keys.columns, columns, strict=True))
        arrays = [made[n] if n in made else values.column(n) for n in self.schema.names]
        bad = [type(p)(int(found.indices[p.row]), p.reason, p.exception) for p in poison]
        table = pa.table(arrays, schema=self.schema)
        return Decoded(table, found.indices[places], by_place([*found.poison, *bad]), gone=found.gone)
