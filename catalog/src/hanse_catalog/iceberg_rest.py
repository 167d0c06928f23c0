"""The read side of the Iceberg REST catalog protocol, under `/iceberg`: for pyiceberg, Spark, Trino and the like.

A client sees the products that its token may query, each at what was published: snapshots that the gate
rejected or that still wait for it are left out of the metadata. Nothing can be written here.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hanse.model.mesh import Product

from . import problems
from .access import Reader
from .api import catalog_of, reader_of
from .catalog import Catalog

router = APIRouter(prefix="/iceberg/v1", tags=["iceberg"])

_MAIN = "main"
_ENDPOINTS = [
    "GET /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
]


@router.get("/config", summary="What this Iceberg catalog can do")
def config() -> dict[str, Any]:
    """The endpoints that are here; clients need no other setting than the address and a token."""
    return {"defaults": {}, "overrides": {}, "endpoints": _ENDPOINTS}


@router.get("/namespaces", summary="Domains as namespaces")
def namespaces(request: Request, parent: str = "") -> dict[str, Any]:
    """Every domain with a product that the reader may query. Domains have no parts."""
    names = sorted({p.domain for p in _offered(request)}) if not parent else []
    return {"namespaces": [[name] for name in names]}


@router.head("/namespaces/{namespace}", include_in_schema=False)
@router.get("/namespaces/{namespace}", summary="A domain as a namespace")
def namespace(request: Request, namespace: str) -> Response:
    """Its purpose and team."""
    if not any(p.domain == namespace for p in _offered(request)):
        return _missing("NoSuchNamespaceException", f"there is no namespace {namespace}")
    found = catalog_of(request).domain(namespace)
    properties = {"comment": found.purpose, "owner": found.team.name}
    return JSONResponse({"namespace": [namespace], "properties": properties})


@router.get("/namespaces/{namespace}/tables", summary="A domain's products as tables")
def tables(request: Request, namespace: str) -> Response:
    """Products of the domain that were published and that the reader may query."""
    names = [p.name for p in _offered(request) if p.domain == namespace]
    if not names:
        return _missing("NoSuchNamespaceException", f"there is no namespace {namespace}")
    return JSONResponse({"identifiers": [{"namespace": [namespace], "name": name} for name in names]})


@router.head("/namespaces/{namespace}/tables/{table}", include_in_schema=False)
@router.get("/namespaces/{namespace}/tables/{table}", summary="A product as an Iceberg table")
async def table(request: Request, namespace: str, table: str) -> Response:
    """The table's metadata with the published snapshots only."""
    catalog, reader = catalog_of(request), reader_of(request)
    product = next((p for p in _offered(request) if (p.domain, p.name) == (namespace, table)), None)
    found = await asyncio.to_thread(_loaded, catalog, product, reader) if product else None
    if found is None:
        return _missing("NoSuchTableException", f"there is no table {namespace}.{table}")
    return JSONResponse(found)


@router.post(
    "/namespaces/{namespace}/tables/{table}/metrics", status_code=204, summary="A client's scan report"
)
def metrics(namespace: str, table: str) -> Response:
    """Accepted and not kept: the audit has its own line for each table that is loaded."""
    del namespace, table
    return Response(status_code=204)


def _offered(request: Request) -> list[Product]:
    catalog, reader = catalog_of(request), reader_of(request)
    published = set(catalog.view.tables())
    return [p for p in catalog.view.products() if p.full_name in published and reader.may_query(p)]


def _loaded(catalog: Catalog, product: Product, reader: Reader) -> dict[str, Any] | None:
    found = catalog.view.table(product.full_name)
    if found is None:
        return None
    location, metadata = found
    catalog.audit.note(reader.name, "iceberg", [product.full_name], location, "answered", None, 0.0)
    return {"metadata-location": location, "metadata": published_only(metadata), "config": {}}


def published_only(metadata: dict[str, Any]) -> dict[str, Any]:
    """The table's metadata with the main branch and what led to it, and nothing else."""
    parents: dict[int, int | None] = {
        s["snapshot-id"]: s.get("parent-snapshot-id") for s in metadata.get("snapshots", ())
    }
    kept: set[int] = set()
    current: int | None = metadata.get("current-snapshot-id")
    while current is not None and current in parents and current not in kept:
        kept.add(current)
        current = parents[current]
    return {
        **metadata,
        "snapshots": [s for s in metadata.get("snapshots", ()) if s["snapshot-id"] in kept],
        "snapshot-log": [e for e in metadata.get("snapshot-log", ()) if e["snapshot-id"] in kept],
        "refs": {name: ref for name, ref in metadata.get("refs", {}).items() if name == _MAIN},
        "metadata-log": [],
        "statistics": [],
        "partition-statistics": [],
    }


def _missing(kind: str, message: str) -> Response:
    return problems.iceberg(404, message, kind=kind)
