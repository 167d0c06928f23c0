"""Registering products over HTTP: the same gate as in CI, then an approval where the federation asks for one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Query as Q
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from hanse.errors import ConfigError
from hanse_governance.registration import Bundle, Desk, GateRefused, Registration

from .api import catalog_of, reader_of
from .problems import Conflict, Forbidden, NotFound, plain

router = APIRouter(prefix="/api", tags=["registration"])


class Sent(BaseModel):
    """A bundle. Paths of `files` are those in the domain's folder, such as `products/<name>/product.yaml`."""

    model_config = ConfigDict(extra="forbid")

    domain: str = Field(max_length=63)
    name: str = Field(max_length=63)
    files: dict[str, str] = Field(max_length=200)


class Decided(BaseModel):
    """What becomes of a registration."""

    model_config = ConfigDict(extra="forbid")

    approve: bool
    note: str = Field(default="", max_length=1_000)


def _desk(request: Request) -> Desk:
    desk: Desk | None = request.app.state.desk
    if desk is None:
        raise Forbidden(
            "nothing can be registered at this catalog", fix="serve it over a mesh, with `hanse up`"
        )
    return desk


@router.post("/products", summary="Register a product", status_code=201)
def register(request: Request, body: Sent) -> Response:
    """Needs `register` on the product, or on the whole domain when files of the domain are sent.

    201 with the registration, `active` or `proposed`; 200 when the same content was registered before; 422
    with the findings when the gate says no.
    """
    reader = reader_of(request)
    bundle = Bundle(body.domain, body.name, body.files)
    needed = f"{body.domain}.*" if bundle.touches_domain else bundle.full_name
    if not reader.may("register", needed):
        raise Forbidden(
            f"you may not register {bundle.full_name}", expected=f"a token with register:{needed}"
        )
    desk = _desk(request)
    try:
        known = {r.id for r in desk.history(bundle.full_name)}
        made = desk.register(bundle, reader.name)
    except GateRefused as error:
        findings = [f.as_dict() for f in error.findings]
        impact = [i.as_dict() for i in error.impacts]
        _note(request, bundle.full_name, "refused")
        return plain(422, error.what, findings=findings, impact=impact)
    except ConfigError as error:
        return plain(
            422, error.what, **{k: v for k in ("where", "expected", "got") if (v := getattr(error, k))}
        )
    _note(request, made.product, made.state)
    return JSONResponse(made.as_dict(), 200 if made.id in known else 201)


@router.get("/registrations", summary="Registrations")
def listed(
    request: Request,
    product: Annotated[str | None, Q(max_length=200)] = None,
    page: Annotated[int, Q(ge=1, le=1_000)] = 1,
    page_size: Annotated[int, Q(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """What was registered, by whom, and who decided: newest first, as far as the reader has a part in it."""
    reader = reader_of(request)
    desk: Desk | None = request.app.state.desk
    found = [
        r
        for r in (desk.history(product) if desk else [])
        if r.by == reader.name or reader.may("approve", r.product) or reader.may("register", r.product)
    ]
    start = (page - 1) * page_size
    shown = [r.as_dict() for r in found[start : start + page_size]]
    return {"total": len(found), "page": page, "page_size": page_size, "registrations": shown}


@router.post("/registrations/{number}/decision", summary="Approve or deny a registration")
def decide(request: Request, number: int, body: Decided) -> Response:
    """Needs `approve` on the product; nobody decides on their own. The gate runs again before it goes in."""
    reader, desk = reader_of(request), _desk(request)
    found = _found(desk, number)
    if not reader.may("approve", found.product):
        raise Forbidden(
            f"you may not decide on {found.product}", expected=f"a token with approve:{found.product}"
        )
    if found.by == reader.name:
        raise Forbidden("nobody approves what they registered", fix="ask somebody else of the owners")
    if found.state != "proposed":
        raise Conflict(f"registration {number} is decided already", got=found.state)
    try:
        decided = desk.decide(number, reader.name, approve=body.approve, note=body.note)
    except GateRefused as error:
        return plain(422, error.what, findings=[f.as_dict() for f in error.findings])
    _note(request, decided.product, decided.state)
    return JSONResponse(decided.as_dict())


def _found(desk: Desk, number: int) -> Registration:
    if not 0 < number < 1 << 62:
        raise NotFound(f"there is no registration {number}")
    try:
        return desk.find(number)
    except ConfigError as error:
        raise NotFound(error.what) from error


def _note(request: Request, product: str, outcome: str) -> None:
    catalog_of(request).audit.note(reader_of(request).name, "register", [product], "", outcome, None, 0.0)
