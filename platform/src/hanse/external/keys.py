"""Which columns are the key of a topic that others write: by their records' keys."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hanse.errors import ConfigError, DecodeError, UnknownSchema
from hanse.ports.schema_registry import SchemaRegistry
from hanse.wire.json.connect import payload_of
from hanse.wire.json.rows import load


@dataclass(frozen=True, slots=True)
class FoundKey:
    """The key's columns, where they stand, and for those in the record's key alone their JSON types."""

    columns: tuple[str, ...] = ()
    key_from: Literal["value", "record"] = "value"
    types: tuple[str, ...] = ()


class KeyReader:
    """Keys as documents: an object, or one value. Raises DecodeError for other bytes."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self.registry = registry
        self._readers: dict[int, Callable[[bytes], Any]] = {}

    def read(self, key: bytes) -> Any:
        """The key's document."""
        if key[:1] == b"\0" and len(key) >= 5:
            schema_id = int.from_bytes(key[1:5], "big")
            if schema_id not in self._readers:
                self._readers[schema_id] = self._reader(schema_id)
            return self._readers[schema_id](key[5:])
        if key[:1] in (b"{", b'"'):
            return payload_of(load(key))
        try:
            return key.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError("the key is not UTF-8") from error

    def _reader(self, schema_id: int) -> Callable[[bytes], Any]:
        try:
            found = self.registry.by_id(schema_id)
        except UnknownSchema as error:
            raise ConfigError(
                f"the registry does not know the schema {schema_id} of the keys",
                fix="name the topic's registry: --registry http(s)://host:port",
            ) from error
        if found.schema_type == "JSON":
            return load
        if found.schema_type != "AVRO":
            raise DecodeError(f"keys in {found.schema_type} are not read")
        import fastavro

        schema = fastavro.parse_schema(json.loads(found.schema))
        return lambda data: fastavro.schemaless_reader(io.BytesIO(data), schema, None)


def key_of(
    keys: Sequence[bytes | None], rows: Sequence[dict[str, Any] | None], columns: set[str], reader: KeyReader
) -> FoundKey:
    """The key's columns; `rows` stand beside the keys, None for tombstones and unreadable ones. Empty when there are no keys."""
    read: list[tuple[Any, dict[str, Any] | None]] = []
    for key, row in zip(keys, rows, strict=True):
        if key is None:
            continue
        try:
            read.append((reader.read(key), row))
        except DecodeError:
            return FoundKey()
    if not read:
        return FoundKey()
    shapes = {isinstance(key, dict) for key, row in read if row is not None} or {isinstance(read[0][0], dict)}
    if len(shapes) > 1:
        return FoundKey()
    read = [
        (key, row) for key, row in read if isinstance(key, dict) in shapes
    ]  # not those of unreadable records
    first = read[0][0]
    if isinstance(first, dict):
        names = tuple(first)
        inside = all(name in columns for name in names)
        types = () if inside else tuple(_type([k.get(n) for k, _ in read]) for n in names)
        return FoundKey(names, "value" if inside else "record", types)
    pairs = [(str(key), row) for key, row in read if row is not None]
    for name in sorted(columns, key=_likely):
        if pairs and all(row.get(name) is not None and str(row[name]) == key for key, row in pairs):
            return FoundKey((name,))
    name = "key" if "key" not in columns else "record_key"
    return FoundKey((name,), "record", (_type([key for key, _ in read]),))


def _likely(name: str) -> tuple[bool, bool, str]:
    lower = name.lower()
    return lower not in ("id", "key"), not lower.endswith(("_id", "id", "_key")), name


def _type(values: list[Any]) -> str:
    return "integer" if values and all(type(v) is int for v in values) else "string"
