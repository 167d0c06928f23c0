"""A .proto file printed from its model, always in the same way."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.schemas.protobuf_model import (
    Option,
    ProtoEnum,
    ProtoExtend,
    ProtoField,
    ProtoFile,
    ProtoMessage,
    ProtoService,
)


def print_file(file: ProtoFile) -> str:
    """The text, with a newline at its end."""
    return "\n".join(_file(file)) + "\n"


def _file(file: ProtoFile) -> Iterator[str]:
    yield f'edition = "{file.edition}";' if file.edition else f'syntax = "{file.syntax}";'
    if file.package:
        yield f"package {file.package};"
    for path, modifier in file.imports:
        yield f'import {modifier + " " if modifier else ""}"{path}";'
    yield from _options(file.options, "")
    yield from _types(file.types, "")
    for extend in file.extends:
        yield from _extend(extend, "")
    for service in file.services:
        yield from _service(service)


def _types(types: list[ProtoMessage | ProtoEnum], indent: str) -> Iterator[str]:
    for item in types:
        yield from (_message(item, indent) if isinstance(item, ProtoMessage) else _enum(item, indent))


def _message(message: ProtoMessage, indent: str) -> Iterator[str]:
    yield f"{indent}message {message.name} {{"
    yield from _body(message, indent + "  ")
    yield f"{indent}}}"


def _body(message: ProtoMessage, inner: str) -> Iterator[str]:
    yield from _options(message.options, inner)
    for word, ranges in (("reserved", message.reserved), ("extensions", message.extensions)):
        for text in ranges:
            yield f"{inner}{word} {text};"
    for item in message.fields:
        yield from _field(item, inner)
    for oneof in message.oneofs:
        yield f"{inner}oneof {oneof.name} {{"
        yield from _options(oneof.options, inner + "  ")
        for item in oneof.fields:
            yield from _field(item, inner + "  ")
        yield f"{inner}}}"
    yield from _types(message.types, inner)
    for extend in message.extends:
        yield from _extend(extend, inner)


def _field(item: ProtoField, indent: str) -> Iterator[str]:
    options = f" [{', '.join(f'{name} = {value}' for name, value in item.options)}]" if item.options else ""
    if item.group is None:
        yield f"{indent}{item.text} {item.name} = {item.number}{options};"
        return
    label = f"{item.label} " if item.label else ""
    yield f"{indent}{label}group {item.name} = {item.number}{options} {{"
    yield from _body(item.group, indent + "  ")
    yield f"{indent}}}"


def _enum(enum: ProtoEnum, indent: str) -> Iterator[str]:
    yield f"{indent}enum {enum.name} {{"
    yield from _options(enum.options, indent + "  ")
    for text in enum.reserved:
        yield f"{indent}  reserved {text};"
    for name, number, options in enum.values:
        tail = f" [{', '.join(f'{key} = {value}' for key, value in options)}]" if options else ""
        yield f"{indent}  {name} = {number}{tail};"
    yield f"{indent}}}"


def _extend(extend: ProtoExtend, indent: str) -> Iterator[str]:
    yield f"{indent}extend {extend.target} {{"
    for item in extend.fields:
        yield from _field(item, indent + "  ")
    yield f"{indent}}}"


def _service(service: ProtoService) -> Iterator[str]:
    yield f"service {service.name} {{"
    yield from _options(service.options, "  ")
    for method in service.methods:
        takes = f"stream {method.takes}" if method.takes_stream else method.takes
        gives = f"stream {method.gives}" if method.gives_stream else method.gives
        head = f"  rpc {method.name} ({takes}) returns ({gives})"
        if not method.options:
            yield head + ";"
            continue
        yield head + " {"
        yield from _options(list(method.options), "    ")
        yield "  }"
    yield "}"


def _options(options: list[Option], indent: str) -> Iterator[str]:
    for name, value in options:
        yield f"{indent}option {name} = {value};"
