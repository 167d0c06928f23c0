"""Where a value stands in a YAML or JSON file, worked out only for the files that have findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hanse_governance.finding import Location

Step = str | int | tuple[str, str]
"""A key, an index, or (key, value): the item of a sequence whose `key` is `value`."""

_Items = dict[str, tuple[yaml.Node, yaml.Node]]

_MAX_BYTES = 8_000_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Locator:
    """Finds lines and columns; keeps the node tree of each file it has opened."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._trees: dict[Path, yaml.Node | None] = {}
        self._items: dict[tuple[int, str], _Items] = {}

    def relative(self, path: Path) -> str:
        """The path as findings show it: relative to the root, with forward slashes."""
        absolute = path if path.is_absolute() else self._root / path
        try:
            return absolute.relative_to(self._root).as_posix()
        except ValueError:
            return absolute.as_posix()

    def at(self, path: Path, *steps: Step) -> Location:
        """The place of the value that `steps` lead to, or of the nearest one above it."""
        node = self._tree(path)
        mark = None if node is None else node.start_mark
        for step in steps:
            found = self._child(node, step)
            if found is None:
                break
            anchor, node = found
            mark = anchor.start_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return Location(self.relative(path), line, column)

    def _child(self, node: yaml.Node | None, step: Step) -> tuple[yaml.Node, yaml.Node] | None:
        """(node to point at, node to go on from)."""
        if isinstance(node, yaml.MappingNode) and isinstance(step, str):
            return _entry(node, step)
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            return (node.value[step], node.value[step]) if 0 <= step < len(node.value) else None
        if isinstance(node, yaml.SequenceNode) and isinstance(step, tuple):
            place = (id(node), step[0])
            if place not in self._items:
                self._items[place] = _by_value(node, step[0])
            return self._items[place].get(step[1])
        return None

    def _tree(self, path: Path) -> yaml.Node | None:
        if path not in self._trees:
            self._trees[path] = _compose(path)
        return self._trees[path]


def _compose(path: Path) -> yaml.Node | None:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".avsc", ".json"):
            text = text.replace("\t", " ")  # JSON allows tabs where YAML does not; columns stay right
        return yaml.compose(text, Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return None  # the file's own finding tells; a place in it is then its first line


def _entry(node: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((key, value) for key, value in node.value if key.value == name), None)


def _by_value(node: yaml.SequenceNode, key: str) -> _Items:
    """The items of a list by the text under one key; the first of equal ones."""
    found: _Items = {}
    for item in node.value:
        entry = _entry(item, key) if isinstance(item, yaml.MappingNode) else None
        if entry is not None and isinstance(entry[1], yaml.ScalarNode):
            found.setdefault(entry[1].value, (entry[1], item))
    return found
