"""The HTTP API under /api, and the health answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from fastapi import Query as Q
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from hanse.errors import QueryRefused

from . import dcat, present
from .access import ANONYMOUS, Reader
from .catalog import FACETS, Catalog
from .metrics import MEDIA_TYPE
from .sql.formats import MEDIA_TYPES
from .sql.service import Answer, Query

router = APIRouter()

RESERVED = frozenset({"sql", "as_of", "asof", "format", "limit", "download"})
MAX_PARAMETERS = 64
_EXTENSIONS = {"csv": "csv", "arrow": "arrows", "parquet": "parquet", "json": "json"}

Text = Annotated[str, Q(max_length=200)]
Values = Annotated[list[str], Q(max_length=20)]


class QueryBody(BaseModel):
    """A query to POST. `as_of` is a moment (ISO 8601) or a snapshot id; `params` fill `:name` in the text."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(max_length=70_000)
    params: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, max_length=MAX_PARAMETERS
    )
    as_of: str | None = Field(default=None, max_length=64)
    format: str = Field(default="json", max_length=16)
    limit: int | None = None


def catalog_of(request: Request) -> Catalog:
    """The catalog that this application serves."""
    return request.app.state.catalog


def reader_of(request: Request) -> Reader:
    """Who asks."""
    return getattr(request.state, "reader", ANONYMOUS)


