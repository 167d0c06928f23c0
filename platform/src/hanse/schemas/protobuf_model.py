"""Protobuf files: what counts on the wire, and enough of the rest to print them again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hanse.errors import SchemaError

Label = Literal["", "optional", "required", "repeated"]
Option = tuple[str, str]
_BASE64 = re.compile(r"[A-Za-z0-9+/\n]{8,}={0,2}")
SCALARS = frozenset(
    {
        "double",
        "float",
        "int32",
        "int64",
        "uint32",
        "uint64",
        "sint32",
        "sint64",
        "fixed32",
        "fixed64",
        "sfixed32",
        "sfixed64",
        "bool",
        "string",
        "bytes",
    }
)


@dataclass(slots=True, eq=False)
class ProtoField:
    """A field; `map_of` has the types of key and value when it is a map. `line` counts from 1."""

    name: str
    number: int
    type: str
    label: Label = ""
    map_of: tuple[str, str] | None = None
    options: list[Option] = field(default_factory=list[Option])
    group: ProtoMessage | None = None
    line: int = 0

    @property
    def text(self) -> str:
        """How a message calls its type."""
        kind = f"map<{self.map_of[0]}, {self.map_of[1]}>" if self.map_of else self.type
        return f"{self.label} {kind}" if self.label else kind


@dataclass(slots=True, eq=False)
class ProtoOneOf:
    """Fields of which at most one is set."""

    name: str
    fields: list[ProtoField] = field(default_factory=list[ProtoField])
    options: list[Option] = field(default_factory=list[Option])


@dataclass(slots=True, eq=False)
class ProtoEnum:
    """Names for numbers."""

    name: str
    values: list[tuple[str, int, list[Option]]] = field(default_factory=list[tuple[str, int, list[Option]]])
    options: list[Option] = field(default_factory=list[Option])
    reserved: list[str] = field(default_factory=list[str])


@dataclass(slots=True, eq=False)
class ProtoExtend:
    """Fields added to another message."""

    target: str
    fields: list[ProtoField] = field(default_factory=list[ProtoField])


@dataclass(slots=True, eq=False)
class ProtoMessage:
    """A message; `map_entry` marks what a compiler made of a map."""

    name: str
    fields: list[ProtoField] = field(default_factory=list[ProtoField])
    oneofs: list[ProtoOneOf] = field(default_factory=list[ProtoOneOf])
    types: list[ProtoMessage | ProtoEnum] = field(default_factory=list["ProtoMessage | ProtoEnum"])
    extends: list[ProtoExtend] = field(default_factory=list[ProtoExtend])
    options: list[Option] = field(default_factory=list[Option])
    reserved: list[str] = field(default_factory=list[str])
    extensions: list[str] = field(default_factory=list[str])

    def all_fields(self) -> Iterator[tuple[ProtoField, ProtoOneOf | None]]:
        """All fields that travel, with the oneof that holds them; groups are not among them."""
        for item in self.fields:
            if item.group is None:
                yield item, None
        for oneof in self.oneofs:
            for item in oneof.fields:
                if item.group is None:
                    yield item, oneof


@dataclass(frozen=True, slots=True)
class ProtoMethod:
    """A method of a service."""

    name: str
    takes: str
    gives: str
    takes_stream: bool = False
    gives_stream: bool = False
    options: tuple[Option, ...] = ()


@dataclass(slots=True, eq=False)
class ProtoService:
    """A service; it does not matter for compatibility."""

    name: str
    methods: list[ProtoMethod] = field(default_factory=list[ProtoMethod])
    options: list[Option] = field(default_factory=list[Option])


@dataclass(slots=True, eq=False)
class ProtoFile:
    """One file. `imports` are (path, "" | "public" | "weak")."""

    syntax: str = "proto2"
    edition: str | None = None
    package: str = ""
    imports: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    options: list[Option] = field(default_factory=list[Option])
    types: list[ProtoMessage | ProtoEnum] = field(default_factory=list[ProtoMessage | ProtoEnum])
    extends: list[ProtoExtend] = field(default_factory=list[ProtoExtend])
    services: list[ProtoService] = field(default_factory=list[ProtoService])


@dataclass(slots=True, eq=False)
class ProtoSchema:
    """A file with the files that it imports, by import path. `text` is what readers get."""

    text: str
    file: ProtoFile
    imported: dict[str, ProtoFile]


def parse_protobuf(
    text: str, references: Mapping[str, str] | None = None, *, strict: bool = False
) -> ProtoSchema:
    """Read a .proto text, or the base64 of a FileDescriptorProto.

    `references` are such texts by import path. `strict` checks that imports and types are there and numbers
    and names unique. Raises SchemaError with line and column.
    """
    from hanse.schemas.protobuf_descriptor import well_known

    file = read_file(text)
    imported = {name: read_file(body) for name, body in (references or {}).items()}
    waiting = [file, *imported.values()]
    while waiting:
        for path, _ in waiting.pop().imports:
            known = None if path in imported else well_known(path)
            if known is not None:
                imported[path] = known
                waiting.append(known)
    if strict:
        from hanse.schemas.protobuf_check import check_file

        check_file(file, imported)
    return ProtoSchema(text if looks_like_text(text) else print_of(file), file, imported)


def read_file(text: str) -> ProtoFile:
    """One file, whichever of the two forms it has. Raises SchemaError."""
    if looks_like_text(text):
        from hanse.schemas.protobuf_parser import parse_file

        return parse_file(text)
    from hanse.schemas.protobuf_descriptor import from_base64

    return from_base64(text)


def looks_like_text(text: str) -> bool:
    """Whether this is a .proto text and not the base64 of a descriptor."""
    return _BASE64.fullmatch(text.strip()) is None


def print_of(file: ProtoFile) -> str:
    """The file as .proto text, without comments."""
    from hanse.schemas.protobuf_printer import print_file

    return print_file(file)


def canonical_text(schema: ProtoSchema) -> str:
    """Equal for files that differ in blanks and comments only."""
    try:
        return print_of(schema.file)
    except RecursionError as error:
        raise SchemaError("the schema is nested too deeply") from error
