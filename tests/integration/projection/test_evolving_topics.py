"""A topic written under five versions of its schema gives the rows that the last version alone would give."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pytest
from google.protobuf import descriptor_pool, message_factory

from hanse.adapters.sqlite_log import SqliteLog
from hanse.errors import IncompatibleSchema
from hanse.model.mesh import Column, Contract, Domain, MeshModel, Product, Team, Topic
from hanse.ports.event_log import Record, TopicSpec
from hanse.projection import Projector
from hanse.publish.reader import Reader
from hanse.registry.embedded import EmbeddedRegistry
from hanse.schemas import parse
from hanse.schemas.protobuf_compile import to_descriptor
from hanse.settings import Settings
from hanse.wire.frame import frame

TEAM = Team("Shop")
Write = Callable[[str, dict[str, Any]], bytes]


@dataclass(frozen=True)
class Evolution:
    """Versions of one schema, a record written under each, and the same records in the last version's words."""

    form: Any
    file: str
    versions: Sequence[str]
    written: Sequence[dict[str, Any]]
    as_last: Sequence[dict[str, Any]]
    write: Write
    sql: str
    columns: Sequence[tuple[str, str]]


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def avro(*fields: Any) -> str:
    return json.dumps({"type": "record", "name": "Order", "fields": list(fields)})


def line(*fields: Any) -> dict[str, Any]:
    record = {"type": "record", "name": "Line", "fields": [field("sku", "string"), *fields]}
    return {"type": "array", "items": record}


def status(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "Status", "symbols": list(symbols), **more}


def write_avro(schema: str, value: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), value)
    return out.getvalue()


ID, NOTE = field("id", "string"), field("note", "string", default="none")
PLACE = {"type": "record", "name": "Place", "fields": [field("city", "string")]}
PLACE_AND_ZIP = {**PLACE, "fields": [*PLACE["fields"], field("zip", "string", default="?")]}
WIDE = line(field("n", "long"), field("price", "double", default=0.5))
BASE = {"id": "", "place": {"city": "Lübeck"}, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}
LAST = BASE | {
    "place": {"city": "Lübeck", "zip": "?"},
    "lines": [{"sku": "a", "n": 1, "price": 0.5}, {"sku": "b", "n": 2, "price": 0.5}],
    "note": "none",
}
AVRO = Evolution(
    form="AVRO",
    file="order.avsc",
    versions=(
        avro(ID, field("qty", "int"), field("state", "string"), field("status", status("NEW", "PAID")),
             field("place", PLACE), field("lines", line(field("n", "int")))),
        avro(ID, field("qty", "int"), field("state", "string"), field("status", status("NEW", "PAID")),
             field("place", PLACE), field("lines", line(field("n", "int"))), NOTE),
        avro(ID, field("qty", "long"), field("state", "string"), field("status", status("NEW", "PAID")),
             field("place", PLACE_AND_ZIP), field("lines", line(field("n", "long"))), NOTE),
        avro(ID, field("qty", "long"), field("region", ["null", "string"], aliases=["state"]),
             field("status", status("NEW", "PAID")), field("place", PLACE_AND_ZIP), field("lines", WIDE), NOTE),
        avro(ID, field("qty", "double"), field("region", ["null", "string"], aliases=["state"]),
             field("status", status("NEW", "OTHER", default="OTHER")), field("place", PLACE_AND_ZIP),
             field("lines", WIDE), NOTE),
    ),
    written=(
        BASE | {"id": "1", "qty": 1, "state": "SH", "status": "PAID"},
        BASE | {"id": "2", "qty": 2**31 - 1, "state": "HH", "status": "NEW", "note": "n2"},
        BASE | {"id": "3", "qty": 2**40, "state": "", "status": "PAID", "note": "n3",
                "place": {"city": "Riga", "zip": "LV"}},
        LAST | {"id": "4", "qty": -1, "region": None, "status": "NEW"},
        LAST | {"id": "5", "qty": 0.5, "region": "SH", "status": "OTHER"},
    ),
    as_last=(
        LAST | {"id": "1", "qty": 1.0, "region": "SH", "status": "OTHER"},
        LAST | {"id": "2", "qty": float(2**31 - 1), "region": "HH", "status": "NEW", "note": "n2"},
        LAST | {"id": "3", "qty": float(2**40), "region": "", "status": "OTHER", "note": "n3",
                "place": {"city": "Riga", "zip": "LV"}},
        LAST | {"id": "4", "qty": -1.0, "region": None, "status": "NEW"},
        LAST | {"id": "5", "qty": 0.5, "region": "SH", "status": "OTHER"},
    ),
    write=write_avro,
    sql="SELECT id, qty, region, status, note, place.zip AS zip, CARDINALITY(lines) AS parts FROM orders",
    columns=(("id", "STRING"), ("qty", "DOUBLE"), ("region", "STRING"), ("status", "STRING"),
             ("note", "STRING"), ("zip", "STRING"), ("parts", "INT")),
)  # fmt: skip


def document(required: Sequence[str] = ("id", "qty"), **properties: Any) -> str:
    known = {"id": {"type": "string"}, "qty": {"type": "integer"}, **properties}
    return json.dumps(
        {"type": "object", "properties": known, "required": list(required), "additionalProperties": False}
    )


