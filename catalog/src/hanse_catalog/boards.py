"""The event-storming board of the mesh, drawn from the code that runs: page, picture and model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from .api import catalog_of
from .kept import Kept
from .problems import Forbidden
from .render import page as render

if TYPE_CHECKING:
    from hanse.storm.model import Board, Lane

api = APIRouter(prefix="/api", tags=["domains"])
pages = APIRouter()


async def _board(request: Request) -> Board:
    boards: Kept[Board] | None = request.app.state.boards
    if boards is None:
        raise Forbidden("this catalog has no code to draw", fix="serve it over a mesh, with `hanse up`")
    return await asyncio.to_thread(boards.at, catalog_of(request).view.revision())


@api.get("/board", summary="The event-storming board")
async def model(request: Request) -> Response:
    """Notes (commands, events, aggregates, policies, sagas, read models) and the arrows between them."""
    return Response(
        orjson.dumps((await _board(request)).as_dict(), default=str), media_type="application/json"
    )


@pages.get("/board.svg")
async def picture(request: Request) -> Response:
    """The board as a picture."""
    from hanse.storm.svg import svg

    return Response(svg(await _board(request)), media_type="image/svg+xml")


@pages.get("/board")
async def board(request: Request) -> Response:
    """The board, with its notes as a list for who cannot see it."""
    drawn = await _board(request)
    lanes = [
        {"domain": lane.domain, "purpose": lane.purpose, "kinds": _by_kind(lane)}
        for lane in drawn.lanes
        if lane.notes
    ]
    return render(
        "board.html", section="domains", lanes=lanes, count=len(drawn.notes), arrows=len(drawn.arrows)
    )


def _by_kind(lane: Lane) -> list[tuple[str, list[str]]]:
    kinds: dict[str, list[str]] = {}
    for note in lane.notes:
        kinds.setdefault(note.kind, []).append(note.name)
    return list(kinds.items())
