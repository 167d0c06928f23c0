"""The mesh's model as tables in a closed DuckDB: for rules written in SQL and for `hanse sql --model`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Timer
from typing import Any

import duckdb
import pyarrow as pa

from hanse.errors import ConfigError, HanseError
from hanse_governance.view import MeshView

SECONDS = 10.0
MAX_ROWS = 1_000_000
_MAX_BYTES = 200_000_000
_MAX_TEXT = 100_000
_TEXT, _TEXTS, _FLAG, _NUMBER = pa.string(), pa.list_(pa.string()), pa.bool_(), pa.int64()
_Row = tuple[Any, ...]

TABLES: dict[str, dict[str, pa.DataType]] = {
    "domains": {"domain": _TEXT, "purpose": _TEXT, "team": _TEXT, "email": _TEXT, "support": _TEXT},
    "terms": {"domain": _TEXT, "term": _TEXT, "meaning": _TEXT},
    "topics": {
        "topic": _TEXT, "domain": _TEXT, "kind": _TEXT, "access": _TEXT, "format": _TEXT, "key": _TEXTS,
        "event_time": _TEXT, "partitions": _NUMBER, "retention_ms": _NUMBER,
    },
    "products": {
        "product": _TEXT, "domain": _TEXT, "version": _TEXT, "lifecycle": _TEXT, "access": _TEXT,
        "purpose": _TEXT, "owner": _TEXT, "email": _TEXT, "support": _TEXT, "tags": _TEXTS,
        "emission": _TEXT, "late": _TEXT, "freshness_ms": _NUMBER,
    },
    "fields": {
        "owner": _TEXT, "owner_kind": _TEXT, "domain": _TEXT, "field": _TEXT, "type": _TEXT,
        "required": _FLAG, "is_key": _FLAG, "classification": _TEXT, "description": _TEXT,
    },
    "quality": {"product": _TEXT, "rule": _TEXT, "field": _TEXT, "severity": _TEXT, "set_aside": _FLAG},
    "edges": {
        "source": _TEXT, "source_domain": _TEXT, "product": _TEXT, "domain": _TEXT,
        "declared": _FLAG, "read": _FLAG,
    },
    "lineage": {
        "product": _TEXT, "field": _TEXT, "source": _TEXT, "source_field": _TEXT, "visible": _FLAG,
    },
}  # fmt: skip
"""Columns of each table. `product`, `topic`, `owner` and `source` are full names; `read` tells that the
projection reads the source, `visible` that the source's values can be seen in the field."""


class ModelTables:
    """A DuckDB that knows the mesh's model and nothing else: no files, no network, one thread.

    Without a mesh the tables are there and empty.
    """

    def __init__(self, mesh: MeshView | None = None) -> None:
        self._con = duckdb.connect(":memory:")
        for name, columns in TABLES.items():
            rows = list(_ROWS[name](mesh)) if mesh is not None else []
            self._con.register("given", _arrow(columns, rows))
            self._con.execute(f"CREATE TABLE {name} AS FROM given")
            self._con.unregister("given")
        for setting in (
            "SET threads = 1",
            "SET memory_limit = '512MB'",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self._con.execute(setting)

    def query(self, text: str, seconds: float = SECONDS) -> pa.Table:
        """The rows of one SELECT, at most `MAX_ROWS`.

        Raises ConfigError for anything else, and HanseError when it fails or takes too long.
        """
        self._one_select(text)
        timer = Timer(seconds, self._con.interrupt)
        timer.start()
        try:
            return self._rows(text)
        except duckdb.InterruptException:
            raise HanseError("the query took too long", expected=f"at most {seconds:g} s") from None
        except duckdb.Error as error:
            raise HanseError("the query failed", got=_line(error), fix="correct the SQL") from error
        finally:
            timer.cancel()

    def _rows(self, text: str) -> pa.Table:
        reader = self._con.sql(text).limit(MAX_ROWS).to_arrow_reader(10_000)
        batches: list[pa.RecordBatch] = []
        size = 0
        for batch in reader:
            size += batch.nbytes
            if size > _MAX_BYTES:
                raise HanseError("the result is too large", expected=f"at most {_MAX_BYTES:,} bytes")
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)

    def _one_select(self, text: str) -> None:
        if len(text) > _MAX_TEXT:
            raise ConfigError("the SQL is too long", expected=f"at most {_MAX_TEXT} characters")
        try:
            statements = self._con.extract_statements(text)
        except duckdb.Error as error:
            raise ConfigError("the SQL cannot be parsed", got=_line(error), fix="correct it") from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise ConfigError("this is not a single SELECT", fix="write one SELECT over the model's tables")

    def close(self) -> None:
        """Give the memory back."""
        self._con.close()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _arrow(columns: dict[str, pa.DataType], rows: list[_Row]) -> pa.Table:
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [pa.array(v, kind) for v, kind in zip(values, columns.values(), strict=True)]
    return pa.table(dict(zip(columns, arrays, strict=True)))


