"""A contract from a schema of another format, with every type as a product would hold it.

Avro, JSON Schema, Protobuf and Parquet are read as the platform itself reads them, so that no precision and no
nesting is lost; SQL DDL by sqlglot, Thrift by thriftpy2, OpenAPI and dbt by datacontract-cli.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from hanse.descriptors import yaml
from hanse.descriptors.types import ColumnType, default_type, physical_type
from hanse.errors import ConfigError
from hanse.interchange.converters import converters
from hanse.interchange.types import flink_of_arrow, flink_of_sql, flink_of_thrift, row_of

if TYPE_CHECKING:
    import pyarrow as pa

ImportFormat = Literal["avro", "jsonschema", "protobuf", "sql", "parquet", "openapi", "thrift", "dbt"]
FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)
MAX_BYTES = 10_000_000
_API_VERSION = "v3.2.0"
_JSON_TYPES = ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Field:
    """A column to promise: its type as in Flink SQL."""

    name: str
    kind: str
    required: bool = False
    key: bool = False
    description: str = ""


def imported(source: Path, form: ImportFormat, full_name: str, owner: str, dialect: str | None = None) -> str:
    """The text of a `contract.yaml` for the product of that name. Raises ConfigError."""
    try:
        size = source.stat().st_size
    except OSError as error:
        raise ConfigError("the source cannot be read", where=str(source), got=error.strerror) from error
    if form != "parquet" and size > MAX_BYTES:
        raise ConfigError(
            "the source is too large", where=str(source), expected=f"at most {MAX_BYTES:,} bytes"
        )
    fields = list(_fields(source, form, dialect))
    if not fields:
        raise ConfigError("the source has no columns", where=str(source))
    return yaml.dump(_document(full_name, owner, fields, f"Imported from {source.name}."))


def _fields(source: Path, form: ImportFormat, dialect: str | None) -> Iterator[Field]:
    if form in ("avro", "jsonschema", "protobuf"):
        from hanse.wire.formats import columns_of

        text = _text(source)
        kind = {"avro": "AVRO", "jsonschema": "JSON", "protobuf": "PROTOBUF"}[form]
        columns = _arrow(columns_of(text, kind))  # type: ignore[arg-type]
        return columns if form == "protobuf" else _told(columns, json.loads(text))
    if form == "parquet":
        return _arrow(_parquet(source))
    if form == "sql":
        return _sql(_text(source), dialect)
    if form == "thrift":
        return _thrift(source)
    return _converted(source, form)


def _told(columns: Iterator[Field], schema: dict[str, Any]) -> Iterator[Field]:
    """The columns with what an Avro or JSON schema tells of each: its meaning, and whether it must be there."""
    listed: list[dict[str, Any]] = schema.get("fields") or []
    told: dict[str, tuple[bool, str]] = {
        f["name"]: (not (isinstance(f["type"], list) and "null" in f["type"]), f.get("doc") or "")
        for f in listed
    }
    required = schema.get("required") or []
    for name, spec in (schema.get("properties") or {}).items():
        note = spec.get("description", "") if isinstance(spec, dict) else ""
        told[name] = (name in required, str(note))
    for column in columns:
        must, note = told.get(column.name, (column.required, ""))
        yield replace(column, required=must, description=note)


def _text(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the source cannot be read", where=str(source), got=str(error)) from error


def _parquet(source: Path) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(source)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError("this is no Parquet file", where=str(source), got=str(error)[:300]) from error


def _arrow(schema: pa.Schema) -> Iterator[Field]:
    for field in schema:
        yield Field(field.name, flink_of_arrow(field.type, field.name), not field.nullable)


def _sql(text: str, dialect: str | None) -> Iterator[Field]:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, TokenError

    try:
        statements = sqlglot.parse(text, read=dialect)
    except (ParseError, TokenError, ValueError) as error:
        raise ConfigError("the DDL cannot be parsed", got=" ".join(str(error).split())[:300]) from error
    tables = [s for s in statements if isinstance(s, exp.Create) and isinstance(s.this, exp.Schema)]
    if len(tables) != 1:
        raise ConfigError(
            "the DDL does not make one table", expected="one CREATE TABLE", got=f"{len(tables)}"
        )
    keys = {
        c.name for key in tables[0].find_all(exp.PrimaryKey) for c in key.find_all(exp.Column, exp.Identifier)
    }
    for column in tables[0].this.expressions:
        if isinstance(column, exp.ColumnDef):
            rules = [c.kind for c in column.constraints]
            key = column.name in keys or any(isinstance(r, exp.PrimaryKeyColumnConstraint) for r in rules)
            required = key or any(isinstance(r, exp.NotNullColumnConstraint) for r in rules)
            yield Field(column.name, flink_of_sql(column), required, key)


def _thrift(source: Path) -> Iterator[Field]:
    import thriftpy2
    from thriftpy2.parser.exc import ThriftParserError

    try:
        module: Any = thriftpy2.load(str(source.resolve()))
    except (ThriftParserError, OSError) as error:
        raise ConfigError(
            "the Thrift file cannot be parsed", where=str(source), got=str(error)[:300]
        ) from error
    structs = module.__thrift_meta__["structs"]
    if not structs:
        raise ConfigError("the Thrift file has no struct", where=str(source))
    required = {spec[1]: bool(spec[-1]) for spec in structs[-1].thrift_spec.values()}
    for spec in structs[-1].thrift_spec.values():
        yield Field(spec[1], flink_of_thrift(spec, spec[1]), required[spec[1]])


def _converted(source: Path, form: str) -> Iterator[Field]:
    with converters(str(source)) as data_contract:
        model: Any = data_contract.import_from_source(form, str(source))
        document: Mapping[str, Any] = yaml.parse(model.to_yaml(), source).data
    tables: list[Mapping[str, Any]] = document.get("schema") or []
    if len(tables) != 1:
        names = ", ".join(str(t.get("name")) for t in tables)
        raise ConfigError("the source does not have one table", where=str(source), got=names or "none")
    for spec in tables[0].get("properties") or []:
        yield Field(
            spec["name"],
            _promised(spec),
            bool(spec.get("required")),
            bool(spec.get("primaryKey")),
            str(spec.get("description") or ""),
        )


def _promised(spec: Mapping[str, Any]) -> str:
    """The type of an ODCS property in Flink's words."""
    logical = spec.get("logicalType")
    if logical == "array" and isinstance(spec.get("items"), dict):
        return f"ARRAY<{_promised(spec['items'])}>"
    if logical == "object" and spec.get("properties"):
        return row_of((str(p["name"]), _promised(p)) for p in spec["properties"])
    physical = str(spec.get("physicalType"))
    try:
        if physical in _JSON_TYPES:  # an integer of JSON has no width
            return default_type(str(logical)).kind
        physical_type(physical)
        return physical.upper()
    except ConfigError:
        return default_type(str(logical)).kind


