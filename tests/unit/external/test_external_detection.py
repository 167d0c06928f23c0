"""What is told of a topic by its records: types, keys, times; and what hostile records do to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.adapters.sqlite_log import SqliteLog
from hanse.errors import ConfigError
from hanse.external import Found, look
from hanse.external.avro_rows import change_row, readable
from hanse.external.json_rows import inferred, of_connect
from hanse.ports.event_log import Record, TopicSpec
from hanse.registry.embedded import EmbeddedRegistry
from hanse.wire.formats import columns_of
from helpers.foreign_topics import ENVELOPE, KEY, debezium_json, framed, person


class World:
    """A log and a registry; each call makes a topic of its own."""

    def __init__(self, root: Path) -> None:
        self.log = SqliteLog(root / "log.db", sync="normal")
        self.registry = EmbeddedRegistry(root / "registry.db")
        self._made = 0

    def look(self, records: list[Record], cleanup: Any = "delete", key: tuple[str, ...] = ()) -> Found:
        self._made += 1
        name = f"t{self._made}"
        self.log.create_topic(TopicSpec(name, 2, cleanup))
        self.log.produce(name, records)
        return look(self.log, self.registry, name, key)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("external"))
    yield made
    made.log.close()
    made.registry.close()


def rows(values: list[Any], keys: list[bytes | None] | None = None) -> list[Record]:
    given_keys = keys or [None] * len(values)
    return [
        Record(None if value is None else json.dumps(value).encode(), key)
        for value, key in zip(values, given_keys, strict=True)
    ]


def test_types_of_plain_json() -> None:
    notes: list[str] = []
    made = inferred(
        [
            {"i": 1, "f": 1, "t": "2026-01-02T03:04:05Z", "d": "2026-01-02", "at": 1_700_000_000_000, "n": None},
            {"i": 2, "f": Decimal("2.5"), "t": "2026-01-02T03:04:05.1+02:00", "d": "2026-01-03", "at": 1_700_000_000_001,
             "n": None, "mixed": 1, "o": {"x": "a"}, "l": [1, 2], "empty": {}, "none": []},
            {"i": 3, "f": 1, "t": "2026-01-02T03:04:05Z", "d": "2026-01-02", "at": 1_700_000_000_002,
             "mixed": "a", "o": {"x": None, "y": True}},
        ],
        notes,
    )  # fmt: skip
    columns = {f.name: str(f.type) for f in columns_of(json.dumps(made), "JSON")}
    assert columns == {
        "i": "int64",
        "f": "double",
        "t": "timestamp[us]",
        "d": "date32[day]",
        "at": "timestamp[ms]",
        "o": "struct<x: string, y: bool>",
        "l": "list<item: int64>",
    }
    assert made["required"] == ["i", "f", "t", "d", "at"]
    assert sorted(n.split()[0] for n in notes) == ["empty", "mixed", "n", "none[]"]


def test_types_of_kafka_connect() -> None:
    notes: list[str] = []
    field: Any = {"optional": True}
    decimal = {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}
    fields = [
        {"field": "n", "type": "int16"},
        {"field": "price", **decimal, **field},
        {"field": "on", "type": "int32", "name": "org.apache.kafka.connect.data.Date", **field},
        {"field": "zoned", "type": "string", "name": "io.debezium.time.ZonedTimestamp", **field},
        {"field": "list", "type": "array", "items": {"type": "float"}, **field},
        {"field": "map", "type": "map", "keys": {"type": "string"}, "values": {"type": "boolean"}, **field},
        {"field": "odd", "type": "map", "keys": {"type": "int32"}, "values": {"type": "boolean"}, **field},
        {"field": "raw", "type": "bytes", **field},
    ]
    made = of_connect({"type": "struct", "fields": fields}, notes)
    columns = {f.name: str(f.type) for f in columns_of(json.dumps(made), "JSON")}
    assert columns == {
        "n": "int64",
        "price": "decimal128(38, 2)",
        "on": "date32[day]",
        "zoned": "timestamp[us]",
        "list": "list<item: double>",
        "map": "map<string, bool>",
        "raw": "string",
    }
    assert made is not None
    assert made["required"] == ["n"]
    assert notes == ["odd is of the type map and is left out"]


def test_avro_of_debezium() -> None:
    row = change_row(ENVELOPE)
    assert row is not None
    assert (row["name"], row["namespace"]) == ("Value", "shop.customers")
    columns = {f.name: str(f.type) for f in columns_of(json.dumps(readable(row)), "AVRO")}
    assert columns["updated_at"] == "timestamp[us]"
    wide = {"type": "bytes", "logicalType": "decimal", "precision": 64, "scale": 2}
    assert readable({"type": "record", "fields": [{"name": "x", "type": ["null", wide]}]})["fields"][0][
        "type"
    ][1] == {**wide, "precision": 38}
    assert change_row({"type": "record", "fields": [{"name": "before", "type": "string"}]}) is None


KEYS: list[tuple[str, Callable[[int], bytes | None], tuple[str, ...], str]] = [
    ("text", lambda n: str(n).encode(), ("id",), "value"),
    ("object", lambda n: json.dumps({"id": n}).encode(), ("id",), "value"),
    ("connect", lambda n: json.dumps({"schema": {}, "payload": {"id": n}}).encode(), ("id",), "value"),
    ("bare connect", lambda n: json.dumps({"schema": {}, "payload": n}).encode(), ("id",), "value"),
    ("other text", lambda n: f"c{n}".encode(), ("key",), "record"),
    ("quoted", lambda n: f'"c{n}"'.encode(), ("key",), "record"),
    ("other object", lambda n: json.dumps({"a": n, "b": "x"}).encode(), ("a", "b"), "record"),
    ("bytes", lambda n: b"\xff" + bytes([n]), (), "value"),
    ("none", lambda _: None, (), "value"),
]


@pytest.mark.parametrize(("_name", "key", "columns", "where"), KEYS, ids=[k[0] for k in KEYS])
def test_keys(world: World, _name: str, key: Any, columns: tuple[str, ...], where: str) -> None:
    values = [{"id": n, "same": 1, "state": "A"} for n in range(2, 12)]
    found = world.look(rows(values, [key(v["id"]) for v in values]))
    assert (found.key, found.key_from, found.kind) == (columns, where, "events")
    assert set(columns) <= set(columns_of(found.schema, "JSON").names)


def test_framed_keys(world: World) -> None:
    schema_id = world.registry.register("k-key", json.dumps(KEY)).id
    values = [person(n) for n in range(5)]
    found = world.look(rows(values, [framed(schema_id, KEY, {"id": n}) for n in range(5)]))
    assert found.key == ("id",)
    with pytest.raises(ConfigError, match="keys"):
        world.look(rows(values, [framed(99, KEY, {"id": n}) for n in range(5)]))


def test_a_state_needs_a_key_and_may_be_told_it(world: World) -> None:
    keyless = [Record(r.value, None) for r in debezium_json() if r.value is not None]
    with pytest.raises(ConfigError, match="--key"):
        world.look(keyless)
    found = world.look(keyless, key=("id",))
    assert (found.key, found.kind, found.envelope) == (("id",), "state", "debezium")
    assert world.look(rows([{"id": "a"}, None], [b"a", b"b"])).kind == "state"
    assert world.look(rows([{"id": "a"}], [b"a"]), "compact").kind == "state"


def test_names_times_and_groups(world: World) -> None:
    value = {
        "Id": 1,
        "id": 2,
        "with space": 3,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    found = world.look(rows([{**value, "state": "SP", "name": str(n), "e_mail": "x"} for n in range(6)]))
    assert found.event_time == "updated_at"
    assert "with space" not in columns_of(found.schema, "JSON").names
    assert [n.split(" cannot")[0] for n in found.notes] == ["id", "with space"]
    assert found.grouping()[:2] == ["created_at", "e_mail"]
    assert json.loads(found.schema)["properties"]["e_mail"]["hanse.classification"] == "personal"
    assert "name" not in found.grouping()


def test_schemas_that_cannot_be_a_source_say_so(world: World) -> None:
    primitive = world.registry.register("p-value", '"string"').id
    with pytest.raises(ConfigError, match="no columns"):
        world.look([Record(framed(primitive, "string", "x"))])  # type: ignore[arg-type]
    node = {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}
    recursive = world.registry.register("n-value", json.dumps(node)).id
    with pytest.raises(ConfigError, match="no columns"):
        world.look([Record(framed(recursive, node, {"next": None}))])
    with pytest.raises(ConfigError, match="does not know the schema 4711"):
        world.look([Record(b"\0" + (4711).to_bytes(4, "big") + b"x")])


HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"{" * 5_000, b'{"schema":{"type":"struct","fields":[{}]},"payload":{}}', b'{"op":1,"source":2,"after":3}',
                     b'{"schema":{"type":"struct","fields":7},"payload":{"a":1}}', b'{"a":1}', b'{"a":{"b":[[]]}}']),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(HOSTILE, st.none() | HOSTILE), min_size=1, max_size=8))
def test_any_records_give_a_source_or_one_error(
    world: World, records: list[tuple[bytes, bytes | None]]
) -> None:
    try:
        found = world.look([Record(value, key) for value, key in records])
    except ConfigError:
        return
    assert set(found.key) <= set(columns_of(found.schema, found.form).names)
