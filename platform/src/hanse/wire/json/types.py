"""What a JSON Schema describes, as columns: the part of the language that has a type in SQL.

object with properties → record, object with additionalProperties alone → map, array → array; string with
the format date-time → timestamp (UTC, microseconds), date → date; number with multipleOf 0.1, 0.01, … →
decimal of 38 digits with that scale; integer → 64 bits. A `title` that is one of Kafka Connect's or Debezium's
logical types means what it means there: numbers since the epoch, decimals as the bytes of their digits. `null` beside a type, or a property that is not
required, may be null. What has no such type is refused by its path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa

from hanse.errors import SchemaError

MAX_TEXT = 4_000_000
MAX_DEPTH = 32
MAX_NODES = 20_000
_CONNECT = "org.apache.kafka.connect.data."
DECIMAL = f"{_CONNECT}Decimal"
MOMENTS: dict[str, pa.DataType] = {
    f"{_CONNECT}Timestamp": pa.timestamp("ms"),
    "io.debezium.time.Timestamp": pa.timestamp("ms"),
    "io.debezium.time.MicroTimestamp": pa.timestamp("us"),
    "io.debezium.time.NanoTimestamp": pa.timestamp("ns"),
    f"{_CONNECT}Date": pa.date32(),
    "io.debezium.time.Date": pa.date32(),
}
"""Logical types that are whole numbers since the epoch: of the timestamp's unit, or of days."""
_FORMATS = {"date-time": pa.timestamp("us"), "date": pa.date32()}


@dataclass(slots=True, eq=False)
class JsonType:
    """One type: a record, array, map, string, integer, number, decimal, boolean, timestamp or date.

    Also "epoch" and "days", whole numbers that are timestamps and dates, and "unscaled", the Base64 of a
    decimal's digits as bytes.
    """

    kind: str
    arrow: pa.DataType
    nullable: bool = False
    fields: dict[str, JsonType] = field(default_factory=dict[str, "JsonType"])
    items: JsonType | None = None
    symbols: frozenset[str] = frozenset()

    @property
    def element(self) -> JsonType:
        """The items of an array, the values of a map."""
        assert self.items is not None, "only arrays and maps have elements"
        return self.items


def parse_json_schema(schema: str | bytes | dict[str, Any]) -> JsonType:
    """The record that the schema describes. Raises SchemaError, naming the place as a JSON pointer."""
    document = _load(schema)
    made = _Reader(document).read(document, "#", 0)
    if made.kind != "record":
        raise SchemaError("a topic's schema must be an object with properties", where="#", got=made.kind)
    return made


