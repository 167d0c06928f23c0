"""What a compiler would refuse in a .proto file: unknown types, numbers and names that are taken twice."""

from __future__ import annotations

from collections.abc import Mapping

from hanse.errors import SchemaError
from hanse.schemas.finding import short
from hanse.schemas.protobuf_model import SCALARS, ProtoEnum, ProtoField, ProtoFile, ProtoMessage
from hanse.schemas.protobuf_types import TypeTable, declared_types

MAX_NUMBER = 2**29 - 1
_RESERVED = range(19_000, 20_000)
_MAP_KEYS = SCALARS - {"double", "float", "bytes"}


def check_file(file: ProtoFile, imported: Mapping[str, ProtoFile]) -> None:
    """Raises SchemaError, naming message, field and line, for the first thing that is wrong."""
    for path, _ in file.imports:
        if path not in imported:
            raise SchemaError(
                f"the import {short(path, 80)!r} cannot be resolved",
                fix="register the imported file and add a reference named by its path",
            )
    table = TypeTable(file, imported)
    seen: set[str] = set()
    for name, item in declared_types(file):
        if name in seen:
            raise SchemaError("the type is declared twice", where=name)
        seen.add(name)
        if isinstance(item, ProtoEnum):
            _check_enum(name, item, file)
        else:
            _check_message(name, item, table)


def _check_enum(name: str, enum: ProtoEnum, file: ProtoFile) -> None:
    if not enum.values:
        raise SchemaError("an enum needs a value", where=name)
    if file.syntax == "proto3" and enum.values[0][1] != 0:
        raise SchemaError("the first value of a proto3 enum is 0", where=f"{name}.{enum.values[0][0]}")
    numbers: set[int] = set()
    for value, number, _ in enum.values:
        if number in numbers and ("allow_alias", "true") not in enum.options:
            raise SchemaError("the number is taken twice", where=f"{name}.{value}", got=str(number))
        numbers.add(number)


def _check_message(name: str, message: ProtoMessage, table: TypeTable) -> None:
    numbers: dict[int, str] = {}
    names: set[str] = set()
    fields = [*message.fields, *(f for oneof in message.oneofs for f in oneof.fields)]
    for item in fields:
        where = f"{name}.{item.name}, line {item.line}"
        if not 1 <= item.number <= MAX_NUMBER or item.number in _RESERVED:
            expected = f"1 to {MAX_NUMBER}, but not 19000 to 19999"
            raise SchemaError(
                "the number cannot be a field's", where=where, expected=expected, got=str(item.number)
            )
        if item.number in numbers:
            got = f"{item.number} of {numbers[item.number]!r}"
            raise SchemaError("the number is taken twice", where=where, got=got)
        if item.name in names:
            raise SchemaError("the name is taken twice", where=where)
        numbers[item.number] = item.name
        names.add(item.name)
        _check_type(name, item, table, where)


def _check_type(name: str, item: ProtoField, table: TypeTable, where: str) -> None:
    if item.group is not None:
        return
    if item.map_of is not None and item.map_of[0] not in _MAP_KEYS:
        raise SchemaError("the map's key is of a type that cannot be one", where=where, got=item.map_of[0])
    kind = item.map_of[1] if item.map_of else item.type
    if kind not in SCALARS and table.find(kind, name) is None:
        raise SchemaError(f"unknown type {short(kind, 80)!r}", where=where, fix="declare or import it")
