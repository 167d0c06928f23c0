"""Places the notes of a board: a lane a domain, its time from left to right, nothing over anything else.

In a lane each command stands in a column of its own, over its aggregate's bar and the event that it leads to.
Above it is who asks for it; below the event are the read models that live on it. What comes from another lane
is named in a small chip where it arrives, instead of by a line across the board.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from hanse.storm.columns import Column, columns_of
from hanse.storm.model import Board, Lane
from hanse.storm.sagas import SAGA_HEIGHT, draw_saga, saga_width
from hanse.storm.shapes import CHIP, GAP, NOTE_H, NOTE_W, Box, Drawing

MARGIN, LABEL_W, PAD = 24, 190, 18
HEADER, BETWEEN = 92, 14
BAR = 30
STEP = NOTE_W + GAP
POLICY_H = 80
POLICY = CHIP + 8 + POLICY_H + 14
CHANNEL = 20
"""Left of what else asks for a command, for the arrow from a system above it."""
LABEL_H = 250
"""What a lane's name, team and purpose take at most."""


class Rows(NamedTuple):
    """Where each kind of note begins in a lane, from its upper edge, and where the lane ends."""

    systems: int
    asked: int
    commands: int
    aggregates: int
    events: int
    models: int
    sagas: int
    end: int


class _Span(NamedTuple):
    """A system's bar over neighbouring columns."""

    system: str
    first: int
    last: int
    level: int


def drawing_of(board: Board) -> Drawing:
    """The board as boxes, arrows and labels, with its size in pixels."""
    lanes = [_LanePlan(board, lane) for lane in board.lanes]
    width = MARGIN * 2 + LABEL_W + max((plan.width for plan in lanes), default=600)
    drawing = Drawing(max(width, 1_060), 0)
    y = HEADER
    for plan in lanes:
        plan.draw(drawing, y)
        y += plan.rows.end + BETWEEN
    drawing.height = y - BETWEEN + MARGIN
    return drawing


