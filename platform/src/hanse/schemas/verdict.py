"""Verdicts in batches: a pair of schemas a line in, a verdict a line out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from hanse.errors import SchemaError
from hanse.schemas.finding import MAX_BYTES, MODES, short
from hanse.schemas.formats import ParsedSchema, Reference, check, parse

MAX_LINE = 16 * MAX_BYTES
MAX_HISTORY = 1_000
_FORMATS = {"AVRO": "AVRO", "JSON": "JSON", "JSONSCHEMA": "JSON", "PROTOBUF": "PROTOBUF", "PROTO": "PROTOBUF"}
# what a mistake of ours on one line may raise; the lines after it have a right to their answers all the same
_MISTAKES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_ID = re.compile(r'"id"\s*:\s*("(?:[^"\\]|\\.){0,500}"|-?[0-9]{1,18})')


class MalformedLine(SchemaError):
    """The line is not a question about two schemas."""


def verdicts(source: BinaryIO, sink: TextIO) -> bool:
    """Answer every line of `source` on `sink`, in order. Returns whether all were compatible.

    An answer is `{id, compatible, findings}`. A schema that cannot be understood gives `compatible` false
    and an `error`; a line that cannot be understood `compatible` null and an `error`.
    """
    good = True
    for line in _lines(source):
        answer = verdict_of_line(line)
        good = good and answer["compatible"] is True
        sink.write(json.dumps(answer, separators=(",", ":")) + "\n")
    return good


def verdict_of_line(line: bytes) -> dict[str, Any]:
    """The answer to one line; never raises for what the line holds."""
    text = line.decode("utf-8", "replace")
    answer: dict[str, Any] = {"id": _guess_id(text), "compatible": None, "findings": []}
    try:
        question = _question(text, len(line))
        answer["id"] = question.get("id")
        findings = _findings(question)
    except MalformedLine as error:
        return answer | {"error": str(error)}
    except SchemaError as error:
        return answer | {"compatible": False, "error": str(error)}
    except (RecursionError, MemoryError) as error:
        return answer | {
            "compatible": False,
            "error": f"the schemas are too deep or too large: {type(error).__name__}",
        }
    except _MISTAKES as error:
        what = (
            f"the schemas could not be compared, a mistake of Hanse: {type(error).__name__}: {short(error)}"
        )
        return answer | {"compatible": False, "error": what}
    return answer | {"compatible": not findings, "findings": [f.as_dict() for f in findings]}


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends; of a line above MAX_LINE bytes only that much and one byte more."""
    while line := source.readline(MAX_LINE + 1):
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = source.readline(MAX_LINE + 1)
        if line.strip():
            yield line


def _question(text: str, size: int) -> dict[str, Any]:
    if size > MAX_LINE:
        raise MalformedLine("the line is too long", expected=f"at most {MAX_LINE} bytes")
    try:
        question = json.loads(text)
    except ValueError as error:
        raise MalformedLine("the line is not JSON", got=short(error)) from error
    except RecursionError as error:
        raise MalformedLine("the line is nested too deeply") from error
    if not isinstance(question, dict):
        raise MalformedLine("the line is not an object", expected="{id, format, old, new, mode}")
    return question


def _findings(question: dict[str, Any]) -> list[Any]:
    kind = _FORMATS.get(re.sub(r"[^A-Z]", "", str(question.get("format", "AVRO")).upper()))
    if kind is None:
        raise MalformedLine(
            "unknown format", expected="AVRO, JSON or PROTOBUF", got=short(question.get("format"))
        )
    mode = str(question.get("mode") or "BACKWARD").upper()
    if mode not in MODES:
        raise MalformedLine("unknown mode", expected=", ".join(MODES), got=short(mode))
    if question.get("new") is None:
        raise MalformedLine("the new schema is missing")
    new = parse(kind, _text(question["new"]), _references(question.get("new_references")))
    return check(new, _older(kind, question), mode)


def _older(kind: str, question: dict[str, Any]) -> list[tuple[int | None, ParsedSchema]]:
    """The older schemas, oldest first: the history, then `old` unless the history ends with it."""
    references = _references(question.get("old_references"))
    history = question.get("history") or []
    if not isinstance(history, list) or len(history) > MAX_HISTORY:
        raise MalformedLine("the history is a list of schemas", expected=f"at most {MAX_HISTORY}")
    items = [_history_item(item, references) for item in history]
    if question.get("old") is not None:
        last = (_text(question["old"]), references)
        if not items or items[-1][0] != last[0]:
            items.append(last)
    return [(i, parse(kind, text, refs)) for i, (text, refs) in enumerate(items, start=1)]


def _history_item(item: Any, references: list[Reference]) -> tuple[str, list[Reference]]:
    if isinstance(item, dict) and isinstance(item.get("schema"), str):
        own = _references(item.get("references"))
        return item["schema"], own or references
    return _text(item), references


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _references(value: Any) -> list[Reference]:
    """References as a list of `{name, schema}` or as an object of texts by name, dependencies first."""
    if not value:
        return []
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or len(pairs) > MAX_HISTORY:
        raise MalformedLine("the references are a list of {name, schema}")
    found: list[Reference] = []
    for item in pairs:
        if isinstance(item, dict):
            found += _references(item.get("references"))
            name, text = item.get("name"), item.get("schema", item.get("text"))
        else:
            name, text = item if isinstance(item, tuple | list) and len(item) == 2 else (None, None)
        if not isinstance(name, str) or text is None:
            raise MalformedLine("a reference has a name and a schema", got=short(item))
        found.append(Reference(name, _text(text)))
    return found


def _guess_id(text: str) -> Any:
    match = _ID.search(text[:10_000])
    try:
        return json.loads(match[1]) if match else None
    except ValueError:
        return None
