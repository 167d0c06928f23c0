"""Boxes with room for nine things, and a process that puts things into them."""

from __future__ import annotations

import uuid
from pathlib import Path

from hanse.bootstrap import Mesh
from hanse.domain import (
    Aggregate,
    Application,
    ApplicationService,
    Command,
    Event,
    Request,
    RetryPolicy,
    applies,
    command,
    decides,
    event,
    require,
)
from hanse.settings import load_settings

AGGREGATES, WRITERS, EACH, ROOM = 100, 4, 250, 9
_IDS = uuid.UUID(int=7)


@command
class Put(Command):
    box: str
    thing: str


@event("PutForConcurrencyTest")
class Was(Event):
    box: str
    thing: str


class Box(Aggregate, name="box", identity="box"):
    """Has room for nine things: a writer that saw a stale box would put in a tenth."""

    def __init__(self) -> None:
        super().__init__()
        self.things: tuple[str, ...] = ()

    @decides(Put)
    def put(self, wanted: Put) -> list[Was]:
        require(len(self.things) < ROOM, "box-full", "there is no room")
        return [Was(box=wanted.box, thing=wanted.thing)]

    @applies(Was)
    def _was(self, happened: Was) -> None:
        self.things = (*self.things, happened.thing)


BOXES = Application("boxes", aggregates=[Box])


def requests(writer: int) -> list[Request]:
    """A quarter of the thousand commands, ten for each box; the first of each box comes from every writer."""
    made: list[Request] = []
    for number in range(writer, WRITERS * EACH, WRITERS):
        box, turn = f"box-{number % AGGREGATES}", number // AGGREGATES
        made.append(Request(Put(box=box, thing=f"{turn}"), uuid.uuid5(_IDS, f"{box}/{turn}")))
    return made


def write(root: str, store: str, writer: int) -> None:
    with Mesh(load_settings(Path(root), {"HANSE_STORE": store})) as mesh:
        retry = RetryPolicy(attempts=40)
        service = ApplicationService(BOXES, mesh.store("boxes"), mesh.keys, retry=retry)
        mine = requests(writer)
        for start in range(0, len(mine), 5):
            service.handle_many(mine[start : start + 5])
        for one in requests((writer + 1) % WRITERS)[:25]:  # sent by another writer too
            service.handle_many([one])
