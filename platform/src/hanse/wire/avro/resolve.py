"""From a writer's schema to a reader's: a plan of how to read each value, made once per pair.

Follows the Apache Avro 1.12 specification, "Schema Resolution". What can never be read becomes a
plan that fails with its reason for the records that meet it, so that one union branch or one new
enum symbol spoils only the records that use it. Two deliberate readings of the specification:
timestamps of different precision are converted, and only when nothing is lost; decimals must have
the same scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hanse.errors import SchemaError
from hanse.wire.avro.schema import MISSING, AvroType, Field
from hanse.wire.avro.types import branch_names, optional

PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
UNITS = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
NULL = AvroType("null")


@dataclass(slots=True, eq=False)
class Plan:
    """How to read one value. `op` is the writer's kind, or "wrap", "fail", "ref".

    `reader` None means: skip it. `steps` are a record's fields in the writer's order, each with its
    place in the reader or None; `defaults` the reader's fields that the writer lacks. `branch` is the
    reader's branch of a "wrap"; `symbols` maps a writer's enum index to the reader's symbol.
    """

    op: str
    writer: AvroType
    reader: AvroType | None = None
    reason: str = ""
    item: Plan | None = None
    branches: list[Plan] = field(default_factory=list["Plan"])
    steps: list[tuple[Plan, int | None]] = field(default_factory=list[tuple["Plan", int | None]])
    defaults: dict[int, Any] = field(default_factory=dict[int, Any])
    symbols: tuple[str | None, ...] = ()
    branch: str = ""
    multiply: int = 1
    divide: int = 1

    @property
    def inner(self) -> Plan:
        """The plan of the elements, of what is wrapped, or of what a "ref" points to."""
        assert self.item is not None, f"a {self.op} has no inner plan"
        return self.item


def resolve(writer: AvroType, reader: AvroType) -> Plan:
    """The plan that reads the writer's bytes as the reader's type. The reader must not be recursive."""
    return _Resolver().resolve(writer, reader)


class _Resolver:
    def __init__(self) -> None:
        self.pairs: dict[tuple[int, int], Plan] = {}
        self.skipped: dict[int, Plan] = {}

    def resolve(self, writer: AvroType, reader: AvroType) -> Plan:
        key = (id(writer), id(reader))
        if key not in self.pairs:
            self.pairs[key] = self._resolve(writer, reader)
        return self.pairs[key]

    def _resolve(self, writer: AvroType, reader: AvroType) -> Plan:
        if writer.kind == "union":
            return Plan("union", writer, reader, branches=[self.resolve(b, reader) for b in writer.branches])
        if reader.kind == "union":
            return self._into_union(writer, reader)
        if writer.kind == "record" and reader.kind == "record" and names_match(writer, reader):
            return self._record(writer, reader)
        if writer.kind == reader.kind and writer.kind in ("array", "map"):
            return Plan(writer.kind, writer, reader, item=self.resolve(writer.element, reader.element))
        if writer.kind == reader.kind == "enum" and names_match(writer, reader):
            return self._enum(writer, reader)
        return _scalar(writer, reader)

    def _into_union(self, writer: AvroType, reader: AvroType) -> Plan:
        names = iter(branch_names(reader))
        labels = ["" if b.kind == "null" else next(names) for b in reader.branches]
        for exact in (True, False):
            for branch, label in zip(reader.branches, labels, strict=True):
                if not matches(writer, branch, exact):
                    continue
                plan = self.resolve(writer, branch)
                if branch.kind == "null":
                    return Plan("null", writer, reader)
                return (
                    plan
                    if optional(reader) is not None
                    else Plan("wrap", writer, reader, item=plan, branch=label)
                )
        return Plan("fail", writer, reader, reason=f"{_label(writer)} is no branch of the reader's union")

    def _record(self, writer: AvroType, reader: AvroType) -> Plan:
        places = {f.name: i for i, f in enumerate(reader.fields)}
        written = {f.name for f in writer.fields}
        for i, f in enumerate(reader.fields):
            if f.name not in written:
                old = next((a for a in f.aliases if a in written and a not in places), None)
                if old is not None:
                    places[old] = i
        plan = Plan("record", writer, reader)
        for f in writer.fields:
            at = places.get(f.name)
            step = self.skip(f.type) if at is None else self.resolve(f.type, reader.fields[at].type)
            plan.steps.append((step, at))
        found = {at for _, at in plan.steps}
        for i, f in enumerate(reader.fields):
            if i not in found:
                if f.default is MISSING:
                    reason = f"the writer lacks the field {f.name!r}, which has no default"
                    return Plan("fail", writer, reader, reason=reason)
                plan.defaults[i] = default_value(f)
        return plan

    def _enum(self, writer: AvroType, reader: AvroType) -> Plan:
        known = set(reader.symbols)
        other = reader.default_symbol if reader.default_symbol in known else None
        symbols = tuple(s if s in known else other for s in writer.symbols)
        return Plan("enum", writer, reader, symbols=symbols)

    def skip(self, writer: AvroType) -> Plan:
        """A plan that only finds where the value ends."""
        found = self.skipped.get(id(writer))
        if found is not None:
            return Plan("ref", writer, item=found) if writer.kind == "record" else found
        plan = self.skipped[id(writer)] = Plan(writer.kind, writer)
        if writer.kind == "record":
            plan.steps = [(self.skip(f.type), None) for f in writer.fields]
        elif writer.kind in ("array", "map"):
            plan.item = self.skip(writer.element)
        elif writer.kind == "union":
            plan.branches = [self.skip(b) for b in writer.branches]
        elif writer.kind == "enum":
            plan.symbols = writer.symbols
        return plan


def names_match(writer: AvroType, reader: AvroType) -> bool:
    """Unqualified names are equal, or one of the reader's aliases is the writer's name."""
    if writer.short_name == reader.short_name:
        return True
    return any(a in (writer.name, writer.short_name) for a in reader.aliases)


def matches(writer: AvroType, reader: AvroType, exact: bool) -> bool:
    """Whether a reader's union branch takes the writer's type, with promotion unless `exact`."""
    if writer.kind != reader.kind:
        if exact:
            return False
        decimals = writer.logical == reader.logical == "decimal"
        return decimals or reader.kind in PROMOTIONS.get(writer.kind, ())
    if writer.kind in ("record", "enum", "fixed"):
        same = writer.name == reader.name if exact else names_match(writer, reader)
        return same and (writer.kind != "fixed" or writer.size == reader.size)
    return True


def _scalar(writer: AvroType, reader: AvroType) -> Plan:
    """Primitives and fixed, with promotions and logical types."""
    decimals = writer.logical == reader.logical == "decimal"
    same = writer.kind == reader.kind and writer.kind not in ("record", "enum")
    if writer.kind == reader.kind == "fixed":
        same = writer.size == reader.size and (names_match(writer, reader) or decimals)
    if not (same or decimals or reader.kind in PROMOTIONS.get(writer.kind, ())):
        reason = f"{_label(writer)} cannot be read as {_label(reader)}"
        return Plan("fail", writer, reader, reason=reason)
    if decimals and writer.scale != reader.scale:
        reason = f"a decimal of scale {writer.scale} cannot be read with scale {reader.scale}"
        return Plan("fail", writer, reader, reason=reason)
    plan = Plan(writer.kind, writer, reader)
    old, new = _unit(writer), _unit(reader)
    if old and new:
        plan.multiply, plan.divide = max(1, new // old), max(1, old // new)
    return plan


def _unit(kind: AvroType) -> int | None:
    """Ticks a second of a timestamp."""
    name = kind.logical or ""
    return UNITS[name.rpartition("-")[2]] if "timestamp" in name else None


def _label(kind: AvroType) -> str:
    text = kind.name or kind.kind
    return f"{text} ({kind.logical})" if kind.logical else text


def default_value(f: Field) -> Any:
    """The field's default as a value that Arrow builds its type from. Raises SchemaError."""
    return _default(f.type, f.default, f.name)


