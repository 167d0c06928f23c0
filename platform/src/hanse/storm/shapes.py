"""What a drawing consists of: boxes with lines of text, and arrows between points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hanse.storm.model import Lane, Note
from hanse.storm.text import words, wrap

NOTE_W, NOTE_H, GAP, CHIP = 168, 62, 18, 38
LINE_H = 16
TITLE, SMALL = 12.5, 12.0
INSIDE, CHIP_INSIDE = 8, 5
"""Between a box's edge and its text."""

Style = Literal["note", "bar", "chip", "lane", "step", "legend"]
Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `kind` gives its colour. Dashed boxes stay inside their domain, or lead back."""

    kind: str
    x: int
    y: int
    w: int
    h: int
    style: Style = "note"
    lines: tuple[str, ...] = ()
    tip: str = ""
    dashed: bool = False

    @property
    def solid(self) -> bool:
        """Whether nothing else may lie on it."""
        return self.style not in ("lane", "step")


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text without a box; its baseline begins at x, y."""

    x: int
    y: int
    text: str
    size: float = SMALL
    bold: bool = False
    faint: bool = False


@dataclass(slots=True)
class Drawing:
    """Boxes, arrows and labels, and the size of it all in pixels."""

    width: int
    height: int
    boxes: list[Box] = field(default_factory=list[Box])
    arrows: list[tuple[tuple[Point, ...], bool]] = field(default_factory=list[tuple[tuple[Point, ...], bool]])
    labels: list[Label] = field(default_factory=list[Label])

    def note(self, note: Note, x: int, y: int, w: int, h: int) -> None:
        """A sticky note with its name in words."""
        bar = h < NOTE_H
        most = 1 if bar else 3
        most = h // LINE_H - 1 if h > NOTE_H else most
        lines = tuple(wrap(title(note), w - 2 * INSIDE, TITLE, bold=True, most=most))
        kind = "state" if note.state else note.kind
        tip = f"{note.name}: {note.about}" if note.about else note.name
        style: Style = "bar" if bar else "note"
        self.boxes.append(Box(kind, x, y, w, h, style, lines, tip, dashed=not note.public))

    def chip(self, note: Note, x: int, y: int, here: str, mark: str = "", w: int = NOTE_W) -> None:
        """A small mention of a note that stands elsewhere, with its domain when that is not `here`."""
        kind = ("state" if note.state else "event") if note.kind == "topic" else note.kind
        name = words(note.name).lower()
        room = w - 2 * CHIP_INSIDE
        if note.domain == here:
            lines = wrap(f"{mark} {name}", room, SMALL, most=2)
        else:
            lines = [wrap(line, room, SMALL, most=1)[0] for line in (f"{mark} in {note.domain}", name)]
        tip = f"{note.domain}.{note.name}"
        self.boxes.append(Box(kind, x, y, w, CHIP, "chip", tuple(lines), tip, dashed=mark == "↶"))

    def arrow(self, *points: Point, dashed: bool = False) -> None:
        """A line through the points with a head at the last."""
        self.arrows.append((points, dashed))

    def label(self, x: int, y: int, text: str, **look: float | bool) -> None:
        """A line of text without a box."""
        self.labels.append(Label(x, y, text, **look))  # pyright: ignore[reportArgumentType]

    def lane_label(self, x: int, y: int, room: int, lane: Lane) -> None:
        """A domain's name, team and purpose."""
        self.label(x, y + 16, words(lane.domain), size=18, bold=True)
        self.label(x, y + 36, f"Team {lane.team}", faint=True)
        for number, line in enumerate(wrap(lane.purpose, room, SMALL, most=9)):
            self.label(x, y + 60 + number * 17, line)


def title(note: Note) -> str:
    """What stands on the note."""
    text = words(note.name) if note.kind != "system" else note.name
    return f"{text} · whole state" if note.state else text
