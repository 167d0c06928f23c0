"""A .proto file compiled to a FileDescriptorProto, as a registry hands it to Protobuf clients."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from hanse.errors import SchemaError
from hanse.schemas.protobuf_descriptor import json_name
from hanse.schemas.protobuf_model import (
    SCALARS,
    Option,
    ProtoEnum,
    ProtoExtend,
    ProtoField,
    ProtoMessage,
    ProtoSchema,
    ProtoService,
)
from hanse.schemas.protobuf_types import TypeTable

_LABELS = {
    "": FieldDescriptorProto.LABEL_OPTIONAL,
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def to_base64(schema: ProtoSchema, name: str = "default.proto") -> str:
    """The base64 text of the compiled file. Raises SchemaError when a type is unknown."""
    return base64.b64encode(to_descriptor(schema, name).SerializeToString()).decode()


def to_descriptor(schema: ProtoSchema, name: str = "default.proto") -> FileDescriptorProto:
    """The compiled file under a name. Custom options are left out. Raises SchemaError."""
    return _Compiler(schema).file(name)


class _Compiler:
    def __init__(self, schema: ProtoSchema) -> None:
        self.source = schema.file
        self.table = TypeTable(schema.file, schema.imported)

    def file(self, name: str) -> FileDescriptorProto:
        source = self.source
        made = FileDescriptorProto(name=name, package=source.package)
        if source.syntax == "proto3":
            made.syntax = "proto3"
        elif source.edition:
            made.syntax = "editions"
            _set(made, "edition", f"EDITION_{source.edition}")
        for i, (path, modifier) in enumerate(source.imports):
            made.dependency.append(path)
            if modifier == "public":
                made.public_dependency.append(i)
            elif modifier == "weak":
                made.weak_dependency.append(i)
        self._types(source.types, made.message_type, made.enum_type, source.package)
        for extend in source.extends:
            self._extend(extend, made.extension, source.package)
        for service in source.services:
            self._service(service, made.service.add())
        _options(made.options, source.options)
        return made

    def _types(self, types: list[ProtoMessage | ProtoEnum], messages: Any, enums: Any, scope: str) -> None:
        for item in types:
            if isinstance(item, ProtoMessage):
                self._message(item, messages.add(), f"{scope}.{item.name}" if scope else item.name)
            else:
                _enum(item, enums.add())

    def _message(self, source: ProtoMessage, made: DescriptorProto, scope: str) -> None:
        made.name = source.name
        optional: list[FieldDescriptorProto] = []
        for item in source.fields:
            field = made.field.add()
            self._field(item, field, scope, made)
            if item.label == "optional" and self.source.syntax == "proto3":
                optional.append(field)
        for i, oneof in enumerate(source.oneofs):
            declared = made.oneof_decl.add(name=oneof.name)
            _options(declared.options, oneof.options)
            for item in oneof.fields:
                field = made.field.add(oneof_index=i)
                self._field(item, field, scope, made)
        for field in optional:
            field.proto3_optional = True
            field.oneof_index = len(made.oneof_decl)
            made.oneof_decl.add(name=f"_{field.name}")
        self._types(source.types, made.nested_type, made.enum_type, scope)
        for extend in source.extends:
            self._extend(extend, made.extension, scope)
        _reserve(source.reserved, made.reserved_range, made.reserved_name, after_end=1)
        _reserve(source.extensions, made.extension_range, [], after_end=1)
        _options(made.options, source.options)

    def _field(
        self, item: ProtoField, made: FieldDescriptorProto, scope: str, owner: DescriptorProto | None
    ) -> None:
        made.name, made.number = item.name, item.number
        made.label = _LABELS[item.label]
        made.json_name = json_name(item.name)
        if item.map_of is not None and owner is not None:
            self._map(item, made, scope, owner)
        elif item.group is not None and owner is not None:
            made.name = item.name.lower()
            made.type, made.type_name = FieldDescriptorProto.TYPE_GROUP, f".{scope}.{item.name}"
            self._message(item.group, owner.nested_type.add(), f"{scope}.{item.name}")
        else:
            self._type(item.type, made, scope)
        for key, value in item.options:
            if key == "default":
                made.default_value = _text(value)
            elif key == "json_name":
                made.json_name = _text(value)
        _options(made.options, item.options)

    def _map(self, item: ProtoField, made: FieldDescriptorProto, scope: str, owner: DescriptorProto) -> None:
        name = "".join(part[:1].upper() + part[1:] for part in item.name.split("_")) + "Entry"
        entry = owner.nested_type.add(name=name)
        entry.options.map_entry = True
        for number, (key, kind) in enumerate(zip(("key", "value"), item.map_of or (), strict=True), start=1):
            part = entry.field.add(name=key, number=number, json_name=key, label=_LABELS["optional"])
            self._type(kind, part, scope)
        made.label = FieldDescriptorProto.LABEL_REPEATED
        made.type, made.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{scope}.{name}"

    def _type(self, name: str, made: FieldDescriptorProto, scope: str) -> None:
        if name in SCALARS:
            made.type = FieldDescriptorProto.Type.Value(f"TYPE_{name.upper()}")
            return
        found = self.table.find(name, scope)
        if found is None:
            raise SchemaError(
                f"unknown type {name!r}", where=f"{scope}.{made.name}", fix="declare or import it"
            )
        enum = isinstance(found.declared, ProtoEnum)
        made.type = FieldDescriptorProto.TYPE_ENUM if enum else FieldDescriptorProto.TYPE_MESSAGE
        made.type_name = f".{found.full_name}"

    def _extend(self, source: ProtoExtend, into: Any, scope: str) -> None:
        found = self.table.find(source.target, scope)
        for item in source.fields:
            made = into.add(extendee=f".{found.full_name}" if found else source.target)
            self._field(item, made, scope, None)

    def _service(self, source: ProtoService, made: Any) -> None:
        made.name = source.name
        for item in source.methods:
            method = made.method.add(name=item.name)
            method.client_streaming, method.server_streaming = item.takes_stream, item.gives_stream
            for key, name in (("input_type", item.takes), ("output_type", item.gives)):
                found = self.table.find(name, self.source.package)
                setattr(method, key, f".{found.full_name}" if found else name)
            _options(method.options, list(item.options))
        _options(made.options, source.options)


def _enum(source: ProtoEnum, made: Any) -> None:
    made.name = source.name
    for name, number, options in source.values:
        value = made.value.add(name=name, number=number)
        _options(value.options, options)
    _reserve(source.reserved, made.reserved_range, made.reserved_name, after_end=0)
    _options(made.options, source.options)


def _reserve(ranges: list[str], numbers: Any, names: Any, *, after_end: int) -> None:
    for text in ranges:
        if text.startswith('"') or not text.lstrip("-")[:1].isdigit():
            names.append(text.strip('"'))
            continue
        start, _, end = text.partition(" to ")
        last = int(start) if not end else 2**29 - 1 if end == "max" else int(end)
        numbers.add(start=int(start), end=last + after_end)


def _options(made: Any, options: list[Option]) -> None:
    """Set the options that the descriptor's message knows by name; others are not needed for the wire."""
    for key, value in options:
        if key in made.DESCRIPTOR.fields_by_name:
            _set(made, key, value)


def _set(made: Any, key: str, value: str) -> None:
    field = made.DESCRIPTOR.fields_by_name[key]
    try:
        if field.is_repeated:
            if field.enum_type is not None:
                getattr(made, key).append(field.enum_type.values_by_name[value].number)
        elif field.enum_type is not None:
            setattr(made, key, field.enum_type.values_by_name[value].number)
        elif field.type == field.TYPE_BOOL:
            setattr(made, key, value == "true")
        elif field.type == field.TYPE_STRING:
            setattr(made, key, _text(value))
        elif field.message_type is None:
            setattr(made, key, int(value))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SchemaError(f"the option {key!r} cannot be so", got=value) from error


def _text(value: str) -> str:
    if not value.startswith('"'):
        return value
    inner, parts, i = value[1:-1], [], 0
    while i < len(inner):
        if inner[i] == "\\" and i + 1 < len(inner):
            parts.append(_ESCAPES.get(inner[i + 1], inner[i + 1]))
            i += 2
        else:
            parts.append(inner[i])
            i += 1
    return "".join(parts)
