"""Between .proto files and compiled descriptors (google/protobuf/descriptor.proto)."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hanse.errors import SchemaError
from hanse.schemas.finding import MAX_BYTES
from hanse.schemas.protobuf_model import (
    Label,
    Option,
    ProtoEnum,
    ProtoExtend,
    ProtoField,
    ProtoFile,
    ProtoMessage,
    ProtoMethod,
    ProtoOneOf,
    ProtoService,
)

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

_WELL_KNOWN = re.compile(r"google/protobuf/([a-z_]+)\.proto\Z")
_CONFLUENT = {
    "confluent/meta.proto": "confluent_kafka.schema_registry.confluent.meta_pb2",
    "confluent/type/decimal.proto": "confluent_kafka.schema_registry.confluent.types.decimal_pb2",
    "confluent/types/decimal.proto": "confluent_kafka.schema_registry.confluent.types.decimal_pb2",
}


@lru_cache(maxsize=64)
def well_known(path: str) -> ProtoFile | None:
    """A file that every compiler brings along (google/protobuf/*.proto, confluent/*.proto), or None."""
    match = _WELL_KNOWN.match(path)
    module = f"google.protobuf.{match[1]}_pb2" if match else _CONFLUENT.get(path)
    if module is None:
        return None
    try:
        serialized = import_module(module).DESCRIPTOR.serialized_pb
    except ModuleNotFoundError:
        return None
    return _from_bytes(serialized)


def from_base64(text: str) -> ProtoFile:
    """The file of a base64 FileDescriptorProto. Raises SchemaError."""
    if len(text) > MAX_BYTES:
        raise SchemaError("the schema is too large", expected=f"at most {MAX_BYTES} bytes")
    try:
        return _from_bytes(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError) as error:
        raise SchemaError("the schema is neither .proto text nor base64", got=str(error)) from error


def _from_bytes(data: bytes) -> ProtoFile:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    try:
        return from_descriptor(FileDescriptorProto.FromString(data))
    except DecodeError as error:
        raise SchemaError("the base64 is not a FileDescriptorProto", got=str(error)) from error


def from_descriptor(proto: FileDescriptorProto) -> ProtoFile:
    """The file of a compiled descriptor; maps, optional fields and groups as they were written."""
    made = ProtoFile(syntax=proto.syntax or "proto2", package=proto.package)
    if made.syntax == "editions":
        made.edition = str(proto.edition).rpartition("_")[2] or "2023"
    public, weak = set(proto.public_dependency), set(proto.weak_dependency)
    for i, path in enumerate(proto.dependency):
        made.imports.append((path, "public" if i in public else "weak" if i in weak else ""))
    made.options = _options(proto.options)
    proto3 = made.syntax == "proto3"
    made.types = [_message(m, proto3) for m in proto.message_type]
    made.types += [_enum(e) for e in proto.enum_type]
    made.extends = _extends(proto.extension, proto3)
    made.services = [_service(s) for s in proto.service]
    return made


def _message(proto: Any, proto3: bool) -> ProtoMessage:
    made = ProtoMessage(proto.name)
    entries = {n.name: n for n in proto.nested_type if n.options.map_entry}
    nested = {n.name: n for n in proto.nested_type}
    groups = {i.type_name.rpartition(".")[2] for i in proto.field if i.type == i.TYPE_GROUP}
    oneofs = [ProtoOneOf(o.name, options=_options(o.options)) for o in proto.oneof_decl]
    for item in proto.field:
        field = _field(item, proto3, entries)
        if item.type == item.TYPE_GROUP:
            field.name = item.type_name.rpartition(".")[2]
            field.type, field.group = "group", _message(nested[field.name], proto3)
        if item.HasField("oneof_index") and not item.proto3_optional:
            field.label = ""
            oneofs[item.oneof_index].fields.append(field)
        else:
            made.fields.append(field)
    made.oneofs = [oneof for oneof in oneofs if oneof.fields]
    made.types = [_message(n, proto3) for n in nested.values() if n.name not in {*entries, *groups}]
    made.types += [_enum(e) for e in proto.enum_type]
    made.extends = _extends(proto.extension, proto3)
    made.options = _options(proto.options)
    made.reserved = [_range(r.start, r.end - 1) for r in proto.reserved_range]
    made.reserved += [f'"{name}"' for name in proto.reserved_name]
    made.extensions = [_range(r.start, r.end - 1) for r in proto.extension_range]
    return made


def _range(start: int, end: int) -> str:
    if end >= 2**29 - 1:
        return f"{start} to max"
    return str(start) if start == end else f"{start} to {end}"


def _field(item: Any, proto3: bool, entries: dict[str, Any]) -> ProtoField:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    labels: dict[int, Label] = {
        Field.LABEL_REQUIRED: "required",
        Field.LABEL_REPEATED: "repeated",
        Field.LABEL_OPTIONAL: "" if proto3 and not item.proto3_optional else "optional",
    }
    made = ProtoField(
        item.name, item.number, _type_name(item), labels[item.label], options=_options(item.options)
    )
    entry = entries.get(item.type_name.rpartition(".")[2]) if item.type_name else None
    if entry is not None:
        made.type, made.label = "map", ""
        made.map_of = (_type_name(entry.field[0]), _type_name(entry.field[1]))
    if item.HasField("default_value"):
        made.options.insert(0, ("default", _default(item)))
    if item.json_name and item.json_name != json_name(item.name):
        made.options.append(("json_name", f'"{item.json_name}"'))
    return made


def _default(item: Any) -> str:
    quoted = item.type in {9, 12}
    escaped = item.default_value.replace("\\", "\\\\").replace('"', '\\"') if quoted else item.default_value
    return f'"{escaped}"' if quoted else escaped


def _type_name(item: Any) -> str:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    return item.type_name or Field.Type.Name(item.type).removeprefix("TYPE_").lower()


def json_name(name: str) -> str:
    """The JSON name that a field has unless it says otherwise."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _enum(proto: Any) -> ProtoEnum:
    made = ProtoEnum(proto.name, options=_options(proto.options))
    made.values = [(v.name, v.number, _options(v.options)) for v in proto.value]
    made.reserved = [_range(r.start, r.end) for r in proto.reserved_range]
    made.reserved += [f'"{name}"' for name in proto.reserved_name]
    return made


def _extends(items: Any, proto3: bool) -> list[ProtoExtend]:
    targets: dict[str, ProtoExtend] = {}
    for item in items:
        targets.setdefault(item.extendee, ProtoExtend(item.extendee)).fields.append(_field(item, proto3, {}))
    return list(targets.values())


def _service(proto: Any) -> ProtoService:
    return ProtoService(
        proto.name,
        [
            ProtoMethod(
                m.name,
                m.input_type,
                m.output_type,
                m.client_streaming,
                m.server_streaming,
                tuple(_options(m.options)),
            )
            for m in proto.method
        ],
        _options(proto.options),
    )


def _options(message: Any) -> list[Option]:
    """Options that are set, as text; extensions that this process does not know are left out."""
    found: list[Option] = []
    for descriptor, value in message.ListFields():
        if descriptor.is_extension or descriptor.name == "uninterpreted_option":
            continue
        for item in value if descriptor.is_repeated else [value]:
            text = _option_text(descriptor, item)
            if text is not None:
                found.append((descriptor.name, text))
    return found


def _option_text(descriptor: Any, value: Any) -> str | None:
    """One value as it is written in a .proto file, None for a message."""
    if descriptor.type == descriptor.TYPE_STRING:
        return f'"{value}"'
    if descriptor.type == descriptor.TYPE_ENUM:
        known = descriptor.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if descriptor.type == descriptor.TYPE_BOOL:
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
