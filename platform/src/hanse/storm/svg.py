"""Writes a board as SVG, and as an HTML page around it."""

from __future__ import annotations

from html import escape

from hanse.storm.layout import drawing_of
from hanse.storm.model import Board
from hanse.storm.shapes import LINE_H, SMALL, TITLE, Box, Drawing, Label, Point
from hanse.storm.text import width, words

FILL = {
    "command": "#9fcdf5",
    "event": "#fbb457",
    "state": "#fde3bd",
    "aggregate": "#fbe38a",
    "policy": "#d9bdf0",
    "saga": "#efe3f8",
    "read_model": "#b4dfae",
    "system": "#f7b6cd",
    "lane": "#faf9f7",
    "white": "#ffffff",
    "topic": "#fbb457",
}
EDGE = {
    "command": "#5b95c9",
    "event": "#d08a22",
    "state": "#d08a22",
    "aggregate": "#cdb03c",
    "policy": "#a37bc6",
    "saga": "#c9aede",
    "read_model": "#74ad6c",
    "system": "#d4799b",
    "lane": "#e4e0da",
    "white": "#d9c8e8",
    "topic": "#d08a22",
}
LEGEND = (
    ("system", "Outside system"),
    ("command", "Command"),
    ("aggregate", "Aggregate"),
    ("event", "Event"),
    ("state", "State on a topic"),
    ("policy", "Policy, saga"),
    ("read_model", "Read model"),
)
_INK, _FAINT, _LINE = "#22211f", "#6b6760", "#8a857c"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def svg(board: Board) -> str:
    """The board as one SVG document, without scripts; hovering a note tells what the code says of it."""
    drawing = drawing_of(board)
    _header(drawing)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawing.width}" height="{drawing.height}" '
        f'viewBox="0 0 {drawing.width} {drawing.height}" font-family="{_FONT}" role="img" '
        'aria-label="Event storming board">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0.8 L7.5 4 L0 7.2 z" fill="{_LINE}"/></marker></defs>',
        f'<rect width="{drawing.width}" height="{drawing.height}" fill="#ffffff"/>',
    ]
    lines += [_box(box) for box in drawing.boxes]
    lines += [_arrow(points, dashed) for points, dashed in drawing.arrows]
    lines += [_label(label) for label in drawing.labels]
    return "\n".join([*lines, "</svg>", ""])


def html(board: Board) -> str:
    """A page with the board, and the same as a list for those who do not see it."""
    notes = board.notes
    rows = "\n".join(
        f"<tr><td>{escape(_told(notes[a.source].id))}</td><td>{a.relation}</td>"
        f"<td>{escape(_told(notes[a.target].id))}</td></tr>"
        for a in board.arrows
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Event storming board</title>
<style>
body {{ font: 14px/20px {_FONT}; color: {_INK}; margin: 0; }}
.board {{ overflow-x: auto; }}
details {{ margin: 24px; }}
td {{ padding: 4px 16px 4px 0; }}
</style>
<div class="board">
{svg(board)}</div>
<details><summary>{len(notes)} notes and {len(board.arrows)} arrows as a list</summary>
<table>
{rows}
</table></details>
</html>
"""


def _told(note: str) -> str:
    kind, _, name = note.partition(":")
    return f"{words(kind).lower()} {name}"


def _header(drawing: Drawing) -> None:
    drawing.label(24, 40, "Event storming board", size=22, bold=True)
    drawing.label(
        24, 64, "Time runs from left to right in each domain. Drawn from the running code.", faint=True
    )
    x = drawing.width - 24
    for kind, name in reversed(LEGEND):
        x -= int(width(name, SMALL)) + 14
        drawing.label(x, 40, name)
        x -= 22
        drawing.boxes.append(Box(kind, x, 28, 16, 16, "legend"))
        x -= 8
    drawing.label(
        x - 10,
        64,
        "Dashed: stays in its domain.   → sends   ↶ undoes   + reads as well",
        faint=True,
    )


def _box(box: Box) -> str:
    radius = {"lane": 10, "step": 6, "chip": 11, "legend": 3}.get(box.style, 3)
    dash = ' stroke-dasharray="4 3"' if box.dashed else ""
    fill = "#ffffff" if box.style == "chip" and box.dashed else FILL[box.kind]
    tip = f"<title>{escape(box.tip)}</title>" if box.tip else ""
    shape = (
        f'<rect x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}" rx="{radius}" '
        f'fill="{fill}" stroke="{EDGE[box.kind]}"{dash}>{tip}</rect>'
    )
    return shape + _text(box)


def _text(box: Box) -> str:
    if not box.lines:
        return ""
    size, bold = (SMALL, False) if box.style == "chip" else (TITLE, True)
    leading = LINE_H
    middle = box.y + box.h / 2 - (len(box.lines) - 1) * leading / 2 + size * 0.36
    weight = ' font-weight="600"' if bold else ""
    return "".join(
        f'<text x="{box.x + box.w / 2:g}" y="{middle + number * leading:.1f}" font-size="{size:g}"{weight} '
        f'text-anchor="middle" fill="{_INK}" pointer-events="none">{escape(line)}</text>'
        for number, line in enumerate(box.lines)
    )


def _arrow(points: tuple[Point, ...], dashed: bool) -> str:
    path = " L".join(f"{x} {y}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<path d="M{path}" fill="none" stroke="{_LINE}" stroke-width="1.5"{dash} marker-end="url(#head)"/>'
    )


def _label(label: Label) -> str:
    weight = ' font-weight="600"' if label.bold else ""
    ink = _FAINT if label.faint else _INK
    return (
        f'<text x="{label.x}" y="{label.y}" font-size="{label.size:g}"{weight} fill="{ink}" '
        f'xml:space="preserve">{escape(label.text)}</text>'
    )
