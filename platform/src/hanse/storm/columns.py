"""The places on a lane's time line, in the order of its code."""

from __future__ import annotations

from dataclasses import dataclass, field

from hanse.storm.model import Board, Lane


@dataclass(slots=True)
class Column:
    """One place: what stands there from top to bottom, each empty or by its note's id.

    `chips` are the sagas that send the command, each with → or ↶; `models` the read models, each with the
    sources that stand elsewhere; `sources` what feeds them all when they live on no event of the lane.
    """

    command: str = ""
    aggregate: str = ""
    event: str = ""
    policies: list[str] = field(default_factory=list[str])
    chips: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    models: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    sources: list[str] = field(default_factory=list[str])


def columns_of(board: Board, lane: Lane) -> list[Column]:
    """The lane's columns: commands with their events, whole states, then what lives on other lanes."""
    columns = _deciding(board, lane)
    for note in lane.notes:
        if note.kind == "topic" and note.state:
            owner = _owner(board, note.id)
            if owner:
                columns.append(Column(event=note.id, aggregate=owner))
    columns.sort(key=lambda column: _place(lane, column.aggregate))
    _add_policies(board, lane, columns)
    _add_models(board, lane, columns)
    return columns


def _deciding(board: Board, lane: Lane) -> list[Column]:
    columns: list[Column] = []
    placed: set[str] = set()
    for note in lane.notes:
        if note.kind != "command":
            continue
        aggregate = next(iter(board.from_(note.id, "decides")), "")
        chips = [(saga, "→") for saga in board.into(note.id, "sends") if saga.startswith("saga:")]
        chips += [(saga, "↶") for saga in board.into(note.id, "undoes")]
        events = [event for event in board.from_(note.id, "records") if event not in placed]
        placed.update(events)
        first = events[0] if events else ""
        columns.append(Column(command=note.id, aggregate=aggregate, event=first, chips=chips))
        columns.extend(Column(event=event, aggregate=aggregate) for event in events[1:])
    for note in lane.notes:
        if note.kind == "event" and note.id not in placed:
            owner = next((a for a in board.into(note.id, "records") if a.startswith("aggregate:")), "")
            columns.append(Column(event=note.id, aggregate=owner))
    return columns


def _owner(board: Board, topic: str) -> str:
    """The aggregate whose events are published to the topic."""
    events = board.into(topic, "publishes")
    owners = [a for event in events for a in board.into(event, "records") if a.startswith("aggregate:")]
    return owners[0] if owners else ""


def _place(lane: Lane, aggregate: str) -> int:
    order = [note.id for note in lane.notes if note.kind == "aggregate"]
    return order.index(aggregate) if aggregate in order else len(order)


def _add_policies(board: Board, lane: Lane, columns: list[Column]) -> None:
    for note in lane.notes:
        if note.kind == "policy":
            sent = board.from_(note.id, "sends")
            column = next((c for c in columns if c.command and c.command in sent), None)
            if column is None:
                columns.append(column := Column())
            column.policies.append(note.id)


def _add_models(board: Board, lane: Lane, columns: list[Column]) -> None:
    for note in lane.notes:
        if note.kind == "read_model":
            sources = board.into(note.id, "feeds")
            found = next(((s, c) for s in sources if (c := _carrying(board, columns, s)) is not None), None)
            if found is not None:
                source, column = found
                column.models.append((note.id, [s for s in sources if s != source]))
            else:
                columns.append(Column(models=[(note.id, [])], sources=sources))


def _carrying(board: Board, columns: list[Column], source: str) -> Column | None:
    """The column of the topic itself, or of the first event that is published to it."""
    events = board.into(source, "publishes")
    exact = next((c for c in columns if c.event == source), None)
    return exact or next((c for c in columns if c.event and c.event in events), None)
