"""Readers' schemas that differ from the writers': the columns are what fastavro resolves, record by record."""

from __future__ import annotations

import copy
import io
import json
import random
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from hanse.ports.event_log import RECORDS
from hanse.ports.schema_registry import RegisteredSchema
from hanse.wire.decoder import Decoder
from hanse.wire.frame import frame
from helpers.avro_topics import Topics, encoded

WIDER = {
    "int": ["long", "double"],
    "long": ["double"],
    "float": ["double"],
    "string": ["bytes"],
}
ADDED: list[tuple[Any, Any]] = [
    ("int", 7),
    ("string", "é"),
    (["null", "string"], None),
    (["long", "null"], -1),
    ({"type": "array", "items": "int"}, [1, 2]),
    ({"type": "map", "values": "string"}, {"k": "v"}),
    (
        {"type": "record", "name": "AddedRecord", "fields": [{"name": "x", "type": "int", "default": 1}]},
        {"x": 2},
    ),
]


class Written:
    """A registry of one schema."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def by_id(self, schema_id: int) -> RegisteredSchema:
        return RegisteredSchema("t-value", 1, schema_id, "AVRO", json.dumps(self.schema))


class Evolving:
    """Turns a writer's schema into a reader's that the rules of resolution allow."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.added = False

    def kind(self, kind: Any) -> Any:
        r = self.random
        if isinstance(kind, str):
            wider = r.choice(WIDER.get(kind, [kind])) if r.random() < 0.5 else kind
            return r.choice([["null", wider], [wider, "null"]]) if r.random() < 0.2 else wider
        if isinstance(kind, list):
            branches = [b if b == "null" else self.inner(b) for b in kind]
            return branches[::-1] if r.random() < 0.5 else branches
        return self.inner(kind)

    def inner(self, kind: Any) -> Any:
        """As `kind`, but never a union, which no union may hold."""
        if isinstance(kind, str):
            return self.random.choice(WIDER.get(kind, [kind])) if self.random.random() < 0.5 else kind
        made = copy.deepcopy(kind)
        match kind["type"]:
            case "array":
                made["items"] = self.kind(kind["items"])
            case "map":
                made["values"] = self.kind(kind["values"])
            case "enum" if self.random.random() < 0.6:
                made["symbols"], made["default"] = self.random.choice(
                    [(["C", "B", "A"], "A"), (["B", "X"], "X")]
                )
            case "record":
                made["fields"] = self.fields(kind["fields"])
            case _:
                pass
        return made

    def fields(self, fields: list[Any]) -> list[Any]:
        r = self.random
        made = [{"name": f["name"], "type": self.kind(f["type"])} for f in fields]
        for field in made:
            if r.random() < 0.3:
                field["aliases"] = ["never_written", field["name"]]
                field["name"] = f"re_{field['name']}"
        if len(made) > 1 and r.random() < 0.3:
            made.pop(r.randrange(len(made)))
        if r.random() < 0.4 and not self.added:
            self.added = True
            kind, default = r.choice(ADDED)
            made.insert(r.randint(0, len(made)), {"name": "added", "type": kind, "default": default})
        r.shuffle(made)
        return made


def check(seed: int) -> None:
    writer, values = Topics(seed).topic()
    reader = {**writer, "fields": Evolving(seed).fields(writer["fields"])}
    datums = [encoded(writer, v) for v in values]
    batch = pa.table(
        {"value": pa.array([frame(7, d) for d in datums], pa.large_binary())},
        schema=pa.schema([RECORDS.field("value").with_type(pa.large_binary())]),
    )
    got = Decoder(Written(writer), json.dumps(reader)).decode(batch)  # pyright: ignore[reportArgumentType]
    assert got.poison == []
    old, new = (fastavro.parse_schema(json.loads(json.dumps(s))) for s in (writer, reader))
    expected = [fastavro.schemaless_reader(io.BytesIO(d), old, new) for d in datums]
    assert got.table.to_pylist(maps_as_pydicts="strict") == expected, (writer, reader)


@pytest.mark.parametrize("start", range(0, 200, 100))
def test_columns_are_what_fastavro_resolves(start: int) -> None:
    for seed in range(start, start + 100):
        check(seed)


@pytest.mark.slow
def test_columns_are_what_fastavro_resolves_very_often() -> None:
    for seed in range(1_000, 6_000):
        check(seed)
