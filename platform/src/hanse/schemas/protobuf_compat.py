"""Whether messages written with one .proto file are read safely with another, by Confluent's rules.

They follow Protocol Buffers' advice on updating a message type: what counts is a field's number, its place
on the wire, and which fields exclude one another; names of fields and of enum values do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hanse.errors import SchemaError
from hanse.schemas.finding import Budget, Finding, short
from hanse.schemas.protobuf_model import (
    SCALARS,
    ProtoEnum,
    ProtoField,
    ProtoFile,
    ProtoMessage,
    ProtoOneOf,
    ProtoSchema,
)
from hanse.schemas.protobuf_types import FoundType, TypeTable

_WIRE = {
    **dict.fromkeys(("int32", "int64", "uint32", "uint64", "bool"), "varint"),
    **dict.fromkeys(("sint32", "sint64"), "zigzag varint"),
    **dict.fromkeys(("string", "bytes"), "text or bytes"),
    **dict.fromkeys(("fixed32", "sfixed32"), "fixed 32 bit"),
    **dict.fromkeys(("fixed64", "sfixed64"), "fixed 64 bit"),
    "float": "float",
    "double": "double",
}


def compare_protobuf(new: ProtoSchema, old: ProtoSchema, budget: Budget | None = None) -> list[Finding]:
    """Everything in which readers of `new` misread what was written with `old`. Raises SchemaError."""
    try:
        return _Comparison(
            TypeTable(old.file, old.imported), TypeTable(new.file, new.imported), budget or Budget()
        ).files(old.file, new.file)
    except RecursionError as error:
        raise SchemaError("the schemas are nested too deeply to compare") from error


@dataclass(frozen=True, slots=True)
class _Scopes:
    """Full names of the messages being compared, on both sides; names are resolved within them."""

    old: str
    new: str

    def inner(self, name: str) -> _Scopes:
        return _Scopes(f"{self.old}.{name}" if self.old else name, f"{self.new}.{name}" if self.new else name)


class _Comparison:
    def __init__(self, old: TypeTable, new: TypeTable, budget: Budget) -> None:
        self.old = old
        self.new = new
        self.budget = budget
        self.known: dict[tuple[int, int], list[Finding]] = {}

    def files(self, old: ProtoFile, new: ProtoFile) -> list[Finding]:
        found: list[Finding] = []
        if old.package != new.package:
            sides = old.package or "none", new.package or "none"
            found.append(Finding("#", "PACKAGE_CHANGED", *sides, "the package is another one"))
        return found + self._types(old.types, new.types, _Scopes(old.package, new.package), "#")

    def _types(
        self,
        olds: list[ProtoMessage | ProtoEnum],
        news: list[ProtoMessage | ProtoEnum],
        scopes: _Scopes,
        path: str,
    ) -> list[Finding]:
        """Messages by name. Enums may come and go: what uses them is compared where it is used."""
        found: list[Finding] = []
        after = {m.name: m for m in news if isinstance(m, ProtoMessage)}
        for message in {m.name: m for m in olds if isinstance(m, ProtoMessage)}.values():
            here = f"{path}/{message.name}"
            kept = after.get(message.name)
            if kept is not None:
                found += self.message(message, kept, scopes.inner(message.name), here)
            elif not _is_map_entry(message):
                text = "the message was taken away or renamed"
                found.append(Finding(here, "MESSAGE_REMOVED", f"message {message.name}", "absent", text))
        return found

    def message(self, old: ProtoMessage, new: ProtoMessage, scopes: _Scopes, path: str) -> list[Finding]:
        """Findings of a message and its nested types; a pair met inside itself counts as compatible."""
        self.budget.spend()
        pair = (id(old), id(new))
        if pair not in self.known:
            self.known[pair] = []
            self.known[pair] = self._message(old, new, scopes)[:1_000]
        self.budget.spend(len(self.known[pair]))
        return [replace(f, path=path + f.path) for f in self.known[pair]]

    def _message(self, old: ProtoMessage, new: ProtoMessage, scopes: _Scopes) -> list[Finding]:
        before = {f.number: (f, oneof) for f, oneof in old.all_fields()}
        after = {f.number: (f, oneof) for f, oneof in new.all_fields()}
        self.budget.spend(len(before) + len(after))
        found = self._exclusions(new, before)
        gone = _gone_oneofs(old, new, after)
        for number in sorted({*before, *after}):
            if number not in after:
                found += self._removed(*before[number], gone)
            elif number not in before:
                found += self._added(*after[number])
            else:
                oneof = after[number][1]
                path = f"/{oneof.name}/{number}" if oneof else f"/{number}"
                found += self._field(before[number][0], after[number][0], scopes, path)
        return found + self._types(old.types, new.types, scopes, "")

    # -- fields that come, go and exclude one another ------------------------------------------------

    def _exclusions(
        self, new: ProtoMessage, before: dict[int, tuple[ProtoField, ProtoOneOf | None]]
    ) -> list[Finding]:
        """Fields that could be set together may not come to exclude one another."""
        found: list[Finding] = []
        for oneof in new.oneofs:
            known = [before[f.number] for f in oneof.fields if f.group is None and f.number in before]
            free = [field for field, owner in known if owner is None]
            owners = {owner.name for _, owner in known if owner is not None}
            if len(free) + len(owners) <= 1:
                continue
            kind = "MULTIPLE_FIELDS_MOVED_TO_ONEOF" if len(free) > 1 else "FIELD_MOVED_TO_EXISTING_ONEOF"
            moved = ", ".join(field.name for field in free) or ", ".join(sorted(owners))
            text = f"{short(moved)} could be set together before and exclude one another now"
            found.append(Finding(f"/{oneof.name}", kind, "independent", f"oneof {oneof.name}", text))
        return found

    def _removed(self, field: ProtoField, oneof: ProtoOneOf | None, gone: set[str]) -> list[Finding]:
        if oneof is not None:
            if oneof.name in gone:
                return []
            text = f"{field.name!r} was taken out of the oneof, so that a set value reads as none"
            path = f"/{oneof.name}/{field.number}"
            return [Finding(path, "ONEOF_FIELD_REMOVED", f"{field.text} {field.name}", "absent", text)]
        if field.label != "required":
            return []
        text = f"readers of the old schema need {field.name!r}"
        return [
            Finding(
                f"/{field.number}", "REQUIRED_FIELD_REMOVED", f"{field.text} {field.name}", "absent", text
            )
        ]

    def _added(self, field: ProtoField, oneof: ProtoOneOf | None) -> list[Finding]:
        if oneof is not None or field.label != "required":
            return []
        text = f"old messages lack {field.name!r}, which is required"
        return [
            Finding(f"/{field.number}", "REQUIRED_FIELD_ADDED", "absent", f"{field.text} {field.name}", text)
        ]

    # -- fields on both sides -----------------------------------------------------------------------

    def _field(self, old: ProtoField, new: ProtoField, scopes: _Scopes, path: str) -> list[Finding]:
        before = self._map_of(self.old, old, scopes.old)
        after = self._map_of(self.new, new, scopes.new)
        if before and after:
            return [
                finding
                for was, now in zip(before, after, strict=True)
                for finding in self._value(_Value(was), _Value(now), scopes, path)
            ]
        if before or after:
            return [_kind_changed(path, old.text, new.text)]
        return self._value(_Value(old.type, old.label), _Value(new.type, new.label), scopes, path)

    def _map_of(self, side: TypeTable, field: ProtoField, scope: str) -> tuple[str, str] | None:
        """Types of key and value, also where a compiler has made a repeated entry message of the map."""
        if field.map_of or field.type in SCALARS:
            return field.map_of
        found = side.find(field.type, scope)
        if found is None or not isinstance(found.declared, ProtoMessage) or not _is_map_entry(found.declared):
            return None
        types = {f.name: f.type for f in found.declared.fields}
        return (types["key"], types["value"]) if {"key", "value"} <= types.keys() else None

    def _value(self, old: _Value, new: _Value, scopes: _Scopes, path: str) -> list[Finding]:
        was = None if old.type in SCALARS else self.old.find(old.type, scopes.old)
        now = None if new.type in SCALARS else self.new.find(new.type, scopes.new)
        wire_was, wire_now = _wire(old.type, was), _wire(new.type, now)
        if (wire_was is None) != (wire_now is None):
            return [_kind_changed(path, str(old), str(new))]
        if wire_was is None:
            return self._messages(old, new, was, now, path)
        if wire_was != wire_now:
            text = f"{wire_was} and {wire_now} are written differently"
            return [Finding(path, "FIELD_SCALAR_KIND_CHANGED", str(old), str(new), text)]
        if old.label and new.label and old.label != new.label and wire_was != "text or bytes":
            text = "repeated numbers are packed, so that the label cannot change"
            return [Finding(path, "FIELD_NUMERIC_LABEL_CHANGED", str(old), str(new), text)]
        return []

    def _messages(
        self, old: _Value, new: _Value, was: FoundType | None, now: FoundType | None, path: str
    ) -> list[Finding]:
        text = "the field holds another message"
        changed = Finding(path, "FIELD_NAMED_TYPE_CHANGED", str(old), str(new), text)
        if was is None or now is None:
            return [] if old.type == new.type else [changed]
        if was.local_name != now.local_name:
            return [changed]
        both = was.declared, now.declared
        if (
            (was.own and now.own)
            or not isinstance(both[0], ProtoMessage)
            or not isinstance(both[1], ProtoMessage)
        ):
            return []
        inner = self.message(both[0], both[1], _Scopes(was.full_name, now.full_name), path)
        return [*inner, changed] if inner else []


@dataclass(frozen=True, slots=True)
class _Value:
    """A field's type with its label, or one of a map's two types."""

    type: str
    label: str = ""

    def __str__(self) -> str:
        return f"{self.label} {self.type}" if self.label else self.type


def _wire(name: str, found: FoundType | None) -> str | None:
    """How a value is written; None for a message. Enums are written as varints."""
    if found is not None:
        return "varint" if isinstance(found.declared, ProtoEnum) else None
    return _WIRE.get(name)


def _kind_changed(path: str, old: str, new: str) -> Finding:
    return Finding(path, "FIELD_KIND_CHANGED", old, new, "scalar, message and map are written differently")


def _is_map_entry(message: ProtoMessage) -> bool:
    return ("map_entry", "true") in message.options


def _gone_oneofs(
    old: ProtoMessage, new: ProtoMessage, after: dict[int, tuple[ProtoField, ProtoOneOf | None]]
) -> set[str]:
    """Oneofs of which neither the name nor any field is left: taken away as a whole, which is safe."""
    kept = {oneof.name for oneof in new.oneofs}
    return {
        oneof.name
        for oneof in old.oneofs
        if oneof.name not in kept and not any(field.number in after for field in oneof.fields)
    }
