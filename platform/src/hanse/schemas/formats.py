"""One door to the three formats: parse a text, compare two schemas, check a new one against a history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hanse.errors import SchemaError
from hanse.ports.schema_registry import SchemaType
from hanse.schemas.finding import MODES, Budget, Finding, short


@dataclass(frozen=True, slots=True)
class Reference:
    """Another schema's text, under the name by which a schema refers to it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class ParsedSchema:
    """A schema that was understood.

    `text` is what readers get, `canonical` is equal for schemas that differ in spelling only, `tree` is
    the format's own model. `references` are resolved, dependencies first.
    """

    schema_type: SchemaType
    text: str
    canonical: str
    tree: Any
    references: tuple[Reference, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of format, canonical text and references, in hexadecimal."""
        parts = [self.schema_type, self.canonical, *(f"{r.name}\n{r.text}" for r in self.references)]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def parse(
    schema_type: str,
    text: str,
    references: Iterable[Reference] = (),
    *,
    strict: bool = False,
    normalize: bool = False,
) -> ParsedSchema:
    """Understand a schema text. `strict` adds what a registration checks (defaults fit their types).

    With `normalize` the returned text is the canonical one. Raises SchemaError with the place.
    """
    known = tuple(references)
    match schema_type.upper():
        case "AVRO":
            parsed = _avro(text, known, strict)
        case "JSON":
            parsed = _json(text, known)
        case "PROTOBUF":
            parsed = _protobuf(text, known, strict)
        case _:
            raise SchemaError(
                f"unknown schema type {short(schema_type, 40)!r}", expected="AVRO, JSON or PROTOBUF"
            )
    return replace(parsed, text=parsed.canonical) if normalize else parsed


def compare(new: ParsedSchema, old: ParsedSchema, budget: Budget | None = None) -> list[Finding]:
    """Everything in which a reader of `new` cannot read what was written with `old`.

    Empty when compatible. Raises SchemaError when the pair is too complex to decide.
    """
    if new.schema_type != old.schema_type:
        message = "the schemas are of different formats"
        return [Finding("$", "SCHEMA_TYPE_CHANGED", old.schema_type, new.schema_type, message)]
    match new.schema_type:
        case "AVRO":
            from hanse.schemas.avro_compat import compare_avro

            found = compare_avro(new.tree, old.tree, budget)
        case "JSON":
            from hanse.schemas.json_compat import compare_json

            found = compare_json(new.tree, old.tree, budget)
        case "PROTOBUF":
            from hanse.schemas.protobuf_compat import compare_protobuf

            found = compare_protobuf(new.tree, old.tree, budget)
    return list(dict.fromkeys(found))


def check_mode(mode: str) -> None:
    """Raises SchemaError for a mode that is none of `MODES`."""
    if mode not in MODES:
        raise SchemaError(f"unknown compatibility mode {short(mode, 40)!r}", expected=", ".join(MODES))


def check(new: ParsedSchema, history: Sequence[tuple[int | None, ParsedSchema]], mode: str) -> list[Finding]:
    """Findings of a new version against older ones (version number, schema), oldest first.

    The transitive modes look at all of them, the others at the newest. Raises SchemaError for an unknown
    mode.
    """
    check_mode(mode)
    if mode == "NONE" or not history:
        return []
    budget = Budget()
    chosen = history if mode.endswith("_TRANSITIVE") else history[-1:]
    level = mode.removesuffix("_TRANSITIVE")
    found: list[Finding] = []
    for version, old in reversed(chosen):
        if level in {"BACKWARD", "FULL"}:
            found += [replace(f, version=version) for f in compare(new, old, budget)]
        if level in {"FORWARD", "FULL"}:
            found += [_forward(f, version) for f in compare(old, new, budget)]
    return found


def _forward(finding: Finding, version: int | None) -> Finding:
    return replace(finding, old=finding.new, new=finding.old, direction="forward", version=version)


def _avro(text: str, references: tuple[Reference, ...], strict: bool) -> ParsedSchema:
    from hanse.schemas.avro_model import PRIMITIVES, parse_avro
    from hanse.schemas.text import compact, load_json, sorted_json

    tree = parse_avro(text, [r.text for r in references], strict=strict)
    document = text.strip() if text.strip() in PRIMITIVES else load_json(text)
    return ParsedSchema("AVRO", compact(document), sorted_json(document), tree, references)


def _json(text: str, references: tuple[Reference, ...]) -> ParsedSchema:
    from hanse.schemas.json_model import parse_json_schema
    from hanse.schemas.text import compact, sorted_json

    tree = parse_json_schema(text, {r.name: r.text for r in references})
    return ParsedSchema("JSON", compact(tree.document), sorted_json(tree.document), tree, references)


def _protobuf(text: str, references: tuple[Reference, ...], strict: bool) -> ParsedSchema:
    from hanse.schemas.protobuf_model import canonical_text, parse_protobuf

    tree = parse_protobuf(text, {r.name: r.text for r in references}, strict=strict)
    return ParsedSchema("PROTOBUF", tree.text, canonical_text(tree), tree, references)