def _domains(mesh: MeshView) -> Iterator[_Row]:
    for d in mesh.model.domains:
        yield d.name, d.purpose, d.team.name, d.team.email, d.team.support


def _terms(mesh: MeshView) -> Iterator[_Row]:
    return ((d.name, term, meaning) for d in mesh.model.domains for term, meaning in d.language.items())


def _topics(mesh: MeshView) -> Iterator[_Row]:
    for name, t in mesh.topics.items():
        form = mesh.schemas[name].kind if name in mesh.schemas else None
        yield name, t.domain, t.kind, t.access, form, t.key, t.event_time, t.partitions, t.retention_ms


def _products(mesh: MeshView) -> Iterator[_Row]:
    for name, p in mesh.products.items():
        who = (p.owner.name, p.owner.email, p.owner.support, p.tags)
        promise = (p.emission, p.late, p.contract.freshness_ms)
        yield name, p.domain, p.version, p.lifecycle, p.access, p.purpose, *who, *promise


def _fields(mesh: MeshView) -> Iterator[_Row]:
    for name, schema in mesh.schemas.items():
        topic = schema.topic
        for f in schema.fields:
            personal = "personal" if "hanse.personal" in f else None
            key = f["name"] in topic.key
            kind = f["type"] if isinstance(f.get("type"), str) else str(f.get("type"))
            yield name, "topic", topic.domain, f["name"], kind, key, key, personal, f.get("doc") or ""
    for name, product in mesh.products.items():
        for c in product.contract.columns:
            rest = (c.required, c.primary_key, c.classification, c.description)
            yield name, "product", product.domain, c.name, c.physical_type, *rest


def _quality(mesh: MeshView) -> Iterator[_Row]:
    for name, product in mesh.products.items():
        for rule in product.contract.quality:
            yield name, rule.name, rule.column, rule.severity, rule.set_aside


def _edges(mesh: MeshView) -> Iterator[_Row]:
    for edge in mesh.edges:
        product = edge.product
        declared, read = edge.source in product.inputs, edge.source in mesh.reads(product)
        yield edge.source, edge.source_domain, product.full_name, product.domain, declared, read


def _lineage(mesh: MeshView) -> Iterator[_Row]:
    for name, product in mesh.products.items():
        plan = mesh.plan(product)
        for field, sources in plan.lineage:
            for table, column in sources:
                visible = (table, column) in plan.seen_in(field)
                yield name, field, mesh.resolve(product.domain, table), column, visible


_ROWS: dict[str, Callable[[MeshView], Iterator[_Row]]] = {
    "domains": _domains,
    "terms": _terms,
    "topics": _topics,
    "products": _products,
    "fields": _fields,
    "quality": _quality,
    "edges": _edges,
    "lineage": _lineage,
}