TEXT, NUMBER = {"type": "string"}, {"type": "number"}
JSON = Evolution(
    form="JSON",
    file="order.json",
    versions=(
        document(),
        document(note=TEXT),
        document(note=TEXT, qty=NUMBER),
        document(note={"type": ["string", "null"]}, qty=NUMBER),
        document(required=("id",), note={"type": ["string", "null"]}, qty=NUMBER, region=TEXT),
    ),
    written=(
        {"id": "1", "qty": 1},
        {"id": "2", "qty": 2, "note": "n2"},
        {"id": "3", "qty": 2.5},
        {"id": "4", "qty": 4, "note": None},
        {"id": "5", "region": "SH"},
    ),
    as_last=(
        {"id": "1", "qty": 1},
        {"id": "2", "qty": 2, "note": "n2"},
        {"id": "3", "qty": 2.5},
        {"id": "4", "qty": 4, "note": None},
        {"id": "5", "region": "SH"},
    ),
    write=lambda _, value: json.dumps(value).encode(),
    sql="SELECT id, qty, region, note FROM orders",
    columns=(("id", "STRING"), ("qty", "DOUBLE"), ("region", "STRING"), ("note", "STRING")),
)


def write_protobuf(text: str, value: dict[str, Any]) -> bytes:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(to_descriptor(parse("PROTOBUF", text).tree, "order.proto"))
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("Order"))(**value)
    return b"\x00" + made.SerializeToString()


def proto(*fields: str) -> str:
    return f'syntax = "proto3"; message Order {{ string id = 1; {" ".join(fields)} }}'


PROTOBUF = Evolution(
    form="PROTOBUF",
    file="order.proto",
    versions=(
        proto("int32 qty = 2;", "string state = 3;"),
        proto("int32 qty = 2;", "string state = 3;", "string note = 4;"),
        proto("int64 qty = 2;", "string state = 3;", "string note = 4;"),
        proto("int64 qty = 2;", "string region = 3;", "string note = 4;", "Line line = 5; message Line { int32 n = 1; }"),
        proto("int64 qty = 2;", "string region = 3;", "reserved 4;", "Line line = 5; message Line { int64 n = 1; }"),
    ),
    written=(
        {"id": "1", "qty": 1, "state": "SH"},
        {"id": "2", "qty": 2, "state": "HH", "note": "gone later"},
        {"id": "3", "qty": 2**40},
        {"id": "4", "qty": -4, "region": "SH", "line": {"n": 7}},
        {"id": "5", "qty": 5, "line": {"n": 2**40}},
    ),
    as_last=(
        {"id": "1", "qty": 1, "region": "SH"},
        {"id": "2", "qty": 2, "region": "HH"},
        {"id": "3", "qty": 2**40},
        {"id": "4", "qty": -4, "region": "SH", "line": {"n": 7}},
        {"id": "5", "qty": 5, "line": {"n": 2**40}},
    ),
    write=write_protobuf,
    sql="SELECT id, qty, region, line.n AS n FROM orders",
    columns=(("id", "STRING"), ("qty", "BIGINT"), ("region", "STRING"), ("n", "BIGINT")),
)  # fmt: skip


def rows(folder: Path, evolution: Evolution, written: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """What the product has after every version was registered and these records were written."""
    folder.mkdir()
    (folder / evolution.file).write_text(evolution.versions[-1])
    (folder / "projection.sql").write_text(evolution.sql)
    topic = Topic("shop", "orders", folder / evolution.file, ("id",), partitions=1)
    columns = tuple(Column(n, "string", t, primary_key=n == "id") for n, t in evolution.columns)
    contract = Contract("c", "1.0.0", folder / "contract.yaml", columns, document={})
    product = Product(
        "shop", "report", folder, "1.0.0", "active", "", TEAM, contract, folder / "projection.sql", ("shop.orders",)
    )  # fmt: skip
    model = MeshModel(folder, (Domain("shop", folder, TEAM, topics=(topic,)),), (product,))
    log, registry = SqliteLog(folder / "log.db"), EmbeddedRegistry(folder / "registry.db")
    log.create_topic(TopicSpec(topic.full_name, 1))
    ids = {text: registry.register(topic.subject, text, evolution.form).id for text in evolution.versions}
    assert len(set(ids.values())) == len(evolution.versions)
    records = [
        Record(frame(ids[text], evolution.write(text, value)), value["id"].encode())
        for text, value in written
    ]
    log.produce(topic.full_name, records)
    con = duckdb.connect()
    reader = Reader(Settings(root=folder, data=folder / ".hanse"))
    projector = Projector(product, model, log, registry, con, reader=reader)
    assert projector.run_to_head().records == len(records)
    found = con.execute(f"SELECT * FROM {projector.engine.output('shop.report')}").fetchall()
    log.close()
    registry.close()
    return sorted(found)


@pytest.mark.parametrize("evolution", [AVRO, JSON, PROTOBUF], ids=lambda e: e.form)
def test_five_versions_give_the_rows_of_the_last(evolution: Evolution, tmp_path: Path) -> None:
    mixed = rows(tmp_path / "mixed", evolution, list(zip(evolution.versions, evolution.written, strict=True)))
    last = rows(
        tmp_path / "last", evolution, [(evolution.versions[-1], value) for value in evolution.as_last]
    )
    assert len(mixed) == len(evolution.versions)
    assert mixed == last


def test_a_sixth_version_that_would_break_the_rows_is_refused(tmp_path: Path) -> None:
    registry = EmbeddedRegistry(tmp_path / "registry.db")
    for text in AVRO.versions:
        registry.register("shop.orders-value", text)
    with pytest.raises(IncompatibleSchema, match=r"\$\.customer"):
        registry.register("shop.orders-value", avro(ID, field("customer", "string")))
    registry.close()
