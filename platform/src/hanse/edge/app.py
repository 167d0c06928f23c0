"""The HTTP app: `POST /<domain>/commands/<Command>` with the command's fields as JSON.

The answer tells the versions that the command added. What refuses it is a problem document (RFC 9457) that names
the rule or the field. Headers: `Idempotency-Key` makes a repeated request get its first verdict again, `If-Match`
the version on which the client has decided, `Correlation-Id` and `traceparent` the transaction it belongs to.
"""

from __future__ import annotations

import asyncio
import hmac
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from hanse.domain.application import Application
from hanse.domain.building import BadField, build
from hanse.domain.messages import Command
from hanse.domain.service import Accepted, ApplicationService, Rejected
from hanse.domain.service import Request as CommandRequest
from hanse.edge.queue import CommandQueue
from hanse.edge.schema import schema_of
from hanse.errors import CommandRejected, ConcurrencyConflict, HanseError, StoreError

MAX_BODY = 10_000_000
_NAMESPACE = uuid.UUID("b0d8a8f0-2f0f-4a86-9c25-3f6f2f1d7a10")
_LONGEST_HEADER = 200
_STATUS = {
    "command-malformed": 422,
    "command-unknown": 404,
    "event-too-large": 413,
    "stale-version": 412,
    "subject-forgotten": 410,
}
_REFUSALS = {
    400: "Not JSON, or a header that cannot be",
    401: "No token, or another one",
    409: "A business rule refused the command",
    412: "The aggregate has another version",
    413: "Too large",
    422: "A field is missing, unknown or mistyped",
    503: "The store cannot take it now",
}
_PROBLEM = {
    "type": "object",
    "properties": {
        name: {"type": kind}
        for name, kind in {
            "type": "string",
            "title": "string",
            "status": "integer",
            "detail": "string",
            "rule": "string",
            "field": "string",
            "command_id": "string",
        }.items()
    },
    "required": ["type", "title", "status"],
}
_VERDICT = {
    "type": "object",
    "properties": {
        "command_id": {"type": "string", "format": "uuid"},
        "aggregate": {"type": "string"},
        "id": {"type": "string"},
        "first_version": {"type": "integer"},
        "last_version": {"type": "integer"},
        "position": {"type": ["integer", "null"]},
    },
}


class Problem(Exception):
    """What the client gets instead of a verdict."""

    def __init__(self, status: int, title: str, detail: str = "", **more: str) -> None:
        super().__init__(title)
        kind = f"urn:hanse:rule:{more['rule']}" if "rule" in more else "about:blank"
        self.document = {"type": kind, "title": title, "status": status, "detail": detail, **more}
        self.status = status


def create_app(services: Mapping[Application, ApplicationService], token: str | None = None) -> FastAPI:
    """The app for these domains. With `token`, requests must carry it as a bearer token."""
    queues = {application.name: CommandQueue(service) for application, service in services.items()}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        for waiting in queues.values():
            await asyncio.to_thread(waiting.close)

    app = FastAPI(
        title="Hanse commands",
        description="The commands of the mesh's domains.",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.add_exception_handler(Problem, _on_problem)
    for application in services:
        for name, cls in sorted(application.accepts.items()):
            app.add_api_route(
                f"/{application.name}/commands/{name}",
                _endpoint(application, cls, queues[application.name], token),
                methods=["POST"],
                name=name,
                operation_id=f"{application.name}.{name}",
                tags=[application.name],
                description=schema_of(cls).get("description", ""),
                response_class=Response,
                openapi_extra=_operation(cls),
            )
    return app


def _operation(cls: type) -> dict[str, Any]:
    """What FastAPI cannot see of a route whose body is read by hand."""
    headers = {
        "Idempotency-Key": "string",
        "If-Match": "string",
        "Correlation-Id": "string",
        "traceparent": "string",
    }
    problem = {"application/problem+json": {"schema": _PROBLEM}}
    refusals = {str(status): {"description": told, "content": problem} for status, told in _REFUSALS.items()}
    accepted = {"description": "Accepted", "content": {"application/json": {"schema": _VERDICT}}}
    return {
        "parameters": [{"name": n, "in": "header", "schema": {"type": t}} for n, t in headers.items()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(cls)}}},
        "responses": {"200": accepted, **refusals},
    }


