"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from hanse.errors import ConfigError, HanseError, QueryRefused

from .sql.pool import WorkerDied
from .sql.service import Busy, NotPublished, QueryFailed, QueryTimeout, TooMany, UnknownProduct

_FAILED = {"query": 400, "memory": 400, "data": 503, "internal": 500}


def status_of(error: HanseError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, QueryFailed):
        return _FAILED.get(error.kind, 500)
    for kind, status in (
        (NotFound, 404),
        (Forbidden, 403),
        (Conflict, 409),
        (UnknownProduct, 404),
        (QueryRefused, 400),
        (NotPublished, 404),
        (QueryTimeout, 408),
        (Busy, 503),
        (TooMany, 429),
        (ConfigError, 503),
        (WorkerDied, 503),
    ):
        if isinstance(error, kind):
            return status
    return 500


class Forbidden(HanseError):
    """This reader may not do that."""


class Conflict(HanseError):
    """It is done or decided already."""


class NotFound(HanseError):
    """Nothing has that name, or this reader may not see it."""


def document(error: HanseError) -> dict[str, Any]:
    """The problem document: title, status, detail, and where, expected, got, fix as far as they are known."""
    status = status_of(error)
    parts = {"where": error.where, "expected": error.expected, "got": error.got, "fix": error.fix}
    return {
        "type": f"urn:hanse:problem:{_slug(type(error).__name__)}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.what,
        **{name: text for name, text in parts.items() if text},
    }


def response(error: HanseError) -> JSONResponse:
    """The problem as a response."""
    body = document(error)
    headers = {"Retry-After": "2"} if body["status"] in (429, 503) else None
    return JSONResponse(body, body["status"], headers, media_type="application/problem+json")


def plain(status: int, detail: str, **more: Any) -> JSONResponse:
    """A problem without an exception."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, status, media_type="application/problem+json")


_ICEBERG = {401: "NotAuthorizedException", 404: "NoSuchTableException", 429: "TooManyRequestsException"}


def iceberg(status: int, detail: str, headers: dict[str, str] | None = None, kind: str = "") -> JSONResponse:
    """A problem in the form of the Iceberg REST protocol."""
    name = kind or _ICEBERG.get(status, "BadRequestException" if status < 500 else "InternalServerError")
    return JSONResponse({"error": {"message": detail, "type": name, "code": status}}, status, headers)


def _slug(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
