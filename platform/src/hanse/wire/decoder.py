"""Values of a topic, as they lie in the log, to Arrow columns of the reader's schema."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hanse.errors import DecodeError, SchemaError, UnknownSchema
from hanse.ports.schema_registry import SchemaRegistry
from hanse.wire.avro.columns import SLOW, Columns
from hanse.wire.avro.resolve import Plan, resolve
from hanse.wire.avro.rows import read_row, table_of_rows
from hanse.wire.avro.schema import AvroType, parse
from hanse.wire.avro.types import arrow_schema
from hanse.wire.cloudevents import framed_values
from hanse.wire.decoded import Decoded, Poison, by_place, merged, named
from hanse.wire.frame import Ints, Values
from hanse.wire.references import referenced


class UnusableSchema(DecodeError):
    """The records of one schema id cannot be read: unknown to the registry, or of no use to the reader."""


class Decoder:
    """Reads Confluent-framed Avro of any version into one reader's schema.

    Writers' schemas come from the registry by id and are planned once each. A record that cannot be
    read never hinders another. Raises SchemaError when the reader's schema is no record or recursive,
    and lets through what a registry raises that does not answer: an outage poisons nothing.
    """

    def __init__(self, registry: SchemaRegistry, reader_schema: str | dict[str, Any]) -> None:
        self.registry = registry
        self.reader: AvroType = parse(reader_schema)
        self.schema: pa.Schema = arrow_schema(self.reader)
        self._plans: dict[int, Plan] = {}

    def decode(self, rows: pa.Table) -> Decoded:
        """Decode the `value` column of rows shaped as `RECORDS`; a null value is poison here."""
        values, ids, framed, poison = framed_values(rows)
        tables: list[pa.Table] = []
        places: list[Ints] = []
        for schema_id in _distinct(ids[framed]):
            which = np.flatnonzero(framed & (ids == schema_id))
            try:
                plan = self._plan(schema_id)
            except UnusableSchema as error:
                poison += [
                    Poison(int(i), f"schema id {schema_id} cannot be used", named(error)) for i in which
                ]
                continue
            table, good, bad = self._group(plan, values, which)
            tables.append(table)
            places.append(good)
            poison += bad
        return self._joined(tables, places, by_place(poison))

    def _plan(self, schema_id: int) -> Plan:
        if schema_id not in self._plans:
            self._plans[schema_id] = self._planned(schema_id)
        return self._plans[schema_id]

    def _planned(self, schema_id: int) -> Plan:
        try:
            written = self.registry.by_id(schema_id)
        except UnknownSchema as error:
            raise UnusableSchema(f"unknown schema id {schema_id}: {error.what}") from error
        if written.schema_type != "AVRO":
            raise UnusableSchema(f"schema {schema_id} is {written.schema_type}; this topic is read as AVRO")
        try:
            known = referenced(self.registry, written) if written.references else {}
        except DecodeError as error:
            raise UnusableSchema(f"schema {schema_id}: {error.what}") from error
        try:
            return resolve(parse(written.schema, known.values()), self.reader)
        except SchemaError as error:
            raise UnusableSchema(f"schema {schema_id}: {error.what}") from error

    def _group(self, plan: Plan, values: Values, which: Ints) -> tuple[pa.Table, Ints, list[Poison]]:
        """The records of one writer's schema."""
        columns = Columns(values.data, values.starts[which] + 5, values.ends[which])
        arrays = columns.read(plan)
        table = pa.table(arrays, schema=self.schema)
        errors = columns.errors
        poison = [Poison(int(which[i]), columns.reasons[errors[i]]) for i in np.flatnonzero(errors > 0)]
        slow = np.flatnonzero(errors == SLOW)
        if not len(slow) and not poison:
            return table, which, []
        good = np.flatnonzero(errors == 0)
        table, places = table.take(pa.array(good)), which[good]
        if len(slow):
            late, late_places, late_poison = self._by_row(plan, values, which[slow])
            poison += late_poison
            table, places = merged([table, late], [places, late_places])
        return table, places, poison

    def _by_row(self, plan: Plan, values: Values, which: Ints) -> tuple[pa.Table, Ints, list[Poison]]:
        made: list[dict[str, Any]] = []
        places: list[int] = []
        poison: list[Poison] = []
        for row in which.tolist():
            try:
                made.append(read_row(plan, values.bytes_at(row)[5:]))
            except DecodeError as error:
                poison.append(Poison(row, error.what, named(error)))
            else:
                places.append(row)
        table = pa.table(table_of_rows(self.reader, made), schema=self.schema)
        return table, np.array(places, dtype=np.int64), poison

    def _joined(self, tables: list[pa.Table], places: list[Ints], poison: list[Poison]) -> Decoded:
        if not tables:
            return Decoded(self.schema.empty_table(), np.empty(0, dtype=np.int64), poison)
        table, indices = merged(tables, places)
        return Decoded(table, indices, poison)


def _distinct(ids: Ints) -> list[int]:
    if not len(ids):
        return []
    return [int(ids[0])] if (ids == ids[0]).all() else [int(i) for i in np.unique(ids)]