@router.get("/api/products", summary="Find products", tags=["products"])
def products(
    request: Request,
    q: Text = "",
    domain: Values = [],  # noqa: B006 - FastAPI copies it
    owner: Values = [],  # noqa: B006
    tag: Values = [],  # noqa: B006
    lifecycle: Values = [],  # noqa: B006
    classification: Values = [],  # noqa: B006
    state: Values = [],  # noqa: B006
    page: Annotated[int, Q(ge=1, le=100_000)] = 1,
    page_size: Annotated[int, Q(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Products that match the text (typing errors are forgiven) and the facets, a page at a time."""
    given = (domain, owner, tag, lifecycle, classification, state)
    chosen: dict[str, list[str]] = dict(zip(FACETS, given, strict=True))
    listing = catalog_of(request).listing(reader_of(request), q, chosen, page, page_size)
    return {
        "total": listing.total,
        "page": page,
        "page_size": page_size,
        "corrected": listing.found.corrected if listing.found else None,
        "products": [present.summary(item) for item in listing.items],
        "facets": {
            name: [{"value": v, "count": n} for v, n in values] for name, values in listing.facets.items()
        },
    }


@router.get("/api/products/{domain}/{name}", summary="One product", tags=["products"])
def product(request: Request, domain: str, name: str) -> Response:
    """Purpose, owner, contract, schema, verdict, freshness, lineage and recent history of a product."""
    catalog, reader = catalog_of(request), reader_of(request)
    found = catalog.product(domain, name, reader)
    return _json(present.product(catalog, found, reader))


@router.get("/api/products/{domain}/{name}/snapshots", summary="Its snapshots", tags=["products"])
def snapshots(
    request: Request,
    domain: str,
    name: str,
    page: Annotated[int, Q(ge=1, le=100_000)] = 1,
    page_size: Annotated[int, Q(ge=1, le=500)] = 100,
) -> Response:
    """Publications and rejections, newest first, with the checks of each."""
    catalog = catalog_of(request)
    found = catalog.product(domain, name, reader_of(request))
    history = catalog.view.history(found.full_name)
    start = (page - 1) * page_size
    return _json(
        {
            "product": found.full_name,
            "total": len(history),
            "page": page,
            "snapshots": [present.snapshot(s) for s in history[start : start + page_size]],
        }
    )


@router.get("/api/products/{domain}/{name}/lineage", summary="Its lineage", tags=["products"])
def lineage(request: Request, domain: str, name: str, hops: Annotated[int, Q(ge=1, le=10)] = 1) -> Response:
    """Topics and products around a product, `hops` steps up and down."""
    catalog = catalog_of(request)
    found = catalog.product(domain, name, reader_of(request))
    graph = catalog.lineage_for(reader_of(request)).around(found.full_name, hops)
    return _json(
        {
            "focus": found.full_name,
            "nodes": [{"name": n.name, "kind": n.kind, "hop": n.hop, "more": n.more} for n in graph.nodes],
            "edges": [{"from": s, "to": t} for s, t in graph.edges],
        }
    )


@router.get("/api/domains", summary="Domains", tags=["domains"])
def domains(request: Request) -> Response:
    """Every domain with its team, language, topics and products."""
    catalog, reader = catalog_of(request), reader_of(request)
    return _json({"domains": [present.domain(catalog, d, reader) for d in catalog.view.domains()]})


@router.get("/api/domains/{name}", summary="One domain", tags=["domains"])
def domain(request: Request, name: str) -> Response:
    """Its team, language, topics and products."""
    catalog = catalog_of(request)
    return _json(present.domain(catalog, catalog.domain(name), reader_of(request)))


@router.get("/api/glossary", summary="The language of all domains", tags=["domains"])
def glossary(request: Request) -> Response:
    """Every term, with its meaning in each domain; ambiguous terms have several."""
    terms: dict[str, dict[str, str]] = {}
    for found in catalog_of(request).view.domains():
        for term, meaning in found.language.items():
            terms.setdefault(term, {})[found.name] = meaning
    ordered = sorted(terms.items(), key=lambda pair: pair[0].lower())
    return _json({"terms": [{"term": t, "meanings": m, "ambiguous": len(m) > 1} for t, m in ordered]})


@router.get("/api/fields", summary="Fields across products", tags=["products"])
def fields(request: Request, name: Text) -> Response:
    """Every product that has a field of that name: who else has it, and as what."""
    reader = reader_of(request)
    found = [
        {"product": p.full_name, **present.column(c)}
        for p in catalog_of(request).view.products()
        if reader.may_see(p)
        for c in p.contract.columns
        if c.name.lower() == name.lower()
    ]
    return _json({"field": name, "products": found})


@router.get("/api/search", summary="Find anything", tags=["products"])
def search(request: Request, q: Text = "", limit: Annotated[int, Q(ge=1, le=100)] = 20) -> dict[str, Any]:
    """Products, fields, events, terms and domains that match, best first."""
    found = catalog_of(request).search(q, reader_of(request), limit)
    hits = [{"kind": h.kind, "title": h.title, "target": h.target, "text": h.text} for h in found.hits]
    return {"corrected": found.corrected, "hits": hits}


@router.get("/api/query", summary="Query in the address", tags=["query"])
async def query_get(
    request: Request,
    sql: Annotated[str, Q(max_length=70_000)],
    as_of: Annotated[str | None, Q(max_length=64)] = None,
    asof: Annotated[str | None, Q(max_length=64)] = None,
    format: Annotated[str, Q(max_length=16)] = "json",
    limit: int | None = None,
    download: Annotated[str, Q(max_length=8)] = "",
) -> Response:
    """One SELECT over published products. Every other name in the address fills a `:name` of the text."""
    query = Query(sql, given_parameters(request), as_of or asof or None, format, limit)
    return await run(request, query, download=bool(download))


@router.post("/api/query", summary="Query", tags=["query"])
async def query_post(request: Request, body: QueryBody) -> Response:
    """One SELECT over published products, in the body."""
    return await run(request, Query(body.sql, dict(body.params), body.as_of, body.format, body.limit))


@router.get("/dcat", summary="The catalog as linked data", tags=["products"])
def linked(request: Request) -> Response:
    """Products as DCAT datasets and DPROD data products, in JSON-LD."""
    catalog, reader = catalog_of(request), reader_of(request)
    base = str(request.base_url).rstrip("/")
    body = dcat.document(base, catalog.view.domains(), catalog.visible(reader))
    return Response(orjson.dumps(body), media_type=dcat.MEDIA_TYPE)


@router.get("/health", summary="Is it alive", tags=["operations"])
def health(request: Request) -> JSONResponse:
    """The catalog's own state, with how its query workers are shut in."""
    return JSONResponse(catalog_of(request).status())


@router.get("/ready", summary="Can it answer", tags=["operations"])
def ready(request: Request) -> JSONResponse:
    """200 when queries can be answered, 503 when not."""
    status = catalog_of(request).status()
    usable = status["queries"]["workers"] > 0
    return JSONResponse({"ready": usable, **status}, 200 if usable else 503)


@router.get("/metrics", summary="Measurements for Prometheus", tags=["operations"])
def metrics(request: Request) -> Response:
    """Requests, queries, workers, and how fresh each product is that anybody may see."""
    return Response(catalog_of(request).metrics.text(), media_type=MEDIA_TYPE)


def given_parameters(request: Request) -> dict[str, Any]:
    """The address's own names, besides those that the catalog uses. Raises QueryRefused when too many."""
    given = {k: v for k, v in request.query_params.items() if k not in RESERVED}
    if len(given) > MAX_PARAMETERS:
        raise QueryRefused("too many parameters", expected=f"at most {MAX_PARAMETERS}", got=str(len(given)))
    return given


async def run(request: Request, query: Query, *, download: bool = False) -> Response:
    """Run a query for whoever asks; the query ends when they go away."""
    answer = await _unless_gone(request, catalog_of(request), query)
    if answer is None:
        return Response(status_code=499)
    headers = _headers(answer, query, download=download)
    media = MEDIA_TYPES[query.format]
    if answer.rows is not None:
        return Response(await answer.read(), headers=headers, media_type=media)
    return StreamingResponse(_pieces(answer), headers=headers, media_type=media)


async def _unless_gone(request: Request, catalog: Catalog, query: Query) -> Answer | None:
    work = asyncio.ensure_future(catalog.ask(query, reader_of(request)))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        return None
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(gone, *([] if work.done() else [work]), return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer:
            yield chunk
    finally:
        await answer.aclose()


def _headers(answer: Answer, query: Query, *, download: bool) -> dict[str, str]:
    headers = {
        "Hanse-Limit": str(answer.limit),
        "Hanse-Snapshots": ", ".join(f"{n}@{s['snapshot']}" for n, s in answer.snapshots.items())[:4_000],
        "Cache-Control": "no-store",
    }
    if answer.rows is not None:
        headers["Hanse-Rows"] = str(answer.rows)
        headers["Hanse-Truncated"] = str(answer.truncated).lower()
    else:
        headers["Hanse-Truncated"] = "see-end"
    if download or query.format in ("parquet", "arrow"):
        headers["Content-Disposition"] = f'attachment; filename="query.{_EXTENSIONS[query.format]}"'
    return headers


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body, default=str), media_type="application/json")
