"""The format of a topic's values, by its schema's file: `.avsc` Avro, `.json` JSON Schema, `.proto` Protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hanse.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

    from hanse.ports.schema_registry import SchemaRegistry, SchemaType
    from hanse.wire.decoded import ValueDecoder

SUFFIXES: dict[str, SchemaType] = {".avsc": "AVRO", ".json": "JSON", ".proto": "PROTOBUF"}


def format_of(path: Path) -> SchemaType:
    """The format that the file's name says. Raises SchemaError for another suffix."""
    if path.suffix not in SUFFIXES:
        raise SchemaError(
            "the format of a schema is not known by its file's name",
            where=str(path),
            expected=", ".join(f"{s} ({f})" for s, f in SUFFIXES.items()),
        )
    return SUFFIXES[path.suffix]


def columns_of(schema: str, form: SchemaType) -> pa.Schema:
    """The columns of the schema's record. Raises SchemaError when it has none."""
    if form == "AVRO":
        from hanse.wire.avro.schema import parse
        from hanse.wire.avro.types import arrow_schema

        return arrow_schema(parse(schema))
    if form == "JSON":
        from hanse.wire.json.decoder import JsonDecoder

        return JsonDecoder(None, schema).schema
    from hanse.wire.protobuf.decoder import ProtobufDecoder

    return ProtobufDecoder(None, schema).schema


def decoder_for(registry: SchemaRegistry, schema: str, form: SchemaType) -> ValueDecoder:
    """The decoder into the schema's columns. Raises SchemaError when it has none."""
    if form == "AVRO":
        from hanse.wire.decoder import Decoder

        return Decoder(registry, schema)
    if form == "JSON":
        from hanse.wire.json.decoder import JsonDecoder

        return JsonDecoder(registry, schema)
    from hanse.wire.protobuf.decoder import ProtobufDecoder

    return ProtobufDecoder(registry, schema)