def _default(kind: AvroType, value: Any, where: str) -> Any:
    if kind.kind == "union":
        return _union_default(kind, value, where)
    if not _fits(kind, value):
        raise SchemaError(
            "a default does not fit its field", where=where, expected=_label(kind), got=repr(value)[:80]
        )
    if kind.kind in ("bytes", "fixed"):
        data = value.encode("latin-1")
        if kind.logical == "decimal":
            return Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-kind.scale)
        return data
    if kind.kind == "array":
        return [_default(kind.element, v, where) for v in value]
    if kind.kind == "map":
        return [(k, _default(kind.element, v, where)) for k, v in value.items()]
    if kind.kind == "record":
        return {
            f.name: _default(f.type, value[f.name], where) if f.name in value else default_value(f)
            for f in kind.fields
        }
    return float(value) if kind.kind in ("float", "double") else value


def _union_default(kind: AvroType, value: Any, where: str) -> Any:
    names = iter(branch_names(kind))
    for branch in kind.branches:
        label = "" if branch.kind == "null" else next(names)
        if not _fits(branch, value):
            continue
        made = _default(branch, value, where)
        return made if branch.kind == "null" or optional(kind) is not None else {label: made}
    raise SchemaError("a default fits no branch of its union", where=where, got=repr(value)[:80])


def _fits(kind: AvroType, value: Any) -> bool:
    """Whether a JSON value is a default of the type (specification, table "field default values")."""
    if kind.kind == "union":
        return any(_fits(b, value) for b in kind.branches)
    if kind.kind in ("int", "long"):
        bits = 31 if kind.kind == "int" else 63
        return type(value) is int and -(1 << bits) <= value < 1 << bits
    if kind.kind in ("float", "double"):
        return type(value) in (int, float)
    if kind.kind == "null":
        return value is None
    if kind.kind == "enum":
        return value in kind.symbols
    wanted: Any = {"boolean": bool, "array": list, "map": dict, "record": dict}.get(kind.kind, str)
    if not isinstance(value, wanted):
        return False
    if kind.kind in ("bytes", "fixed"):
        return all(ord(c) < 256 for c in value) and (kind.kind == "bytes" or len(value) == kind.size)
    if kind.kind == "record":
        known = all(f.name in value or f.default is not MISSING for f in kind.fields)
        return known and all(_fits(f.type, value[f.name]) for f in kind.fields if f.name in value)
    return True
