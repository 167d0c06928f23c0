"""Answers of the JSON API carry an ETag, and a reader who has them already gets 304 instead."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STREAMED = "/api/query"


class Conditional:
    """ASGI middleware over whole JSON answers; query results, which are streamed, pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not reading or not path.startswith("/api/") or path.startswith(_STREAMED):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await _finish(start, bytes(body), Headers(scope=scope), send)

        await self._app(scope, receive, collect)


async def _finish(start: Message, body: bytes, asked: Headers, send: Send) -> None:
    if start["status"] == 200:
        headers = MutableHeaders(scope=start)
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers["ETag"] = tag
        headers.setdefault("Cache-Control", "private, no-cache")
        known = {part.strip().removeprefix("W/") for part in asked.get("if-none-match", "").split(",")}
        if tag in known:
            start["status"] = 304
            del headers["content-length"]
            body = b""
    await send(start)
    await send({"type": "http.response.body", "body": body})
