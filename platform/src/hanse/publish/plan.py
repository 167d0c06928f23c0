"""From a snapshot's files to SQL that DuckDB runs: columns by field id, position deletes applied."""

from __future__ import annotations

from collections.abc import Sequence

from pyiceberg.manifest import DataFileContent, ManifestEntry
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField

from hanse.publish.schema import duckdb_type
from hanse.quoting import literal, quote


def split(found: Sequence[ManifestEntry]) -> tuple[list[str], list[str]]:
    """Paths of the data files and of the position delete files."""
    data = [e.data_file.file_path for e in found if e.data_file.content == DataFileContent.DATA]
    deletes = [e.data_file.file_path for e in found if e.data_file.content != DataFileContent.DATA]
    return data, deletes


def scan_sql(schema: Schema, data: Sequence[str], deletes: Sequence[str] = ()) -> str:
    """A SELECT of all live rows; a typed empty relation when there is no file."""
    if not data:
        columns = ", ".join(
            f"CAST(NULL AS {duckdb_type(f.field_type)}) AS {quote(f.name)}" for f in schema.fields
        )
        return f"SELECT {columns} WHERE false"
    columns = ", ".join(quote(f.name) for f in schema.fields)
    if not deletes:
        return f"SELECT {columns} FROM {source(schema, data)}"
    return (
        f"SELECT {columns} FROM {source(schema, data, positions=True)} AS _data ANTI JOIN "
        f"({deleted(deletes)}) AS _gone "
        "ON _data.filename = _gone.file_path AND _data.file_row_number = _gone.pos"
    )


def deleted(deletes: Sequence[str]) -> str:
    """A SELECT of (file_path, pos) of all rows that the delete files delete."""
    if not deletes:
        return "SELECT NULL::VARCHAR AS file_path, NULL::BIGINT AS pos WHERE false"
    return f"SELECT file_path, pos FROM read_parquet({_list(deletes)})"


def source(schema: Schema, data: Sequence[str], *, positions: bool = False) -> str:
    """`read_parquet(…)` by field id; with `positions` also `filename` and `file_row_number`."""
    fields = ", ".join(f"{f.field_id}: {_field(f)}" for f in schema.fields)
    extra = ", filename = true, file_row_number = true" if positions else ""
    return f"read_parquet({_list(data)}, schema = MAP {{{fields}}}{extra})"


def _field(field: NestedField) -> str:
    kind = literal(duckdb_type(field.field_type))
    return f"{{name: {literal(field.name)}, type: {kind}, default_value: NULL}}"


def _list(paths: Sequence[str]) -> str:
    return "[" + ", ".join(literal(escaped(path)) for path in paths) + "]"


def escaped(path: str) -> str:
    """The path as DuckDB takes it literally: no character of it is a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)
