"""How wide a text is drawn, and how it is broken into lines: an estimate that errs on the wide side."""

from __future__ import annotations

import re
from functools import cache

_NARROW, _SLIM, _BROAD = set("ijlI.,:;'|! "), set("frt-()[]/·"), set("mwMW@%—")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@cache
def width(text: str, size: float, *, bold: bool = False) -> float:
    """The text's width in pixels at that size in a system sans font."""
    units = 0.0
    for character in text:
        if character in _NARROW:
            units += 0.33
        elif character in _SLIM:
            units += 0.42
        elif character in _BROAD:
            units += 0.95
        else:
            units += 0.72 if character.isupper() else 0.605
    return units * size * (1.1 if bold else 1.0)


def wrap(text: str, room: float, size: float, *, bold: bool = False, most: int = 3) -> list[str]:
    """The text in at most `most` lines of that room; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width(joined, size, bold=bold) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [_cut(line, room, size, bold=bold) for line in lines]


def _cut(line: str, room: float, size: float, *, bold: bool) -> str:
    if width(line, size, bold=bold) <= room:
        return line
    while line and width(line + "…", size, bold=bold) > room:
        line = line[:-1]
    return line.rstrip() + "…"


def words(name: str) -> str:
    """A name from the code as words: `OrderPlaced` and `order_placed` are «Order placed»."""
    found = [part.lower() if not part.isupper() else part for part in _WORDS.findall(name)]
    text = " ".join(found)
    return text[:1].upper() + text[1:]
