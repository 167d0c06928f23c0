"""Which type a name means in a .proto file: the innermost scope first, then outwards, then imported files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hanse.schemas.protobuf_model import ProtoEnum, ProtoFile, ProtoMessage


@dataclass(frozen=True, slots=True, eq=False)
class FoundType:
    """A type with its full name, its file's package, and whether it is the schema's own."""

    full_name: str
    package: str
    own: bool
    declared: ProtoMessage | ProtoEnum

    @property
    def local_name(self) -> str:
        """The name without the package."""
        return self.full_name.removeprefix(f"{self.package}.") if self.package else self.full_name


class TypeTable:
    """All types of a file and of those that it imports, by full name."""

    def __init__(self, file: ProtoFile, imported: Mapping[str, ProtoFile]) -> None:
        self.types: dict[str, FoundType] = {}
        for other in imported.values():
            self._add(other, own=False)
        self._add(file, own=True)

    def _add(self, file: ProtoFile, *, own: bool) -> None:
        for name, item in declared_types(file):
            self.types[name] = FoundType(name, file.package, own, item)

    def find(self, name: str, scope: str) -> FoundType | None:
        """The type that a name means within a scope (a full name), or None."""
        if name.startswith("."):
            return self.types.get(name[1:])
        while scope:
            found = self.types.get(f"{scope}.{name}")
            if found is not None:
                return found
            scope = scope.rpartition(".")[0]
        return self.types.get(name)


def declared_types(file: ProtoFile) -> Iterator[tuple[str, ProtoMessage | ProtoEnum]]:
    """All types of a file with their full names, outer ones before inner ones."""
    waiting = [(item, file.package) for item in reversed(file.types)]
    while waiting:
        item, prefix = waiting.pop()
        name = f"{prefix}.{item.name}" if prefix else item.name
        yield name, item
        if isinstance(item, ProtoMessage):
            groups = [f.group for f in item.fields if f.group is not None]
            waiting.extend((inner, name) for inner in reversed([*item.types, *groups]))
