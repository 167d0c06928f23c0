"""Parquet files of a table: written by DuckDB, with field ids, statistics and a SHA-256 each."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyiceberg.types import IcebergType, ListType, LongType, MapType, NestedField, StringType, StructType

from hanse.publish.failpoints import reach
from hanse.quoting import literal, quote

if TYPE_CHECKING:
    import duckdb

DELETES = Schema(
    NestedField(2147483546, "file_path", StringType(), required=True),
    NestedField(2147483545, "pos", LongType(), required=True),
)


def write_data(con: duckdb.DuckDBPyConnection, table: Table, name: str, query: str) -> DataFile | None:
    """Write the rows of `query` as a data file of the table; None when there are none.

    The query's columns are named and ordered as the table's. `name` is unique to the publication.
    """
    return _write(con, table, table.schema(), name, query, DataFileContent.DATA)


def write_deletes(con: duckdb.DuckDBPyConnection, table: Table, name: str, query: str) -> DataFile | None:
    """Write a position delete file; the query gives (file_path, pos). None when there are none."""
    ordered = f"SELECT file_path, pos FROM ({query}) ORDER BY file_path, pos"
    return _write(con, table, DELETES, name, ordered, DataFileContent.POSITION_DELETES)


def folder(table: Table) -> Path:
    """Where the table's data files lie."""
    return Path(table.metadata.location) / "data"


def remove(table: Table, pub_id: str) -> None:
    """Delete the files that a publication wrote and no snapshot holds."""
    for path in folder(table).glob(f"{pub_id}-*.parquet"):
        path.unlink(missing_ok=True)


def digest(path: str) -> tuple[str, int]:
    """SHA-256 in hex, and size in bytes, of a file."""
    with Path(path).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return found, os.fstat(file.fileno()).st_size


def _write(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    schema: Schema,
    name: str,
    query: str,
    content: DataFileContent,
) -> DataFile | None:
    path = folder(table) / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = ", ".join(f"{quote(f.name)}: {_field_ids(f.field_id, f.field_type)}" for f in schema.fields)
    con.execute(
        f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, FIELD_IDS {{{ids}}})"
    )
    reach("unsynced")
    _sync(path)
    metadata = pq.read_metadata(path)
    if metadata.num_rows == 0:
        path.unlink()
        return None
    statistics = data_file_statistics_from_parquet_metadata(
        metadata,
        compute_statistics_plan(schema, table.metadata.properties),
        parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=content,
        file_path=str(path),
        file_format=FileFormat.PARQUET,
        partition=Record(),
        file_size_in_bytes=path.stat().st_size,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def _field_ids(field_id: int, kind: IcebergType) -> str:
    inner = ""
    if isinstance(kind, ListType):
        inner = f"element: {_field_ids(kind.element_id, kind.element_type)}"
    elif isinstance(kind, MapType):
        key, value = _field_ids(kind.key_id, kind.key_type), _field_ids(kind.value_id, kind.value_type)
        inner = f"key: {key}, value: {value}"
    elif isinstance(kind, StructType):
        inner = ", ".join(f"{quote(f.name)}: {_field_ids(f.field_id, f.field_type)}" for f in kind.fields)
    return f"{{__duckdb_field_id: {field_id}, {inner}}}" if inner else str(field_id)


def _sync(path: Path) -> None:
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
