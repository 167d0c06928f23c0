"""Signing in with a token, asking for access, deciding on requests: pages and API."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi import Query as Q
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from hanse.errors import HanseError

from .api import catalog_of, reader_of
from .present import page_of
from .problems import Forbidden
from .render import page as render
from .requests import MAX_DAYS, MAX_REASON, Requests
from .security import COOKIE, SIGNED_IN_SECONDS, reader_of_token

api = APIRouter(prefix="/api/access-requests", tags=["access"])
pages = APIRouter()


class Asked(BaseModel):
    """A request for a product's rows."""

    model_config = ConfigDict(extra="forbid")

    product: str = Field(max_length=200, description="<domain>.<product>")
    reason: str = Field(min_length=1, max_length=MAX_REASON)
    days: int = Field(default=90, ge=1, le=MAX_DAYS)


class Decision(BaseModel):
    """What becomes of a request."""

    model_config = ConfigDict(extra="forbid")

    approve: bool
    note: str = Field(default="", max_length=MAX_REASON)


def _requests(request: Request) -> Requests:
    found: Requests | None = request.app.state.requests
    if found is None:
        raise Forbidden("this catalog knows no persons", fix="serve it over a mesh, with `hanse up`")
    return found


@api.post("", summary="Ask for access", status_code=201)
def ask(request: Request, body: Asked) -> JSONResponse:
    """Ask for a product's rows; whoever may approve it decides. Asking twice is asking once."""
    return JSONResponse(_ask(request, body.product, body.reason, body.days), 201)


def _ask(request: Request, full_name: str, reason: str, days: int) -> dict[str, Any]:
    catalog, reader = catalog_of(request), reader_of(request)
    domain, _, name = full_name.partition(".")
    product = catalog.product(domain, name, reader)
    made = _requests(request).ask(reader, product, reason, days)
    catalog.audit.note(reader.name, "request", [product.full_name], "", made.state, None, 0.0)
    return made.as_dict()


@api.get("", summary="Requests for access")
def listed(
    request: Request,
    page: Annotated[int, Q(ge=1, le=1_000)] = 1,
    page_size: Annotated[int, Q(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """One's own, and those that one may decide on, newest first."""
    found = _requests(request).visible(reader_of(request))
    start = (page - 1) * page_size
    shown = [r.as_dict() for r in found[start : start + page_size]]
    return {"total": len(found), "page": page, "page_size": page_size, "requests": shown}


@api.post("/{number}/decision", summary="Approve or deny")
def decide(request: Request, number: int, body: Decision) -> dict[str, Any]:
    """Needs `approve` or `admin` on the product; nobody decides on their own request."""
    return _decide(request, number, approve=body.approve, note=body.note)


def _decide(request: Request, number: int, *, approve: bool, note: str) -> dict[str, Any]:
    reader = reader_of(request)
    decided = _requests(request).decide(number, reader, approve=approve, note=note)
    catalog_of(request).audit.note(reader.name, "decision", [decided.product], "", decided.state, None, 0.0)
    return decided.as_dict()


@pages.get("/sign-in")
def sign_in(request: Request, next: Annotated[str, Q(max_length=2_000)] = "/") -> Response:
    """The form that takes a token."""
    return render("sign_in.html", next=_local(next), reader=reader_of(request), problem=None)


@pages.post("/sign-in")
async def signed_in(request: Request) -> Response:
    """Keep the token in a cookie that scripts and other sites cannot use."""
    form = await _form(request)
    token, back = form.get("token", "").strip(), _local(form.get("next", "/"))
    reader = await asyncio.to_thread(reader_of_token, request.app.state.tokens, token)
    if reader is None:
        problem = "The token is unknown, expired or revoked."
        return render("sign_in.html", 401, next=back, reader=reader_of(request), problem=problem)
    response = RedirectResponse(back, 303)
    response.set_cookie(
        COOKIE,
        token,
        SIGNED_IN_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@pages.post("/sign-out")
def signed_out() -> Response:
    """Forget the token."""
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@pages.get("/access")
async def access(request: Request) -> Response:
    """One's own requests, and those to decide on."""
    reader = reader_of(request)
    found = await asyncio.to_thread(_requests(request).visible, reader)
    waiting = [r for r in found if r.state == "pending" and r.reader != reader.name]
    own = [r for r in found if r.reader == reader.name]
    decided = [r for r in found if r not in waiting and r not in own][:50]
    return render("access.html", section="access", reader=reader, waiting=waiting, own=own, decided=decided)


@pages.post("/products/{domain}/{name}/request")
async def asked(request: Request, domain: str, name: str) -> Response:
    """A request from the product's page."""
    form = await _form(request)
    days = form.get("days", "")
    if not days.isdigit() or len(days) > 4:
        raise HanseError("access is given for a time", expected=f"1 to {MAX_DAYS} days", got=days[:40])
    await asyncio.to_thread(_ask, request, f"{domain}.{name}", form.get("reason", ""), int(days))
    return RedirectResponse(page_of(f"{domain}.{name}"), 303)


@pages.post("/access/{number}")
async def decided(request: Request, number: int) -> Response:
    """A decision from the page of requests."""
    form = await _form(request)
    approve = form.get("decision") == "approve"
    await asyncio.to_thread(_decide, request, number, approve=approve, note=form.get("note", ""))
    return RedirectResponse("/access", 303)


async def _form(request: Request) -> dict[str, str]:
    text = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(text, max_num_fields=20).items()}


def _local(address: str) -> str:
    """An address of this catalog, never of another site."""
    local = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if local else "/"
