"""The registry's HTTP server: Confluent's REST API over a store, as an app that can be mounted in another."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hanse.errors import SchemaError
from hanse.registry.problems import STORE_ERROR
from hanse.registry.records import Subject
from hanse.registry.routes_schemas import schema_routes
from hanse.registry.routes_settings import settings_routes
from hanse.registry.routes_subjects import subject_routes
from hanse.registry.store import RegistryStore
from hanse.registry.wire import CONTEXT_KEY, RegistryResponse, error_answer


def create_app(store: RegistryStore) -> FastAPI:
    """The app. The caller keeps the store and closes it; handlers run in threads, one connection each."""
    app = FastAPI(
        title="Hanse schema registry",
        description="Subjects, versions, compatibility: the REST API of Confluent Schema Registry.",
        default_response_class=RegistryResponse,
        redirect_slashes=False,
    )
    app.add_exception_handler(SchemaError, _on_schema_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_fault)
    app.add_middleware(ContextPaths)
    app.include_router(_root_routes(store))
    for routes in (settings_routes, schema_routes, subject_routes):
        app.include_router(routes(store))
    return app


class ContextPaths:
    """`/contexts/<context>/subjects/…` is the same as `/subjects/…` with every subject in that context."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path where it names a context."""
        path = scope.get("path", "")
        root = scope.get("root_path", "")
        inner = path.removeprefix(root)
        parts = inner.split("/", 3)
        if scope["type"] == "http" and len(parts) == 4 and parts[1] == "contexts" and parts[3]:
            context = Subject.parse(f":{parts[2].strip(':')}:").context
            scope = {**scope, "path": f"{root}/{parts[3]}", CONTEXT_KEY: context}
        await self.app(scope, receive, send)


def _root_routes(store: RegistryStore) -> Any:
    from fastapi import APIRouter

    router = APIRouter(tags=["server"])

    @router.get("/")
    def _root() -> dict[str, str]:
        return {}

    @router.get("/v1/metadata/id")
    def _cluster() -> dict[str, Any]:
        return {"id": "", "scope": {"path": [], "clusters": {"schema-registry-cluster": "hanse"}}}

    @router.get("/v1/metadata/version")
    def _version() -> dict[str, str]:
        from importlib.metadata import version

        return {"version": version("hanse"), "commitId": ""}

    @router.get("/health")
    def _health() -> dict[str, int]:
        return {"subjects": len(store.subjects())}

    return router


async def _on_schema_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, SchemaError):
        raise error
    status, body = error_answer(error)
    return RegistryResponse(body, status_code=status)


async def _on_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    return RegistryResponse({"error_code": status, "message": f"HTTP {status} {detail}"}, status_code=status)


async def _on_fault(_: Request, error: Exception) -> Response:
    message = f"Error in the backend data store: {type(error).__name__}"
    return RegistryResponse({"error_code": STORE_ERROR, "message": message}, status_code=500)
