"""Keys beside values and keys of tombstones, in the forms that topics have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hanse.errors import SchemaError, UnknownSchema
from hanse.ports.schema_registry import RegisteredSchema
from hanse.projection.keys import KEY_PARTS, KEY_SCHEMA, KEY_TEXT, KEY_TYPE, NO_KEY, Keys
from hanse.wire.frame import frame

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64()), ("x", pa.float64())])
RECORD = {
    "type": "record",
    "name": "K",
    "fields": [{"name": "n", "type": "int"}, {"name": "id", "type": "string"}],
}


class FakeRegistry:
    """A record under 1, a bare string under 2, JSON under 3, an outage under 4."""

    def by_id(self, schema_id: int) -> RegisteredSchema:
        if schema_id == 4:
            raise SchemaError("the registry does not answer")
        if schema_id not in (1, 2, 3, 5):
            raise UnknownSchema("no such schema")
        text = json.dumps({1: RECORD, 2: "string", 3: {}, 5: {}}[schema_id])
        kind = {3: "PROTOBUF", 5: "JSON"}.get(schema_id, "AVRO")
        return RegisteredSchema("t-key", 1, schema_id, kind, text)  # type: ignore[arg-type]


def keys(values: list[bytes | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.large_binary())])


def read(columns: tuple[str, ...], values: list[bytes | None]) -> tuple[list[Any], dict[int, str]]:
    made = Keys(columns, SCHEMA, FakeRegistry(), strict=True)  # type: ignore[arg-type]
    places, arrays, poison = made.read(np.arange(len(values)), keys(values))
    rows = list(zip(*(a.to_pylist() for a in arrays), strict=True))
    assert sorted([*places.tolist(), *(p.row for p in poison)]) == list(range(len(values)))
    return rows, {p.row: p.reason for p in poison}


@pytest.mark.parametrize("strict", [True, False])
def test_a_key_beside_a_value_must_be_its_own(strict: bool) -> None:
    table = pa.table({"id": ["a", "b", "c", "d", "e"], "n": [1, 2, 3, 4, 5]})
    given = keys([b"a|1", b"b|9", None, b'{"id":"d"}', frame(1, b"")])
    made = Keys(("id", "n"), SCHEMA, None, strict=strict)
    assert made.wrong(given, table).tolist() == [False, True, strict, False, False]
    floats = Keys(("x",), SCHEMA, None, strict=strict)
    assert not floats.wrong(given, pa.table({"x": [1.5] * 5})).any()


def test_tombstones_of_text() -> None:
    assert read(("id",), [b"a", b"b|c"]) == ([("a",), ("b|c",)], {})
    rows, poison = read(("id", "n"), [b"a|1", b"b", b"c|x", None, b"\xff|1"])
    assert rows == [("a", 1)]
    assert poison == {1: KEY_PARTS, 2: KEY_TYPE, 3: NO_KEY, 4: KEY_TEXT}


def test_tombstones_of_json_and_of_avro() -> None:
    values = [b'{"id":"a","n":1}', b'{"schema":{},"payload":{"n":2,"id":"b"}}', frame(1, b"\x06\x02c"), b'{"id":"a"}',
              b'{"id":"a","n":1.5}', b"{", frame(9, b""), frame(3, b""), b"\x00", frame(1, b"\x06")]  # fmt: skip
    rows, poison = read(("id", "n"), values)
    assert rows == [("a", 1), ("b", 2), ("c", 3)]
    assert [poison[i] for i in (3, 4, 6, 7, 8)] == [KEY_PARTS, KEY_TYPE, KEY_SCHEMA, KEY_SCHEMA, KEY_SCHEMA]
    assert {5, 9} < poison.keys()
    assert read(("id",), [frame(2, b"\x02z")])[0] == [("z",)]
    assert read(("id", "n"), [frame(5, b'{"n":4,"id":"d"}')])[0] == [("d", 4)]


def test_keys_of_others_may_be_quoted_and_are_not_compared() -> None:
    made = Keys(("id",), SCHEMA, None, strict=True, external=True)
    _, arrays, poison = made.read(np.arange(3), keys([b'"a"', b"b", b'"c']))
    assert arrays[0].to_pylist() == ["a", "b"]
    assert [p.row for p in poison] == [2]
    assert not made.wrong(keys([b"other"]), pa.table({"id": ["a"]})).any()


def test_an_outage_of_the_registry_makes_no_key_wrong() -> None:
    with pytest.raises(SchemaError, match="does not answer"):
        read(("id",), [frame(4, b"")])
