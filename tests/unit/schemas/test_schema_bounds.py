"""Hostile schemas: an error that names the place, in bounded time, and never a crash."""

from __future__ import annotations

import io
import json
import random
import string
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.errors import SchemaError
from hanse.schemas import check, compare, parse
from hanse.schemas.finding import MAX_BYTES
from hanse.schemas.patterns import finds
from hanse.schemas.verdict import MAX_LINE, verdict_of_line, verdicts

SECONDS = 10.0
FORMATS = ("AVRO", "JSON", "PROTOBUF")
EXAMPLES = settings(max_examples=120, deadline=None)


@pytest.fixture(autouse=True)
def in_time() -> Any:
    """Every test of this file ends soon, whatever it is given."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SECONDS


def deep_avro(levels: int) -> str:
    return '{"type":"array","items":' * levels + '"int"' + "}" * levels


def deep_json(levels: int) -> str:
    return '{"properties":{"a":' * levels + "{}" + "}}" * levels


def deep_proto(levels: int) -> str:
    return 'syntax = "proto3";' + "message M {" * levels + "}" * levels


HUGE = {
    "AVRO": json.dumps(
        {"type": "enum", "name": "E", "symbols": ["S" + "x" * 95 + str(i) for i in range(100_000)]}
    ),
    "JSON": json.dumps({"enum": ["x" * 100] * 100_000}),
    "PROTOBUF": 'syntax = "proto3";' + "message M {}" * 900_000,
}


@pytest.mark.parametrize("schema_type", FORMATS)
def test_ten_megabytes_are_refused(schema_type: str) -> None:
    assert len(HUGE[schema_type]) > 10_000_000
    with pytest.raises(SchemaError, match="too large"):
        parse(schema_type, HUGE[schema_type])


@pytest.mark.parametrize("levels", [150, 300, 10_000])
@pytest.mark.parametrize(
    ("schema_type", "make"), [("AVRO", deep_avro), ("JSON", deep_json), ("PROTOBUF", deep_proto)]
)
def test_deep_nesting_is_decided_or_refused(schema_type: str, make: Any, levels: int) -> None:
    try:
        parsed = parse(schema_type, make(levels))
        assert compare(parsed, parsed) == []
    except SchemaError as error:
        assert levels > 100 or "deep" in str(error)


def test_wide_schemas_are_compared() -> None:
    fields = [{"name": f"f{i}", "type": "int"} for i in range(20_000)]
    wide = parse("AVRO", json.dumps({"type": "record", "name": "R", "fields": fields}))
    more = parse(
        "AVRO", json.dumps({"type": "record", "name": "R", "fields": [*fields, {"name": "x", "type": "int"}]})
    )
    assert [f.path for f in compare(more, wide)] == ["$.x"]
    body = "".join(f"int32 f{i} = {i};" for i in range(1, 20_000))
    proto = parse("PROTOBUF", f'syntax = "proto3"; message M {{ {body} }}')
    assert compare(proto, proto) == []


def test_combinations_that_multiply_end_in_an_error_or_a_verdict() -> None:
    def nest(depth: int, tail: str) -> dict[str, Any]:
        inner: dict[str, Any] = {"type": "string", "title": tail}
        for level in range(depth):
            inner = {"anyOf": [{**inner, "description": f"{tail}{level}{i}"} for i in range(9)]}
        return inner

    few, more = (parse("JSON", json.dumps(nest(2, tail))) for tail in ("a", "b"))
    assert compare(more, few) == []
    with pytest.raises(SchemaError, match="too complex"):
        compare(*(parse("JSON", json.dumps(nest(4, tail))) for tail in ("a", "b")))
    with pytest.raises(SchemaError, match="too complex"):
        alternatives = [{"const": i} for i in range(2_000)]
        check(
            parse("JSON", json.dumps({"anyOf": alternatives})),
            [(1, parse("JSON", json.dumps({"anyOf": [{"const": -i} for i in range(2_000)]})))],
            "FULL",
        )


def test_recursive_types_and_references() -> None:
    tree = {
        "definitions": {
            f"n{i}": {"anyOf": [{"$ref": f"#/definitions/n{j}"} for j in range(12)]} for i in range(12)
        },
        "$ref": "#/definitions/n0",
    }
    parsed, other = (parse("JSON", json.dumps(tree)) for _ in range(2))
    assert compare(parsed, other) == []
    fields = [{"name": f"f{i}", "type": ["null", "R"]} for i in range(50)]
    record = parse("AVRO", json.dumps({"type": "record", "name": "R", "fields": fields}))
    assert compare(record, record) == []
    with pytest.raises(SchemaError, match="nowhere"):
        parse("JSON", json.dumps({"$ref": "#/definitions/missing"}))
    loop = parse(
        "JSON", json.dumps({"definitions": {"a": {"$ref": "#/definitions/a"}}, "$ref": "#/definitions/a"})
    )
    assert compare(loop, loop) == []


def test_doubling_types_do_not_multiply_findings() -> None:
    def chain(leaf: str) -> str:
        inner: Any = {"type": "record", "name": "R0", "fields": [{"name": "v", "type": leaf}]}
        for i in range(1, 28):
            fields = [{"name": "l", "type": inner}, {"name": "r", "type": f"R{i - 1}"}]
            inner = {"type": "record", "name": f"R{i}", "fields": fields}
        return json.dumps(inner)

    old, new = parse("AVRO", chain("int")), parse("AVRO", chain("string"))
    try:
        assert 0 < len(compare(new, old)) < 100_000
    except SchemaError as error:
        assert "complex" in str(error)


BAD = [
    (
        "AVRO",
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
        "$.a",
    ),
    ("AVRO", '{"type":"record","name":"1R","fields":[]}', "1R"),
    ("AVRO", '{"type":"record","name":"R","fields":[{"name":"a-b","type":"int"}]}', "a-b"),
    ("AVRO", '["int","int"]', "int"),
    ("AVRO", '["int",["null"]]', "union"),
    ("AVRO", '{"type":"enum","name":"E","symbols":["A","A"]}', "twice"),
    ("AVRO", '{"type":"enum","name":"E","symbols":["A"],"default":"B"}', "B"),
    ("AVRO", '{"type":"fixed","name":"F","size":-1}', "-1"),
    ("AVRO", '{"type":"record","name":"R","fields":[{"name":"a","type":"Unknown"}]}', "Unknown"),
    ("AVRO", '{"type":"record","name":"R"}', "fields"),
    ("AVRO", "NaN", "NaN"),
    ("JSON", '{"type":"strin"}', "strin"),
    ("JSON", '{"$schema":"https://json-schema.org/draft/2020-12/schema","type":{}}', "unknown type"),
    ("JSON", "[]", "object or a boolean"),
    ("JSON", '{"minLength":"1"}', "minLength"),
    ("JSON", '{"properties":[]}', "properties"),
    ("JSON", '{"properties":{"a":{"properties":{"b":7}}}}', "#/properties/a/properties/b"),
    ("JSON", '{"required":"a"}', "required"),
    ("PROTOBUF", 'syntax = "proto4";', "line 1"),
    ("PROTOBUF", "message M {\n  int32 a = ;\n}", "line 2, column 13"),
    ("PROTOBUF", "message M { int32 a = 1; ", "end of the file"),
    ("PROTOBUF", "message M { int32 \x00 = 1; }", "unexpected character"),
]


@pytest.mark.parametrize(("schema_type", "text", "named"), BAD)
def test_an_error_names_the_place(schema_type: str, text: str, named: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse(schema_type, text, strict=True)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("int32 a = 1; int32 b = 1;", "taken twice"),
        ("int32 a = 1; int32 a = 2;", "taken twice"),
        ("int32 a = 0;", "cannot be a field's"),
        ("int32 a = 19000;", "cannot be a field's"),
        ("Nobody a = 1;", "Nobody"),
        ("map<double, int32> a = 1;", "double"),
    ],
)
def test_what_a_compiler_would_refuse(body: str, named: str) -> None:
    text = f'syntax = "proto3"; message M {{ {body} }}'
    with pytest.raises(SchemaError, match=named):
        parse("PROTOBUF", text, strict=True)
    parse("PROTOBUF", text)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*x", "(.*)*x", "a*a*a*a*a*a*a*b"])
def test_patterns_that_backtrack_without_end(pattern: str) -> None:
    assert finds(pattern, "a" * 900 + "!") is False


def test_patterns_that_nobody_can_match_safely() -> None:
    with pytest.raises(SchemaError):
        finds(r"(a+)+\1$", "a" * 50)
    with pytest.raises(SchemaError):
        finds("(", "a")
    assert finds("^x-", "x-1")


@EXAMPLES
@given(st.sampled_from(FORMATS), st.text(max_size=300))
def test_any_text(schema_type: str, text: str) -> None:
    try:
        parsed = parse(schema_type, text, strict=True)
        assert compare(parsed, parsed) == []
    except SchemaError as error:
        assert error.what


WORDS = """type properties items enum const anyOf allOf oneOf not $ref $defs definitions required string
object array integer null additionalProperties patternProperties $id #/$defs/a minLength dependencies
$schema a name fields record symbols default values map union size fixed aliases namespace"""
JSON_WORDS = st.sampled_from(WORDS.split())
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(JSON_WORDS, inner, max_size=5),
    max_leaves=25,
)


@EXAMPLES
@given(st.sampled_from(("AVRO", "JSON")), JSON_VALUES, JSON_VALUES, st.booleans())
def test_any_document(schema_type: str, one: Any, two: Any, modern: bool) -> None:
    parsed = []
    for value in (one, two):
        if modern and isinstance(value, dict):
            value = {"$schema": "https://json-schema.org/draft/2020-12/schema", **value}
        try:
            parsed.append(parse(schema_type, json.dumps(value)))
        except SchemaError:
            return
    try:
        for old in parsed:
            for new in parsed:
                check(new, [(1, old)], "FULL")
    except SchemaError:
        return
    assert compare(parsed[0], parsed[0]) == []


PROTO = """syntax = "proto3"; package a.b; import "google/protobuf/any.proto"; option java_package = "x";
message M { option deprecated = true; reserved 4, 9 to 11, "old"; oneof o { int32 a = 1; M b = 2; }
map<string, E> c = 3 [json_name = "d"]; enum E { Z = 0; } message N { optional bytes x = 1; }
repeated N n = 7; } service S { rpc Do (stream M) returns (M) { option idempotency_level = IDEMPOTENT; } }
extend M { int32 z = 100; }"""
DAMAGE = ["", "}", "{", ";", "1", '"', "/*", "message", "\n"]


@EXAMPLES
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_damaged_proto_files(seed: int, cuts: int) -> None:
    chance, text = random.Random(seed), PROTO
    for _ in range(cuts):
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(DAMAGE) + text[at + 1 :]
    try:
        parsed = parse("PROTOBUF", text)
        again = parse("PROTOBUF", parsed.canonical)
        assert again.canonical == parsed.canonical
        assert compare(parsed, again) == compare(again, parsed) == []
    except SchemaError as error:
        assert error.what


def test_verdicts_answer_every_line_in_order() -> None:
    good = {"id": "good", "format": "avro", "old": '"int"', "new": '"long"', "mode": "backward"}
    lines = [
        json.dumps(good),
        "not json",
        '{"id": "cut", "format": "AVRO", "old": "',
        json.dumps({**good, "id": 7, "mode": "SIDEWAYS"}),
        json.dumps({**good, "id": "nothing", "new": None}),
        json.dumps({**good, "id": "bad schema", "new": "{"}),
        json.dumps({**good, "id": "xml", "format": "XML"}),
        "[1, 2]",
        '{"id": "deep", "format": "AVRO", "new": ' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps({**good, "id": "refs", "old_references": [7]}),
        json.dumps({**good, "id": "first", "old": None}),
        json.dumps({**good, "id": "last"}),
    ]
    out = io.StringIO()
    assert verdicts(io.BytesIO("\n".join(lines).encode() + b"\n\xff\xfe\n"), out) is False
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [a["id"] for a in answers] == [
        *("good", None, "cut", 7, "nothing", "bad schema", "xml", None, "deep", "refs", "first", "last", None)
    ]
    verdict = [a["compatible"] for a in answers]
    assert verdict == [True, None, None, None, None, False, None, None, None, None, True, True, None]
    assert all("error" in a for a in answers if a["compatible"] is not True)


def test_an_endless_line_is_one_error() -> None:
    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.left = MAX_LINE + 50

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), self.left)
            buffer[:size] = b"x" * size
            self.left -= size
            return size

    out = io.StringIO()
    verdicts(io.BufferedReader(Endless(), 1 << 20), out)
    assert "too long" in json.loads(out.getvalue())["error"]


def test_limits_leave_room_for_real_schemas() -> None:
    text = json.dumps({"type": "enum", "name": "E", "symbols": [f"S{i}" for i in range(100_000)]})
    assert len(text) < MAX_BYTES
    line = json.dumps({"id": 1, "format": "AVRO", "old": text, "new": text, "mode": "FULL"})
    assert verdict_of_line(line.encode())["compatible"] is True


def test_surrogates_survive_as_escapes() -> None:
    parsed = parse("JSON", '{"const": "\\ud800", "title": "' + string.ascii_letters + 'ä"}')
    parsed.text.encode()
    assert "\\ud800" in parsed.text
    assert "ä" in parsed.text


def test_a_descriptor_with_options_set_several_times_or_unknown_is_read() -> None:
    import base64

    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="a.proto", syntax="proto3")
    field = file.message_type.add(name="M").field.add(name="a", number=1, type=9, label=1)
    field.options.targets.extend([4, 1])
    field.options.ctype = 2  # pyright: ignore[reportAttributeAccessIssue]
    text = base64.b64encode(file.SerializeToString()).decode()
    printed = parse("PROTOBUF", text).text
    assert "targets = TARGET_TYPE_FIELD" in printed
    assert "targets = TARGET_TYPE_FILE" in printed


def test_one_line_that_meets_a_mistake_of_ours_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import hanse.schemas.verdict as module

    def broken(*_: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(module, "check", broken)
    answer = verdict_of_line(b'{"id": 1, "format": "AVRO", "old": "int", "new": "int"}')
    assert answer["compatible"] is False
    assert "KeyError" in answer["error"]
