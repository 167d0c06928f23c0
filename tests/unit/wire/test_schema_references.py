"""Writers' schemas that refer to others, through the real registry."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from hanse.ports.schema_registry import SchemaReference
from hanse.registry.embedded import EmbeddedRegistry
from hanse.wire.decoder import Decoder
from hanse.wire.frame import frame
from hanse.wire.protobuf.decoder import ProtobufDecoder


def values(*given: bytes) -> pa.Table:
    return pa.table({"value": pa.array(given, pa.large_binary())})


def test_an_avro_schema_that_names_types_of_others(tmp_path: Path) -> None:
    registry = EmbeddedRegistry(tmp_path / "registry.db")
    city = {
        "type": "record",
        "name": "City",
        "namespace": "a",
        "fields": [{"name": "name", "type": "string"}],
    }
    home = {"type": "record", "name": "Home", "namespace": "a", "fields": [{"name": "city", "type": "City"}]}
    top = {"type": "record", "name": "Top", "namespace": "a", "fields": [{"name": "home", "type": "a.Home"}]}
    registry.register("city", json.dumps(city))
    registry.register("home", json.dumps(home), references=(SchemaReference("a.City", "city", 1),))
    references = (SchemaReference("a.Home", "home", 1),)
    made = registry.register("top-value", json.dumps(top), references=references)
    home["fields"][0]["type"] = city  # type: ignore[index]
    top["fields"][0]["type"] = home  # type: ignore[index]
    got = Decoder(registry, json.dumps(top)).decode(values(frame(made.id, b"\x04ab")))
    assert got.table.to_pylist() == [{"home": {"city": {"name": "ab"}}}]
    registry.close()


def test_a_protobuf_file_that_imports_another(tmp_path: Path) -> None:
    registry = EmbeddedRegistry(tmp_path / "registry.db")
    city = 'syntax = "proto3"; package a; message City { string name = 1; }'
    top = 'syntax = "proto3"; package a; import "city.proto"; message Top { City city = 1; string id = 2; }'
    registry.register("city", city, "PROTOBUF")
    made = registry.register("top-value", top, "PROTOBUF", (SchemaReference("city.proto", "city", 1),))
    reader = 'syntax = "proto3"; package b; message Top { City city = 1; message City { string name = 1; } }'
    got = ProtobufDecoder(registry, reader).decode(values(frame(made.id, b"\x00\x0a\x04\x0a\x02ab\x12\x01i")))
    assert got.table.to_pylist() == [{"city": {"name": "ab"}}]
    registry.close()