class _LanePlan:
    """A lane's columns and rows."""

    def __init__(self, board: Board, lane: Lane) -> None:
        self.board, self.lane, self.notes = board, lane, board.notes
        self.columns = columns_of(board, lane)
        self.sagas = [note for note in lane.notes if note.kind == "saga"]
        self.spans = self._spans()
        self._sources = max((len(column.sources) for column in self.columns), default=0) * (CHIP + 6)
        self.rows = self._rows()
        strips = max((saga_width(note) for note in self.sagas), default=0)
        self.width = max(len(self.columns) * STEP - GAP, strips) + PAD * 2

    def _rows(self) -> Rows:
        levels = 1 + max((span.level for span in self.spans), default=-1)
        deciding = any(column.event or column.command for column in self.columns)
        asked = PAD + levels * (BAR + 14)
        commands = asked + max((_asked_height(column) for column in self.columns), default=0)
        aggregates = commands + (NOTE_H + 14 if deciding else 0)
        events = aggregates + (BAR + 14 if deciding else 0)
        models = events + (NOTE_H + 16 if deciding else 0)
        under = max((_models_height(column) for column in self.columns), default=0)
        under += 8 if self._sources else 0
        sagas = models + under + (PAD if under and self.sagas else 0)
        end = sagas + len(self.sagas) * (SAGA_HEIGHT + 14) - (14 if self.sagas else 0) + PAD
        return Rows(
            PAD, asked, commands, aggregates, events, models, sagas, max(end, LABEL_H if deciding else end)
        )

    def _spans(self) -> list[_Span]:
        found: list[_Span] = []
        for note in self.lane.notes:
            if note.kind != "system":
                continue
            asked = set(self.board.from_(note.id, "asks"))
            places = [i for i, column in enumerate(self.columns) if column.command in asked]
            for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
                span = [place for _, place in run]
                taken = {s.level for s in found if s.first <= span[-1] and span[0] <= s.last}
                level = next(n for n in range(len(found) + 1) if n not in taken)
                found.append(_Span(note.id, span[0], span[-1], level))
        return found

    def draw(self, drawing: Drawing, top: int) -> None:
        """Add the lane's boxes, arrows and labels below `top`."""
        rows = Rows(*(top + offset for offset in self.rows))
        left = MARGIN + LABEL_W + PAD
        wide = drawing.width - 2 * MARGIN
        drawing.boxes.append(Box("lane", MARGIN, top, wide, self.rows.end, "lane"))
        drawing.lane_label(MARGIN + 16, top + 12, LABEL_W - 20, self.lane)
        for span in self.spans:
            y = rows.systems + span.level * (BAR + 14)
            reach = (span.last - span.first) * STEP + NOTE_W
            drawing.note(self.notes[span.system], left + span.first * STEP, y, reach, BAR)
        self._bars(drawing, left, rows.aggregates)
        for place, column in enumerate(self.columns):
            self._column(drawing, column, place, left + place * STEP, rows)
        for number, saga in enumerate(self.sagas):
            draw_saga(drawing, self.board, saga, left, rows.sagas + number * (SAGA_HEIGHT + 14))

    def _bars(self, drawing: Drawing, left: int, y: int) -> None:
        placed = enumerate(column.aggregate for column in self.columns)
        for aggregate, run in groupby(placed, key=lambda pair: pair[1]):
            places = [place for place, _ in run]
            if aggregate:
                reach = (places[-1] - places[0]) * STEP + NOTE_W
                drawing.note(self.notes[aggregate], left + places[0] * STEP, y, reach, BAR)

    def _column(self, drawing: Drawing, column: Column, place: int, x: int, rows: Rows) -> None:
        middle = x + NOTE_W // 2
        if column.command:
            self._asked(drawing, column, place, x, rows)
            drawing.note(self.notes[column.command], x, rows.commands, NOTE_W, NOTE_H)
            drawing.arrow((middle, rows.commands + NOTE_H), (middle, rows.aggregates))
        elif column.policies:
            self._policies(drawing, column, x, rows.commands - _asked_height(column))
        if column.event:
            drawing.arrow((middle, rows.aggregates + BAR), (middle, rows.events))
            drawing.note(self.notes[column.event], x, rows.events, NOTE_W, NOTE_H)
        self._models(drawing, column, x, rows)

    def _asked(self, drawing: Drawing, column: Column, place: int, x: int, rows: Rows) -> None:
        """Whoever asks for the command, one under the other, and the arrow from the lowest."""
        middle = x + NOTE_W // 2
        spans = [span for span in self.spans if span.first <= place <= span.last]
        ends = [rows.systems + span.level * (BAR + 14) + BAR for span in spans]
        y = rows.commands - _asked_height(column)
        if column.policies or column.chips:
            y = self._policies(drawing, column, x, y)
            for saga, mark in column.chips:
                drawing.chip(self.notes[saga], x + CHANNEL, y, self.lane.domain, mark, NOTE_W - CHANNEL)
                y += CHIP + 6
            drawing.arrow((middle + CHANNEL // 2, rows.commands - 14), (middle + CHANNEL // 2, rows.commands))
            middle = x + CHANNEL // 2
        if ends:
            drawing.arrow((middle, max(ends)), (middle, rows.commands))

    def _policies(self, drawing: Drawing, column: Column, x: int, y: int) -> int:
        x, room = x + CHANNEL, NOTE_W - CHANNEL
        middle = x + room // 2
        for policy in column.policies:
            for source in self.board.into(policy, "wakes")[:1]:
                drawing.chip(self.notes[source], x, y, self.lane.domain, w=room)
            drawing.arrow((middle, y + CHIP), (middle, y + CHIP + 8))
            drawing.note(self.notes[policy], x, y + CHIP + 8, room, POLICY_H)
            y += POLICY
        return y

    def _models(self, drawing: Drawing, column: Column, x: int, rows: Rows) -> None:
        middle, y, above = x + NOTE_W // 2, rows.models, rows.events + NOTE_H
        if column.sources:
            y += self._sources - len(column.sources) * (CHIP + 6)
        for source in column.sources:
            drawing.chip(self.notes[source], x, y, self.lane.domain)
            above, y = y + CHIP, y + CHIP + 6
        y += 8 if column.sources else 0
        for number, (model, others) in enumerate(column.models):
            if number == 0:
                drawing.arrow((middle, above), (middle, y))
            drawing.note(self.notes[model], x, y, NOTE_W, NOTE_H)
            y += NOTE_H + 4
            for source in others:
                drawing.chip(self.notes[source], x, y, self.lane.domain, "+")
                y += CHIP + 4
            y += 6


def _asked_height(column: Column) -> int:
    """What stands between the systems and the command, with the arrow down to it."""
    stacked = len(column.policies) * POLICY + len(column.chips) * (CHIP + 6)
    return stacked + (8 if column.chips else 0)


def _models_height(column: Column) -> int:
    models = sum(NOTE_H + 10 + len(others) * (CHIP + 4) for _, others in column.models)
    return models + len(column.sources) * (CHIP + 6)


__all__ = ["drawing_of"]


def overlaps(boxes: Sequence[Box]) -> list[tuple[Box, Box]]:
    """The pairs of solid boxes that lie over each other; a good drawing has none."""
    solid = sorted((box for box in boxes if box.solid), key=lambda box: box.x)
    found: list[tuple[Box, Box]] = []
    for number, one in enumerate(solid):
        for other in solid[number + 1 :]:
            if other.x >= one.x + one.w:
                break
            if one.y < other.y + other.h and other.y < one.y + one.h:
                found.append((one, other))
    return found
