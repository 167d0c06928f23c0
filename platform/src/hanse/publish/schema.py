"""A contract's columns as an Iceberg schema, and how a table follows a newer contract."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from pyiceberg.exceptions import ResolveError, ValidationError
from pyiceberg.schema import Schema, promote
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
)

from hanse.descriptors.types import ColumnType, physical_type
from hanse.errors import PublicationError
from hanse.model.mesh import Contract
from hanse.quoting import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

_SIMPLE: dict[str, IcebergType] = {
    "STRING": StringType(),
    "BOOLEAN": BooleanType(),
    "INT": IntegerType(),
    "BIGINT": LongType(),
    "FLOAT": FloatType(),
    "DOUBLE": DoubleType(),
    "DATE": DateType(),
    "TIME": TimeType(),
    "TIMESTAMP": TimestampType(),
    "TIMESTAMP_LTZ": TimestamptzType(),
    "BYTES": BinaryType(),
}
_DUCKDB: dict[type[IcebergType], str] = {
    StringType: "VARCHAR",
    BooleanType: "BOOLEAN",
    IntegerType: "INTEGER",
    LongType: "BIGINT",
    FloatType: "FLOAT",
    DoubleType: "DOUBLE",
    DateType: "DATE",
    TimeType: "TIME",
    TimestampType: "TIMESTAMP",
    TimestamptzType: "TIMESTAMP WITH TIME ZONE",
    BinaryType: "BLOB",
}


def contract_types(contract: Contract) -> dict[str, ColumnType]:
    """The type of each promised column, in order."""
    return {column.name: physical_type(column.physical_type) for column in contract.columns}


def iceberg_schema(columns: dict[str, ColumnType]) -> Schema:
    """A new schema; every field is optional, for NULLs are the checks' concern."""
    ids = count(1)
    return Schema(
        *[NestedField(next(ids), name, iceberg_type(t, ids), required=False) for name, t in columns.items()]
    )


def iceberg_type(column: ColumnType, ids: Iterator[int]) -> IcebergType:
    """Iceberg's type; nested fields take their ids from `ids`."""
    if column.kind == "DECIMAL":
        return DecimalType(column.precision, column.scale)
    if column.kind == "ARRAY":
        return ListType(next(ids), iceberg_type(column.inner[0], ids), element_required=False)
    if column.kind == "MAP":
        key, value = next(ids), next(ids)
        inner = [iceberg_type(t, ids) for t in column.inner]
        return MapType(key, inner[0], value, inner[1], value_required=False)
    if column.kind == "ROW":
        fields = zip(column.names, column.inner, strict=True)
        return StructType(
            *[NestedField(next(ids), n, iceberg_type(t, ids), required=False) for n, t in fields]
        )
    return _SIMPLE[column.kind]


def duckdb_type(kind: IcebergType) -> str:
    """DuckDB's name of an Iceberg type."""
    if isinstance(kind, DecimalType):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, ListType):
        return f"{duckdb_type(kind.element_type)}[]"
    if isinstance(kind, MapType):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.value_type)})"
    if isinstance(kind, StructType):
        return f"STRUCT({', '.join(f'{quote(f.name)} {duckdb_type(f.field_type)}' for f in kind.fields)})"
    return _DUCKDB[type(kind)]


def evolve(table: Table, contract: Contract, *, anew: bool = False) -> None:
    """Add, widen, rename and drop columns in place, by field id, as the contract says.

    A column that is renamed keeps its id, so that older snapshots and readers by id still have it. With
    `anew` all rows are about to be written again, so a column may also take any other type: under a new id.
    Raises PublicationError for what cannot be done.
    """
    try:
        _rename(table, contract)
        if anew:
            _drop_unlike(table, contract)
        _change(table, contract)
    except (ValueError, TypeError, NotImplementedError, ValidationError, ResolveError) as error:
        raise PublicationError(
            "the table cannot follow this contract in place",
            where=str(contract.path),
            expected="columns added, dropped, renamed (renamedFrom) or widened",
            got=str(error)[:300],
            fix="rebuild it: `hanse product rebuild` writes every row with the new types",
        ) from error


def _have(table: Table) -> dict[str, IcebergType]:
    return {f.name: f.field_type for f in table.schema().fields}


def _rename(table: Table, contract: Contract) -> None:
    have, wanted = _have(table), {c.name for c in contract.columns}
    renamed = [
        (c.renamed_from, c.name)
        for c in contract.columns
        if c.renamed_from in have and c.name not in have and c.renamed_from not in wanted
    ]
    if renamed:
        with table.update_schema() as update:
            for before, after in renamed:
                update.rename_column(str(before), after)


def _drop_unlike(table: Table, contract: Contract) -> None:
    """Columns whose type cannot be widened go, and come again with `_change`."""
    wanted = contract_types(contract)
    unlike: list[str] = []
    for name, kind in _have(table).items():
        if name in wanted and duckdb_type(kind) != wanted[name].duckdb:
            try:
                promote(kind, iceberg_type(wanted[name], count(1)))
            except ResolveError:
                unlike.append(name)
    if unlike:
        with table.update_schema(allow_incompatible_changes=True) as update:
            for name in unlike:
                update.delete_column(name)


def _change(table: Table, contract: Contract) -> None:
    wanted, have = contract_types(contract), _have(table)
    if {n: duckdb_type(t) for n, t in have.items()} == {n: t.duckdb for n, t in wanted.items()}:
        return
    with table.update_schema() as update:
        for name in have.keys() - wanted.keys():
            update.delete_column(name)
        for name, kind in wanted.items():
            new = iceberg_type(kind, count(1))
            if name not in have:
                update.add_column(name, new)
            elif duckdb_type(have[name]) != kind.duckdb:
                update.update_column(name, field_type=new)