def _load(schema: str | bytes | dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema, dict):
        return schema
    if len(schema) > MAX_TEXT:
        raise SchemaError("the JSON Schema is too large", expected=f"at most {MAX_TEXT} bytes")
    try:
        document = orjson.loads(schema)
    except orjson.JSONDecodeError as error:
        raise SchemaError("the JSON Schema is not JSON", got=str(error)) from error
    if not isinstance(document, dict):
        raise SchemaError("the JSON Schema is no object", where="#", got=str(document)[:40])
    return document


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.left = MAX_NODES

    def read(self, node: Any, path: str, depth: int) -> JsonType:
        self.left -= 1
        if depth > MAX_DEPTH or self.left < 0:
            raise SchemaError(
                "the JSON Schema is nested too deeply, recursive, or too large", where=path[:200]
            )
        if not isinstance(node, dict):
            raise SchemaError("the JSON Schema describes no type", where=path, expected="an object")
        if "$ref" in node:
            return self.read(self._target(node["$ref"], path), path, depth + 1)
        node, nullable = self._without_null(node, path)
        if "$ref" in node:
            made = self.read(node, path, depth + 1)
        else:
            made = self._typed(node, path, depth)
        made.nullable = made.nullable or nullable
        return made

    def _target(self, ref: Any, path: str) -> Any:
        if not isinstance(ref, str) or not ref.startswith("#"):
            raise SchemaError("only references inside the schema are followed", where=path, got=str(ref)[:80])
        found: Any = self.document
        for part in ref[1:].split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                raise SchemaError("a reference leads nowhere", where=path, got=ref[:80])
            found = found[name]
        return found

    def _without_null(self, node: dict[str, Any], path: str) -> tuple[dict[str, Any], bool]:
        """The schema without its null, and whether it had one."""
        for word in ("oneOf", "anyOf"):
            if word in node and isinstance(node[word], list):
                rest = [b for b in node[word] if b != {"type": "null"}]
                if len(rest) != 1 or not isinstance(rest[0], dict):
                    raise SchemaError(f"{word} of several types has no column type", where=path)
                return rest[0], len(rest) < len(node[word])
        kind = node.get("type")
        if isinstance(kind, list):
            rest = [k for k in kind if k != "null"]
            if len(rest) != 1:
                raise SchemaError("several types have no column type", where=path, got=str(kind)[:80])
            return {**node, "type": rest[0]}, len(rest) < len(kind)
        return node, False

    def _typed(self, node: dict[str, Any], path: str, depth: int) -> JsonType:
        kind = node.get("type")
        if kind is None and "properties" in node:
            kind = "object"
        if kind is None and isinstance(node.get("enum"), list):
            kind = "string"
        if (logical := _logical(node, kind)) is not None:
            return logical
        match kind:
            case "object":
                return self._object(node, path, depth)
            case "array":
                items = self.read(node.get("items"), f"{path}/items", depth + 1)
                return JsonType("array", pa.list_(items.arrow), items=items)
            case "string":
                return _string(node, path)
            case "integer":
                return JsonType("integer", pa.int64())
            case "number":
                scale = _scale(node.get("multipleOf"))
                return (
                    JsonType("decimal", pa.decimal128(38, scale))
                    if scale
                    else JsonType("number", pa.float64())
                )
            case "boolean":
                return JsonType("boolean", pa.bool_())
            case _:
                raise SchemaError("the JSON Schema gives no type", where=path, got=str(kind)[:40])

    def _object(self, node: dict[str, Any], path: str, depth: int) -> JsonType:
        properties = node.get("properties") or {}
        others = node.get("additionalProperties")
        if not properties and isinstance(others, dict):
            items = self.read(others, f"{path}/additionalProperties", depth + 1)
            return JsonType("map", pa.map_(pa.string(), items.arrow), items=items)
        if not isinstance(properties, dict) or not properties:
            raise SchemaError("an object without properties has no column type", where=path)
        required = node.get("required") or []
        fields: dict[str, JsonType] = {}
        for name, inner in properties.items():
            made = self.read(inner, f"{path}/properties/{name}", depth + 1)
            made.nullable = made.nullable or name not in required
            fields[name] = made
        arrow = pa.struct([pa.field(name, t.arrow) for name, t in fields.items()])
        return JsonType("record", arrow, fields=fields)


def _logical(node: dict[str, Any], kind: Any) -> JsonType | None:
    title = node.get("title")
    if not isinstance(title, str):
        return None
    if kind == "integer" and title in MOMENTS:
        return JsonType("days" if MOMENTS[title] == pa.date32() else "epoch", MOMENTS[title])
    if kind in ("string", "number") and title == DECIMAL:
        parameters = node.get("connect.parameters")
        found: dict[str, Any] = parameters if isinstance(parameters, dict) else {}
        scale, precision = found.get("scale"), found.get("connect.decimal.precision", "38")
        if str(scale).isdigit() and str(precision).isdigit() and int(str(scale)) <= int(precision) <= 38:
            return JsonType("unscaled", pa.decimal128(int(precision), int(str(scale))))
    return None


def _string(node: dict[str, Any], path: str) -> JsonType:
    made = _FORMATS.get(str(node.get("format")))
    if made is not None:
        return JsonType("date" if made == pa.date32() else "timestamp", made)
    symbols = node.get("enum") or []
    if not all(isinstance(s, str) for s in symbols):
        raise SchemaError("an enumeration of other things than strings has no column type", where=path)
    return JsonType("string", pa.string(), symbols=frozenset(symbols))


def _scale(step: Any) -> int:
    """The digits after the point that a step of 0.1, 0.01, … leaves; 0 for others."""
    try:
        exponent = Decimal(str(step)).normalize()
    except InvalidOperation:
        return 0
    digits = exponent.as_tuple()
    return -int(digits.exponent) if digits.digits == (1,) and -18 <= int(digits.exponent) < 0 else 0
