"""Makes the web application over a mesh."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from hanse.errors import HanseError
from hanse_governance.registration import Desk
from hanse_governance.runner import Report, check_mesh

from . import access_pages, api, boards, governance_pages, iceberg_rest, pages, problems, registration_api
from .audit import Audit
from .catalog import Catalog
from .conditional import Conditional
from .kept import Kept
from .metrics import Measured
from .rates import Rates
from .requests import Requests
from .security import ICEBERG, BodyTooLarge, Guarded, protect
from .sql.pool import PoolSettings
from .sql.service import Limits
from .tokens import Tokens
from .view import MeshView

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.settings import Settings
    from hanse.storm.model import Board

_LOG = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"


def create_app(
    mesh: Mesh | MeshView,
    *,
    settings: PoolSettings | None = None,
    limits: Limits | None = None,
    tokens: Tokens | None = None,
    audit: Audit | None = None,
    rates: Rates | None = None,
) -> FastAPI:
    """The catalog of a mesh as an ASGI application. Its query workers start and end with its lifespan."""
    view = _view_of(mesh)
    files = _settings_of(mesh)
    if files is not None:
        tokens = tokens or Tokens(files.data / "catalog.db")
        audit = audit or Audit(files.data / "audit.db")
    catalog = Catalog(view, settings or PoolSettings.from_environment(), limits, audit)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        try:
            await catalog.queries.start()
        except HanseError as error:
            catalog.sandbox_problem = error
        catalog.audit.start()
        warming = asyncio.create_task(asyncio.to_thread(catalog.warm))
        try:
            yield
        finally:
            catalog.closing.set()
            [failed] = await asyncio.gather(warming, return_exceptions=True)
            if isinstance(failed, Exception):  # readers met it too, each in an answer of their own
                _LOG.warning("the catalog could not read its products ahead", exc_info=failed)
            await catalog.queries.close()
            catalog.audit.close()

    app = FastAPI(
        title="Hanse catalog",
        summary="Find, trust and query data products.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.catalog = catalog
    app.state.tokens = tokens
    app.state.desk = Desk(files.root, files.data) if files is not None else None
    app.state.checker = _checker_of(files) if files is not None else None
    app.state.boards = _boards_of(mesh)
    app.state.requests = Requests(tokens.path) if tokens is not None else None
    app.include_router(api.router)
    app.include_router(access_pages.api)
    app.include_router(registration_api.router)
    app.include_router(governance_pages.api)
    app.include_router(boards.api)
    app.include_router(iceberg_rest.router)
    app.include_router(access_pages.pages, include_in_schema=False)
    app.include_router(governance_pages.pages, include_in_schema=False)
    app.include_router(boards.pages, include_in_schema=False)
    app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(HanseError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(BodyTooLarge, _on_large)
    app.add_exception_handler(Exception, _on_crash)
    app.add_middleware(Conditional)
    app.add_middleware(_SmallGzip, minimum_size=2_048)
    app.add_middleware(
        Guarded,
        hosts=_hosts(mesh),
        tokens=tokens,
        rates=rates or Rates.from_environment(),
    )
    app.add_middleware(Measured, metrics=catalog.metrics)
    return app


class _SmallGzip(GZipMiddleware):
    """Compresses pages, not query results, which are streamed and often binary."""

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] == "http" and scope["path"].startswith("/api/query"):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _view_of(mesh: Mesh | MeshView) -> MeshView:
    from hanse.bootstrap import Mesh

    if isinstance(mesh, Mesh):
        from .meshview import HanseView

        return HanseView(mesh)
    return mesh


def _settings_of(mesh: Mesh | MeshView) -> Settings | None:
    """Where the mesh's files are; None for a view without files."""
    return getattr(mesh, "settings", None)


def _checker_of(files: Settings) -> Kept[Report]:
    return Kept(lambda: check_mesh(files.root, cache_folder=files.data / "check"))


def _boards_of(mesh: Mesh | MeshView) -> Kept[Board] | None:
    from hanse.bootstrap import Mesh

    if not isinstance(mesh, Mesh):
        return None

    def draw() -> Board:
        from hanse.descriptors import load_mesh
        from hanse.storm import board_of

        return board_of(load_mesh(mesh.settings.root))

    return Kept(draw)


def _hosts(mesh: Mesh | MeshView) -> set[str]:
    given = {host.strip() for host in os.environ.get("HANSE_CATALOG_HOSTS", "").split(",") if host.strip()}
    files = _settings_of(mesh)
    configured = files.host if files is not None else "127.0.0.1"
    return {"localhost", "testserver", socket.gethostname(), configured, *given}


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith(("/api/", ICEBERG)) and "text/html" in request.headers.get(
        "accept", ""
    )


def _on_error(request: Request, error: Exception) -> Response:
    known = cast("HanseError", error)
    if _wants_page(request):
        return pages.error_page(request, problems.status_of(known), known)
    return problems.response(known)


def _on_invalid(request: Request, error: Exception) -> Response:
    first = cast("RequestValidationError", error).errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    detail = f"{first['msg']}"
    if _wants_page(request):
        return pages.error_page(request, 422, HanseError(detail, where=where))
    return problems.plain(422, detail, where=where)


def _on_http(request: Request, error: Exception) -> Response:
    known = cast("HTTPException", error)
    detail = "there is nothing at this address" if known.status_code == 404 else str(known.detail)
    if _wants_page(request):
        return pages.error_page(request, known.status_code, HanseError(detail))
    if request.url.path.startswith(ICEBERG):
        return problems.iceberg(known.status_code, detail)
    return problems.plain(known.status_code, detail)


def _on_large(_: Request, __: Exception) -> Response:
    return problems.plain(413, "the body is too long")


def _on_crash(request: Request, _: Exception) -> Response:
    detail = "the catalog made a mistake; its log says more"
    if _wants_page(request):
        response = pages.error_page(request, 500, HanseError(detail))
    else:
        response = problems.plain(500, detail)
    protect(response.headers)  # this answer is made outside of all middleware
    return response
