"""Against independent readers: the avro package, Google's runtime, another parser of .proto files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.schemas import compare, parse
from hanse.schemas.protobuf_compile import to_base64, to_descriptor
from hanse.schemas.protobuf_types import declared_types

CASES = Path(__file__).parent / "cases"
PRIMITIVES = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
SYMBOLS = st.lists(st.sampled_from("ABCD"), min_size=1, max_size=4, unique=True)


def unique(branches: list[Any]) -> list[Any]:
    """At most one branch of each type in a union."""
    found = {
        b if isinstance(b, str) else b.get("name", b["type"]): b for b in branches if not isinstance(b, list)
    }
    return list(found.values())


def types(depth: int, number: str = "") -> st.SearchStrategy[Any]:
    """Avro types whose named types never meet twice in a schema."""
    enums = SYMBOLS.map(lambda s: {"type": "enum", "name": f"E{number}", "symbols": sorted(s)})
    fixed = st.sampled_from([2, 4]).map(lambda n: {"type": "fixed", "name": f"F{number}", "size": n})
    if depth == 0:
        return PRIMITIVES | enums | fixed
    inner = types(depth - 1, number + "i")
    fields = st.lists(
        st.tuples(st.sampled_from("abc"), types(depth - 1, number + "f")),
        max_size=1,
        unique_by=lambda f: f[0],
    )
    record = fields.map(
        lambda found: {
            "type": "record",
            "name": f"R{number}",
            "fields": [{"name": name, "type": kind} for name, kind in found],
        }
    )
    union = st.lists(PRIMITIVES, min_size=1, max_size=3).flatmap(
        lambda plain: record.map(lambda named: unique([*plain, named]))
    )
    return (
        PRIMITIVES
        | inner.map(lambda t: {"type": "array", "items": t})
        | inner.map(lambda t: {"type": "map", "values": t})
        | record
        | union
    )


@settings(max_examples=250, deadline=None)
@given(types(2), types(2))
def test_avro_verdicts_equal_those_of_the_avro_package(old: Any, new: Any) -> None:
    old_text, new_text = json.dumps(old), json.dumps(new)
    checker = ReaderWriterCompatibilityChecker()
    result = checker.get_compatibility(avro_parse(new_text), avro_parse(old_text))
    theirs = result.compatibility is SchemaCompatibilityType.compatible
    ours = not compare(parse("AVRO", new_text), parse("AVRO", old_text))
    assert ours is theirs


def protobuf_texts() -> list[str]:
    lines = (CASES / "own-protobuf.jsonl").read_text(encoding="utf-8").splitlines()
    found = {json.loads(line)[side] for line in lines for side in ("old", "new")}
    return sorted(found)


def pool_with_well_known() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, timestamp_pb2, duration_pb2, wrappers_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


def test_compiled_files_are_what_googles_runtime_accepts() -> None:
    for text in protobuf_texts():
        parsed = parse("PROTOBUF", text, strict=True)
        descriptor = to_descriptor(parsed.tree, "test.proto")
        pool = pool_with_well_known()
        pool.Add(descriptor)
        for name, _ in declared_types(parsed.tree.file):
            known = pool.FindFileContainingSymbol(name)
            assert known.name == "test.proto"


def test_compiled_files_read_back_as_the_same_schema() -> None:
    for text in protobuf_texts():
        parsed = parse("PROTOBUF", text)
        back = parse("PROTOBUF", to_base64(parsed.tree))
        assert compare(back, parsed) == compare(parsed, back) == []
        assert parse("PROTOBUF", back.text).canonical == back.canonical
        again = parse("PROTOBUF", to_base64(back.tree))
        assert again.canonical == back.canonical


def test_another_parser_sees_the_same_fields() -> None:
    from proto_schema_parser import ast
    from proto_schema_parser.parser import Parser

    def theirs(elements: Any, prefix: str) -> set[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        for item in elements:
            if isinstance(item, ast.Message | ast.OneOf):
                inner = prefix if isinstance(item, ast.OneOf) else f"{prefix}.{item.name}"
                found |= theirs(item.elements, inner)
            elif isinstance(item, ast.Field | ast.MapField):
                found.add((f"{prefix}.{item.name}", item.number))
        return found

    for text in protobuf_texts()[::4]:
        file = parse("PROTOBUF", text).tree.file
        ours = {
            (f".{name.removeprefix(file.package).lstrip('.')}.{field.name}", field.number)
            for name, item in declared_types(file)
            if hasattr(item, "fields")
            for field, _ in item.all_fields()
        }
        ours = {pair for pair in ours if ".G." not in pair[0]}
        assert ours == theirs(Parser().parse(text).file_elements, "")


@pytest.mark.parametrize(
    "text",
    [
        'syntax = "proto2"; message M { optional string a = 1 [default = "x\\"y", json_name = "A"]; }',
        'syntax = "proto2"; message M { extensions 100 to max; } extend M { optional int32 z = 100; }',
        'syntax = "proto3"; message M { optional int32 a = 1; repeated int32 b = 2 [packed = false]; }',
        'syntax = "proto3"; message M { reserved 2, 9 to 11; reserved "x"; map<int32, M> m = 1; }',
        'syntax = "proto3"; enum E { option allow_alias = true; Z = 0; Y = 0; reserved 5 to max; }',
        'syntax = "proto3"; message M {} service S { rpc A (stream M) returns (stream M); }',
        'syntax = "proto2"; message M { optional group G = 1 { optional int32 a = 1; } }',
        "/* c */ syntax = 'proto3'; // d\nimport 'google/protobuf/any.proto'; message M { int32 a = 0x1; }",
        'syntax = "proto3"; message message { int32 reserved = 1; string option_ = 2; bytes to = 3; }',
    ],
)
def test_corners_of_the_language(text: str) -> None:
    parsed = parse("PROTOBUF", text, strict=True)
    descriptor = to_descriptor(parsed.tree, "test.proto")
    pool_with_well_known().Add(descriptor)
    again = descriptor_pb2.FileDescriptorProto.FromString(descriptor.SerializeToString())
    assert again == descriptor
    assert parse("PROTOBUF", parsed.canonical, strict=True).canonical == parsed.canonical
