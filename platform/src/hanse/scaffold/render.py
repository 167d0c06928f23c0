"""Fills templates and writes what comes out, all files or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template

from hanse.errors import ConfigError

_SUFFIX = ".tmpl"


def render(kind: str, values: Mapping[str, str]) -> dict[PurePosixPath, str]:
    """The files of a template folder by relative path, with `$name` and `__name__` filled in."""
    top = files("hanse.scaffold").joinpath("templates", kind)
    made: dict[PurePosixPath, str] = {}
    for path, template in _walk(top, PurePosixPath()):
        name = str(path).removesuffix(_SUFFIX)
        for key, value in values.items():
            name = name.replace(f"__{key}__", value)
        text = template.read_text(encoding="utf-8")
        made[PurePosixPath(name)] = Template(text).substitute(values)
    return made


def _walk(folder: Traversable, inside: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _walk(entry, inside / entry.name)
        elif entry.name.endswith(_SUFFIX):
            yield inside / entry.name, entry


def write(root: Path, texts: Mapping[PurePosixPath, str]) -> list[Path]:
    """Write the files below `root` and give their paths.

    Raises ConfigError, with nothing written, when one of them exists or would lie outside the root.
    """
    top = root.resolve()
    targets = {top / path: text for path, text in texts.items()}
    for target in targets:
        if not target.parent.resolve().is_relative_to(top):
            raise ConfigError("this file would lie outside the mesh", where=str(target))
        if target.exists() or target.is_symlink():
            raise ConfigError(
                "this file exists already, and is not overwritten",
                where=str(target),
                fix="choose another name, or move the file away",
            )
    written: list[Path] = []
    try:
        for target, text in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="\n") as stream:
                written.append(target)
                stream.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise ConfigError("the files cannot be written", where=str(root), got=error.strerror) from error
    return written