def _document(full_name: str, owner: str, fields: list[Field], purpose: str) -> dict[str, Any]:
    domain, _, name = full_name.partition(".")
    if not domain or not name:
        raise ConfigError("a product is named <domain>.<product>", got=full_name[:100])
    keys = [f.name for f in fields if f.key]
    return {
        "apiVersion": _API_VERSION,
        "kind": "DataContract",
        "id": full_name,
        "name": name,
        "version": "1.0.0",
        "status": "draft",
        "domain": domain,
        "dataProduct": name,
        "description": {"purpose": purpose},
        "team": {"name": owner},
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "physicalType": "table",
                "properties": [_property(field, keys) for field in fields],
            }
        ],
    }


def _property(field: Field, keys: list[str]) -> dict[str, Any]:
    kind = physical_type(field.kind)
    made: dict[str, Any] = {"name": field.name, "logicalType": kind.logical, "physicalType": field.kind}
    made |= _parts(kind)
    if field.description:
        made["description"] = field.description
    if field.required:
        made["required"] = True
    if field.name in keys:
        made |= {"primaryKey": True, "primaryKeyPosition": keys.index(field.name) + 1}
    return made


def _parts(kind: ColumnType) -> dict[str, Any]:
    """What the standard wants to know of the inside of a nested type."""
    if kind.kind == "ARRAY":
        return {"items": _part(kind.inner[0], "items")}
    if kind.kind == "MAP":
        return {"map": {"key": _part(kind.inner[0], "key"), "value": _part(kind.inner[1], "value")}}
    if kind.kind == "ROW":
        return {
            "properties": [_part(inner, name) for name, inner in zip(kind.names, kind.inner, strict=True)]
        }
    return {}


def _part(kind: ColumnType, name: str) -> dict[str, Any]:
    return {"name": name, "logicalType": kind.logical, **_parts(kind)}
