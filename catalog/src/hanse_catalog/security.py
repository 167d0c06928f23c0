"""What every response carries and every request must pass: headers, host, size."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems
from .access import ANONYMOUS, Reader
from .rates import Rates
from .tokens import Tokens

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ICEBERG = "/iceberg/"
_ANONYMOUS_PYICEBERG = "Bearer None"  # what it sends when it was given no token
COOKIE = "hanse_token"
SIGNED_IN_SECONDS = 12 * 3_600
MAX_BODY = 256 * 1024
MAX_TARGET = 32 * 1024
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


def protect(headers: MutableHeaders) -> None:
    """Add the headers that every response carries."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)


class Guarded:
    """ASGI middleware: refuses foreign hosts, odd methods and large bodies; adds the headers."""

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], tokens: Tokens | None = None, rates: Rates | None = None
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._rates = rates or Rates(0)
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                protect(MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        reader = self._reader_of(scope)
        if reader is None:
            refusal = problems.plain(401, "the access token is unknown, expired or revoked")
            refusal.headers["WWW-Authenticate"] = "Bearer"
        elif wait := self._rates.wait(reader.name):
            refusal = problems.plain(429, f"more than {self._rates.per_minute} requests a minute")
            refusal.headers["Retry-After"] = str(math.ceil(wait))
        if refusal is not None:
            await _worded(refusal, scope["path"])(scope, receive, send_with_headers)
            return
        scope.setdefault("state", {})["reader"] = reader
        await self._app(scope, _bounded(receive), send_with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if scope["method"] not in _METHODS:
            return problems.plain(405, "the catalog is read with GET and queried with GET or POST")
        if not self._known(headers.get("host", "")):
            return problems.plain(
                421, "this catalog does not answer to that host", fix="add it to HANSE_CATALOG_HOSTS"
            )
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            return problems.plain(414, f"the address is longer than {MAX_TARGET:,} bytes", fix="use POST")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return problems.plain(413, f"the body is longer than {MAX_BODY:,} bytes")
        if scope["method"] == "POST" and headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            return problems.plain(403, "a page of another site may not send this")
        return None

    def _reader_of(self, scope: Scope) -> Reader | None:
        """Who asks; None for a token in the header that is none. A cookie that is none is no cookie."""
        given = Headers(scope=scope).get("authorization")
        client = scope.get("client")
        anonymous = Reader(f"anonymous@{client[0]}") if client else ANONYMOUS
        if given is None:
            kept = cookie_parser(Headers(scope=scope).get("cookie", "")).get(COOKIE, "")
            return (reader_of_token(self._tokens, kept) if kept else None) or anonymous
        if given == _ANONYMOUS_PYICEBERG and scope["path"].startswith(ICEBERG):
            return anonymous
        scheme, _, text = given.partition(" ")
        return reader_of_token(self._tokens, text.strip()) if scheme.lower() == "bearer" else None

    def _known(self, host: str) -> bool:
        if "*" in self._hosts:
            return True
        name = host.lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        return name in self._hosts or _is_loopback(name)


def _worded(refusal: JSONResponse, path: str) -> JSONResponse:
    """The same refusal, in the words of the protocol that the path belongs to."""
    if not path.startswith(ICEBERG):
        return refusal
    problem = orjson.loads(refusal.body)
    headers = {k: v for k, v in refusal.headers.items() if not k.startswith("content-")}
    return problems.iceberg(problem["status"], problem["detail"], headers)


def reader_of_token(tokens: Tokens | None, text: str) -> Reader | None:
    """Who holds the token; None when it is none."""
    return tokens.reader(text) if tokens is not None else None


class BodyTooLarge(Exception):
    """The body went past its bound while it was read."""


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            raise BodyTooLarge
        return message

    return bounded


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
