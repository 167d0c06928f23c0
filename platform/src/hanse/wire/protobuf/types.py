"""What a Protobuf message is as columns.

Fields with presence (optional, oneof, messages) may be null; others have their default. An enum is its
name, or the number as text when the reader does not know it. uint64 is DECIMAL(20, 0); google.protobuf's
Timestamp is a timestamp (UTC, microseconds), its wrappers are nullable scalars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pyarrow as pa
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from hanse.errors import SchemaError
from hanse.schemas.protobuf_compile import to_descriptor
from hanse.schemas.protobuf_model import parse_protobuf

MAX_COLUMNS = 5_000
TIMESTAMP = "google.protobuf.Timestamp"
WRAPPERS = frozenset(
    f"google.protobuf.{n}Value"
    for n in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_WELL_KNOWN = ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers")
_F: Any = FieldDescriptor
# type → (name, wire type, Arrow type)
SCALARS: dict[int, tuple[str, int, pa.DataType]] = {
    _F.TYPE_DOUBLE: ("double", 1, pa.float64()),
    _F.TYPE_FLOAT: ("float", 5, pa.float32()),
    _F.TYPE_INT64: ("int64", 0, pa.int64()),
    _F.TYPE_UINT64: ("uint64", 0, pa.decimal128(20, 0)),
    _F.TYPE_INT32: ("int32", 0, pa.int32()),
    _F.TYPE_FIXED64: ("fixed64", 1, pa.decimal128(20, 0)),
    _F.TYPE_FIXED32: ("fixed32", 5, pa.int64()),
    _F.TYPE_BOOL: ("bool", 0, pa.bool_()),
    _F.TYPE_STRING: ("string", 2, pa.string()),
    _F.TYPE_BYTES: ("bytes", 2, pa.binary()),
    _F.TYPE_UINT32: ("uint32", 0, pa.int64()),
    _F.TYPE_ENUM: ("enum", 0, pa.string()),
    _F.TYPE_SFIXED32: ("sfixed32", 5, pa.int32()),
    _F.TYPE_SFIXED64: ("sfixed64", 1, pa.int64()),
    _F.TYPE_SINT32: ("sint32", 0, pa.int32()),
    _F.TYPE_SINT64: ("sint64", 0, pa.int64()),
}


@dataclass(slots=True, eq=False)
class ProtoColumn:
    """A field. `kind` is a scalar's name, message, timestamp, wrapper, repeated or map; `wire` its wire type.

    `inner` describes a message's fields, a wrapper's one, the elements of what is repeated, a map's value.
    """

    name: str
    number: int
    kind: str
    wire: int
    arrow: pa.DataType
    presence: bool
    inner: list[ProtoColumn] = field(default_factory=list["ProtoColumn"])
    symbols: Mapping[int, str] = field(default_factory=dict[int, str])
    oneof: str = ""


def load_message(schema: str, imports: Mapping[str, str] | None = None) -> Descriptor:
    """The first message of the file, compiled with its imports by path. Raises SchemaError."""
    imports = imports or {}
    file = to_descriptor(parse_protobuf(schema, imports), "value.proto")
    pool: Any = descriptor_pool.DescriptorPool()
    for name in _WELL_KNOWN:
        pool.AddSerializedFile(import_module(f"google.protobuf.{name}_pb2").DESCRIPTOR.serialized_pb)
    try:
        for path, text in imports.items():
            pool.AddSerializedFile(to_descriptor(parse_protobuf(text, imports), path).SerializeToString())
        pool.AddSerializedFile(file.SerializeToString())
        made = pool.FindFileByName("value.proto")
    except (TypeError, KeyError) as error:
        raise SchemaError("the Protobuf schema cannot be used", got=str(error)) from error
    messages = list(made.message_types_by_name.values())
    if not messages:
        raise SchemaError("the Protobuf schema has no message", expected="at least one message")
    return messages[0]


def path_of(message: Any) -> str:
    """The message's name with those it is nested in, without the package."""
    return message.full_name.removeprefix(f"{message.file.package}.")


def message_class(message: Descriptor) -> Any:
    """The class that parses the message."""
    return message_factory.GetMessageClass(message)


def columns_of_message(message: Descriptor) -> list[ProtoColumn]:
    """The message's fields as columns. Raises SchemaError for a recursive message."""
    return _Typing().message(message, ())


class _Typing:
    def __init__(self) -> None:
        self.left = MAX_COLUMNS

    def message(self, message: Any, above: tuple[str, ...]) -> list[ProtoColumn]:
        if message.full_name in above:
            raise SchemaError(
                f"the recursive message {message.full_name} cannot be a column",
                fix="leave the field out of the reader's schema",
            )
        return [self.column(f, (*above, message.full_name)) for f in message.fields]

    def column(self, f: Any, above: tuple[str, ...]) -> ProtoColumn:
        self.left -= 1
        if self.left < 0:
            raise SchemaError("the message has too many fields", expected=f"at most {MAX_COLUMNS}")
        if not f.is_repeated:
            made = self.single(f, above)
            made.oneof = f.containing_oneof.name if f.containing_oneof is not None else ""
            return made
        entry = f.message_type
        if entry is not None and entry.GetOptions().map_entry:
            key, value = (self.single(entry.fields_by_name[n], above) for n in ("key", "value"))
            arrow = pa.map_(key.arrow, value.arrow)
            return ProtoColumn(f.name, f.number, "map", 2, arrow, False, [key, value])
        inner = self.single(f, above)
        return ProtoColumn(f.name, f.number, "repeated", 2, pa.list_(inner.arrow), False, [inner])

    def single(self, f: Any, above: tuple[str, ...]) -> ProtoColumn:
        if f.type in SCALARS:
            kind, wire, arrow = SCALARS[f.type]
            symbols = {v.number: v.name for v in reversed(f.enum_type.values)} if kind == "enum" else {}
            return ProtoColumn(f.name, f.number, kind, wire, arrow, f.has_presence, symbols=symbols)
        if f.type != _F.TYPE_MESSAGE:
            raise SchemaError(f"the group {f.full_name} cannot be a column")
        name = f.message_type.full_name
        if name == TIMESTAMP:
            inner = self.message(f.message_type, above)
            return ProtoColumn(f.name, f.number, "timestamp", 2, pa.timestamp("us"), True, inner)
        inner = self.message(f.message_type, above)
        if name in WRAPPERS:
            return ProtoColumn(f.name, f.number, "wrapper", 2, inner[0].arrow, True, inner)
        arrow = pa.struct([pa.field(c.name, c.arrow) for c in inner])
        return ProtoColumn(f.name, f.number, "message", 2, arrow, True, inner)
