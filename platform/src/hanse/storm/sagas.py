"""Draws a saga as a strip of its steps: what each sends, what it waits for, and its way back."""

from __future__ import annotations

import re
from itertools import groupby

from hanse.storm.model import Board, Note, SagaStep
from hanse.storm.shapes import CHIP, TITLE, Box, Drawing
from hanse.storm.text import width as text_width
from hanse.storm.text import words, wrap

STEP_W, STEP_GAP = 170, 20
HEAD = 30
STEP_H = 30 + 3 * (CHIP + 4)
SAGA_HEIGHT = HEAD + STEP_H + 34
_NUMBERED = re.compile(r"(.*?)_?(\d+)$")


def shown_steps(saga: Note) -> list[tuple[str, SagaStep]]:
    """The steps with their titles; neighbours that differ by a number only are one."""

    def alike(step: SagaStep) -> tuple[str, str, str, str]:
        numbered = _NUMBERED.match(step.name)
        return (numbered[1] if numbered else step.name, step.command, step.waits_for, step.undo)

    shown: list[tuple[str, SagaStep]] = []
    for (stem, *_), run in groupby(saga.steps, key=alike):
        steps = list(run)
        many = f" {steps[0].name[len(stem) :].strip('_')}–{steps[-1].name[len(stem) :].strip('_')}"
        shown.append((words(stem) + (many if len(steps) > 1 else ""), steps[0]))
    return shown


def saga_width(saga: Note) -> int:
    """Pixels that the strip of the saga takes."""
    return len(shown_steps(saga)) * (STEP_W + STEP_GAP) - STEP_GAP + 24


def draw_saga(drawing: Drawing, board: Board, saga: Note, x: int, y: int) -> None:
    """Add the strip of the saga with its upper left corner there."""
    steps, width = shown_steps(saga), saga_width(saga)
    drawing.boxes.append(Box("saga", x, y, width, SAGA_HEIGHT, "step", tip=saga.about))
    title = f"Saga: {words(saga.name).lower()}"
    drawing.label(x + 12, y + 20, title, size=TITLE, bold=True)
    drawing.label(x + 32 + int(text_width(title, TITLE, bold=True)), y + 20, saga.about)
    top = y + HEAD
    for number, (name, step) in enumerate(steps):
        left = x + 12 + number * (STEP_W + STEP_GAP)
        _step(drawing, board, saga, name, step, left, top)
        if number:
            drawing.arrow((left - STEP_GAP, top + STEP_H // 2), (left, top + STEP_H // 2))
    back = top + STEP_H + 14
    first, last = x + 12 + STEP_W // 2, x + width - 12 - STEP_W // 2
    drawing.arrow((last, top + STEP_H), (last, back), (first, back), (first, top + STEP_H), dashed=True)
    drawing.label(
        (first + last) // 2 - 130,
        back + 15,
        "way back: undone in reverse order when a step fails",
        faint=True,
    )


def _step(drawing: Drawing, board: Board, saga: Note, name: str, step: SagaStep, x: int, y: int) -> None:
    drawing.boxes.append(Box("white", x, y, STEP_W, STEP_H, "step"))
    for line in wrap(name, STEP_W - 16, TITLE, bold=True, most=1):
        drawing.label(x + 8, y + 19, line, size=TITLE, bold=True)
    notes, row = board.notes, y + 28
    for mark, note in (("→", step.command), ("when", step.waits_for), ("↶", step.undo)):
        if note in notes:
            drawing.chip(notes[note], x + 6, row, saga.domain, mark, w=STEP_W - 12)
            row += CHIP + 4