def _endpoint(
    application: Application, cls: type[Command], waiting: CommandQueue, token: str | None
) -> Callable[[Request], Awaitable[Response]]:
    aggregate = application.commands[cls]

    async def endpoint(request: Request) -> Response:
        _check_token(request, token)
        wanted = _request(application.name, cls, request, await _body(request))
        try:
            verdict = await asyncio.wrap_future(waiting.submit(wanted))
        except ConcurrencyConflict as error:
            raise Problem(503, "other writers were first at every attempt", error.what) from error
        except StoreError as error:
            raise Problem(503, "the store cannot take the command now", error.what) from error
        except HanseError as error:
            raise Problem(500, error.what, error.got or "") from error
        if isinstance(verdict, Rejected):
            raise _refused(verdict)
        return _json(
            200, _told(verdict, aggregate.aggregate_name, getattr(wanted.command, aggregate.identity))
        )

    return endpoint


def _told(verdict: Accepted, aggregate: str, identity: str) -> dict[str, Any]:
    return {
        "command_id": str(verdict.command_id),
        "aggregate": aggregate,
        "id": identity,
        "first_version": verdict.first_version,
        "last_version": verdict.last_version,
        "position": verdict.position,
    }


def _refused(verdict: Rejected) -> Problem:
    more = {"rule": verdict.rule, "command_id": str(verdict.command_id)}
    field, separator, _ = verdict.message.partition(": expected ")
    if verdict.rule == "command-malformed" and separator:
        more["field"] = field
    return Problem(_STATUS.get(verdict.rule, 409), "the command was refused", verdict.message, **more)


def _request(domain: str, cls: type[Command], request: Request, body: dict[str, Any]) -> CommandRequest:
    """The command that the body and the headers ask for. Raises Problem."""
    try:
        command = build(cls, body, "$")
    except BadField as error:
        expected = f"expected {error.expected}" if error.expected else ""
        detail = f"{error.what}; {expected}" if expected else error.what
        raise Problem(
            422, "a field does not fit", detail, rule="command-malformed", field=error.path
        ) from error
    except CommandRejected as error:
        status = _STATUS.get(error.rule, 409)
        raise Problem(status, "the command was refused", error.message, rule=error.rule) from error
    key = _header(request, "idempotency-key")
    command_id = uuid.uuid5(_NAMESPACE, f"{domain}/{cls.__name__}/{key}") if key else uuid.uuid4()
    return CommandRequest(
        command,
        command_id,
        correlation_id=_header(request, "correlation-id"),
        traceparent=_header(request, "traceparent"),
        expected_version=_version(_header(request, "if-match")),
    )


def _version(text: str | None) -> int | None:
    plain = None if text is None else text.strip('"')
    if plain is not None and not (plain.isascii() and plain.isdigit()):
        raise Problem(400, "If-Match is no version", "expected the number of the aggregate's events")
    return None if plain is None else int(plain)


def _header(request: Request, name: str) -> str | None:
    text = request.headers.get(name)
    if text is not None and (len(text) > _LONGEST_HEADER or not text.isprintable()):
        raise Problem(400, f"the header {name} cannot be", f"expected at most {_LONGEST_HEADER} characters")
    return text or None


async def _body(request: Request) -> dict[str, Any]:
    """The body, read no further than its bound."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise Problem(413, "the body is too large", f"expected at most {MAX_BODY} bytes")
    try:
        body: Any = orjson.loads(bytes(data))
    except ValueError as error:
        raise Problem(400, "the body is not JSON", str(error)) from error
    if not isinstance(body, dict):
        raise Problem(422, "the body is no object", "expected the command's fields", rule="command-malformed")
    return body


def _check_token(request: Request, token: str | None) -> None:
    if token is None:
        return
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Problem(401, "the token is missing or another one")


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    return _json(error.status, error.document, "application/problem+json", headers)


def _json(
    status: int,
    document: dict[str, Any],
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(orjson.dumps(document), status, headers, media_type)
