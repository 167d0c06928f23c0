"""Whether one Avro schema reads what another wrote (Apache Avro 1.12 specification, "Schema Resolution").

Where the specification leaves room, the rules are those of Avro's Java library, which Confluent's registry
asks: record, enum and fixed names are compared without namespace, an alias by its full name.
"""

from __future__ import annotations

from dataclasses import replace

from hanse.errors import SchemaError
from hanse.schemas.avro_model import PRIMITIVES, AvroField, AvroType
from hanse.schemas.finding import Budget, Finding, short

MAX_REPEATED = 200  # findings repeated for a named type that is used in several places

_PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "bytes": {"string"},
    "string": {"bytes"},
}


def compare_avro(reader: AvroType, writer: AvroType, budget: Budget | None = None) -> list[Finding]:
    """Everything in which `reader` cannot read what `writer` wrote; `new` is the reader's side."""
    try:
        return _Comparison(budget or Budget()).compare(reader, writer, "$")
    except RecursionError as error:
        raise SchemaError("the schemas are nested too deeply to compare") from error


class _Comparison:
    """Compares each pair of types once; a pair met again inside itself counts as compatible."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.known: dict[tuple[int, int], tuple[str, list[Finding]]] = {}

    def compare(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        self.budget.spend()
        if reader.kind in PRIMITIVES and writer.kind in PRIMITIVES:
            return self._primitive(reader, writer, path)
        key = (id(reader), id(writer))
        if key not in self.known:
            self.known[key] = (path, [])
            self.known[key] = (path, self._compare(reader, writer, path))
        base, found = self.known[key]
        return found if base == path else [_moved(finding, base, path) for finding in found[:MAX_REPEATED]]

    def _compare(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        if writer.kind == "union":
            return self._from_union(reader, writer, path)
        if reader.kind == "union":
            return self._into_union(reader, writer, path)
        if reader.kind != writer.kind:
            return self._primitive(reader, writer, path)
        if reader.kind in {"array", "map"}:
            if reader.items is None or writer.items is None:
                raise SchemaError(f"the {reader.kind} has no item type", where=path)
            return self.compare(reader.items, writer.items, path + ("[]" if reader.kind == "array" else "{}"))
        return self._named(reader, writer, path)

    def _primitive(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        if reader.kind == writer.kind or writer.kind in _PROMOTIONS.get(reader.kind, ()):
            return []
        message = f"a reader of {reader.label} cannot read {writer.label}"
        return [_finding(path, "TYPE_MISMATCH", writer.label, reader.label, message)]

    def _from_union(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        if reader.kind != "union":
            return [f for branch in writer.branches for f in self.compare(reader, branch, path)]
        found: list[Finding] = []
        for branch in writer.branches:
            if self._into_union(reader, branch, path):
                found.append(self._missing_branch(reader, branch, path))
        return found

    def _into_union(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        self.budget.spend(len(reader.branches))
        if any(not self.compare(branch, writer, path) for branch in reader.branches):
            return []
        return [self._missing_branch(reader, writer, path)]

    def _missing_branch(self, reader: AvroType, writer: AvroType, path: str) -> Finding:
        message = f"no branch of the reader's union takes {writer.label}"
        return _finding(path, "MISSING_UNION_BRANCH", writer.label, reader.label, message)

    def _named(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        found: list[Finding] = []
        if reader.short_name != writer.short_name and writer.name not in reader.aliases:
            message = f"the {reader.kind} is named otherwise and no alias says so"
            found.append(_finding(path, "NAME_MISMATCH", writer.name, reader.name, message))
        if reader.kind == "fixed" and reader.size != writer.size:
            message = "the fixed has another size"
            found.append(
                _finding(path, "FIXED_SIZE_MISMATCH", f"{writer.size} bytes", f"{reader.size} bytes", message)
            )
        if reader.kind == "enum":
            found += self._enum(reader, writer, path)
        if reader.kind == "record":
            found += self._record(reader, writer, path)
        return found

    def _enum(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        known = set(reader.symbols)
        missing = [symbol for symbol in writer.symbols if symbol not in known]
        if not missing or reader.default is not None:
            return []
        message = f"the reader lacks {short(', '.join(missing))} and has no default symbol"
        old, new = ", ".join(writer.symbols), ", ".join(reader.symbols)
        return [_finding(path, "MISSING_ENUM_SYMBOLS", short(old), short(new), message)]

    def _record(self, reader: AvroType, writer: AvroType, path: str) -> list[Finding]:
        found: list[Finding] = []
        written = {f.name: f for f in writer.fields}
        for field in reader.fields:
            here = f"{path}.{field.name}"
            sources = [written[n] for n in dict.fromkeys((field.name, *field.aliases)) if n in written]
            if len(sources) > 1:
                found.append(self._ambiguous(field, sources, here))
            elif sources:
                found += self.compare(field.type, sources[0].type, here)
            elif not field.has_default:
                message = "the writer has no such field and the reader no default for it"
                found.append(
                    _finding(here, "READER_FIELD_MISSING_DEFAULT_VALUE", "absent", field.type.label, message)
                )
        return found

    def _ambiguous(self, field: AvroField, sources: list[AvroField], path: str) -> Finding:
        names = ", ".join(source.name for source in sources)
        message = "name and aliases of the reader's field fit several of the writer's"
        return _finding(path, "AMBIGUOUS_ALIAS", names, field.name, message)


def _moved(finding: Finding, base: str, path: str) -> Finding:
    return replace(finding, path=path + finding.path.removeprefix(base))


def _finding(path: str, kind: str, old: str, new: str, message: str) -> Finding:
    return Finding(path, kind, short(old), short(new), message)
