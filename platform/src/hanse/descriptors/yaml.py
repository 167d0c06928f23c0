"""Hostile YAML in, plain values with line numbers out.

The subset is that of YAML 1.2's core schema: no anchors, no aliases, no tags, one document. So `no` is
a text, a date stays a text, and a document cannot grow when it is read. Size and depth are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from hanse.descriptors.problem import Invalid, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 60

Keys = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping read from a file. `lines` gives the line (from 1) of each value by its path."""

    path: Path
    data: dict[str, Any]
    lines: dict[Keys, int] = field(default_factory=dict[Keys, int])

    def line(self, *path: str | int) -> int | None:
        """The line of the value at `path`, or of the nearest parent that exists."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def problem(self, what: str, *path: str | int, **details: str | None) -> Problem:
        """A problem at `path` of this document."""
        return Problem(what, self.path, self.line(*path), **details)


def read(path: Path) -> Document:
    """Read a descriptor. Raises Invalid with file and line."""
    try:
        size = path.stat().st_size
        text = path.read_bytes().decode("utf-8") if size <= MAX_BYTES else ""
    except OSError as error:
        raise Invalid(Problem("the file cannot be read", path, got=error.strerror)) from error
    except UnicodeDecodeError as error:
        raise Invalid(Problem("the file is not UTF-8", path, got=str(error))) from error
    if size > MAX_BYTES:
        raise Invalid(
            Problem("the file is too large", path, expected=f"at most {MAX_BYTES} bytes", got=f"{size} bytes")
        )
    return parse(text, path)


def parse(text: str, path: Path) -> Document:
    """Read a descriptor's text. Raises Invalid with file and line."""
    lines: dict[Keys, int] = {}
    try:
        data = _Builder(path, lines).document(text)
    except yaml.YAMLError as error:
        raise Invalid(_syntax(error, path)) from error
    if not isinstance(data, dict):
        raise Invalid(Problem("the file holds no mapping", path, 1, expected="`key: value` lines"))
    return Document(path, data, lines)


def dump(data: dict[str, Any]) -> str:
    """YAML text that `parse` reads back to the very same values."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Never writes aliases, which `parse` refuses, and quotes texts that `parse` would take for numbers."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if _plain(text) is text else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _Builder:
    """Makes values from parser events: one pass, no recursion deeper than MAX_DEPTH."""

    def __init__(self, path: Path, lines: dict[Keys, int]) -> None:
        self.path = path
        self.lines = lines

    def document(self, text: str) -> Any:
        events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CSafeLoader)
        result: Any = None
        seen = False
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    self._refuse("the file holds more than one document", event)
                seen = True
                result = self._value(next(events), events, ())
        return result

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], at: Keys) -> Any:
        self.lines.setdefault(at, event.start_mark.line + 1)
        if len(at) > MAX_DEPTH:
            self._refuse("the file is nested too deeply", event, expected=f"at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(
                "anchors and aliases are not allowed", event, fix="write the value out where it is used"
            )
        if getattr(event, "tag", None) not in (None, "!"):
            self._refuse("tags are not allowed", event, got=str(getattr(event, "tag", "")))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, at)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, at)
        assert isinstance(event, yaml.ScalarEvent)
        return event.value if event.style in ("'", '"', "|", ">") else _plain(event.value)

    def _mapping(self, events: Iterator[yaml.Event], at: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                self._refuse("a key must be a plain text", event)
            key = event.value
            if key in found:
                self._refuse(f"the key {key!r} appears twice", event, fix="keep one of them")
            self.lines[(*at, key)] = event.start_mark.line + 1
            found[key] = self._value(next(events), events, (*at, key))
        return found

    def _sequence(self, events: Iterator[yaml.Event], at: Keys) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, events, (*at, len(found))))
        return found

    def _refuse(self, what: str, event: yaml.Event, **details: str) -> NoReturn:
        raise Invalid(Problem(what, self.path, event.start_mark.line + 1, **details))


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _syntax(error: yaml.YAMLError, path: Path) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return Problem("the file is not valid YAML", path, mark.line + 1 if mark else None, got=str(said)[:200])
