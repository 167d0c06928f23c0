"""Where a value stands in a YAML or JSON file, worked out only for the files that have findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hanse_governance.finding import Location

Step = str | int | tuple[str, str]
"""A key, an index, or (key, value): the item of a sequence whose `key` is `value`."""

_MAX_BYTES = 8_000_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Locator:
    """Finds lines and columns; keeps the node tree of each file it has opened."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._trees: dict[Path, yaml.Node | None] = {}

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
            found = _child(node, step)
            if found is None:
                break
            anchor, node = found
            mark = anchor.start_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return Location(self.relative(path), line, column)

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


def _child(node: yaml.Node | None, step: Step) -> tuple[yaml.Node, yaml.Node] | None:
    """(node to point at, node to go on from)."""
    if isinstance(node, yaml.MappingNode) and isinstance(step, str):
        for key, value in node.value:
            if key.value == step:
                return key, value
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int) and 0 <= step < len(node.value):
            return node.value[step], node.value[step]
        if isinstance(step, tuple):
            for item in node.value:
                found = _child(item, step[0])
                if found is not None and getattr(found[1], "value", None) == step[1]:
                    return found[1], item
    return None
