"""The pages: plain HTML from the server, readable without scripts."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi import Query as Q
from starlette.responses import RedirectResponse, Response

from hanse.errors import HanseError
from hanse.model.mesh import Column, Product

from .api import Text, Values, catalog_of, given_parameters, reader_of
from .catalog import FACETS, Catalog, Listed
from .changes import compare
from .health import Budget, Health
from .lineage import Lineage
from .present import page_of
from .problems import NotFound
from .profile import MAX_ROWS, profile_of
from .render import page as render
from .sql.service import Answer, Query, check_moment
from .sql.text import parameters_of
from .view import Snapshot

router = APIRouter()

PAGE_SIZE = 25
SAMPLE_ROWS = 6
SHOWN_ROWS = 200
MAX_PROFILES = 500
# These queries are suggestions for the reader, judged like any other when they run.
# ruff: noqa: S608
TABS = ("overview", "schema", "quality", "lineage", "history")
Moment = Annotated[str, Q(max_length=64)]


def error_page(request: Request, status: int, error: HanseError) -> Response:
    """An error as a page, with the way out."""
    del request
    return render("error.html", status, status=status, problem=error)


@router.get("/")
def home(
    request: Request,
    q: Text = "",
    domain: Values = [],  # noqa: B006
    owner: Values = [],  # noqa: B006
    tag: Values = [],  # noqa: B006
    lifecycle: Values = [],  # noqa: B006
    classification: Values = [],  # noqa: B006
    state: Values = [],  # noqa: B006
    page: Annotated[int, Q(ge=1, le=100_000)] = 1,
) -> Response:
    """Products, by text and facets."""
    catalog, reader = catalog_of(request), reader_of(request)
    given = (domain, owner, tag, lifecycle, classification, state)
    chosen = {facet: values for facet, values in zip(FACETS, given, strict=True) if values}
    listing = catalog.listing(reader, q, chosen, page, PAGE_SIZE)
    hits = listing.found.hits if listing.found else []
    matched: dict[str, list[str]] = {}
    for hit in hits:
        if hit.kind == "field":
            matched.setdefault(hit.target, []).append(hit.title.rsplit(".", 1)[1])

    def page_link(number: int) -> str:
        return "/?" + urlencode([*([("q", q)] if q else []), *_pairs(chosen), ("page", number)])

    return render(
        "home.html",
        section="products",
        q=q,
        listing=listing,
        chosen=chosen,
        matched=matched,
        others=[h for h in hits if h.kind not in ("product", "field")][:12],
        any_product=bool(catalog.view.products()),
        domain_count=len(catalog.view.domains()),
        page=page,
        pages=-(-listing.total // PAGE_SIZE),
        page_link=page_link,
    )


def _pairs(chosen: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(facet, value) for facet, values in chosen.items() for value in values]


@router.get("/products/{domain}/{name}")
async def product(
    request: Request,
    domain: str,
    name: str,
    tab: Annotated[str, Q(max_length=16)] = "overview",
    asof: Moment = "",
    hops: Annotated[int, Q(ge=1, le=10)] = 1,
) -> Response:
    """One product, five tabs."""
    catalog, reader = catalog_of(request), reader_of(request)
    found = await asyncio.to_thread(catalog.product, domain, name, reader)
    if tab not in TABS:
        return RedirectResponse(page_of(found.full_name), 303)
    if asof:
        check_moment(asof)
    health = await asyncio.to_thread(catalog.health.of, found, fresh=True)
    history = await asyncio.to_thread(catalog.view.history, found.full_name)
    consumers = await asyncio.to_thread(catalog.consumers, found, reader)
    context = _product_context(found, health, history, tab, asof)
    context |= {"consumers": consumers, "queryable": reader.may_query(found), "reader": reader}
    if tab == "overview":
        context |= await _overview(request, found, health, asof)
    elif tab == "schema":
        context |= await _profile(request, found, health, asof)
        context |= _schema(
            catalog, found, {p.full_name for p in catalog.view.products() if reader.may_see(p)}
        )
    elif tab == "quality":
        context |= _quality(found, history)
    elif tab == "lineage":
        context |= _lineage(catalog.lineage_for(reader), found, hops)
    return render("product.html", **context)


def _product_context(
    found: Product, health: Health, history: list[Snapshot], tab: str, asof: str
) -> dict[str, Any]:
    base = page_of(found.full_name)

    def tab_link(name: str, moment: str | None = None) -> str:
        shown = asof if moment is None else moment
        pairs = [*([("tab", name)] if name != "overview" else []), *([("asof", shown)] if shown else [])]
        return base + ("?" + urlencode(pairs) if pairs else "")

    return {
        "section": "products",
        "p": found,
        "h": health,
        "tab": tab,
        "tabs": TABS,
        "tab_link": tab_link,
        "asof": asof or None,
        "now_link": base + (f"?tab={tab}" if tab != "overview" else ""),
        "snapshots": history,
        "shown_snapshot": _at(history, asof) if asof else None,
        "diff_link": partial(_diff_link, found, history),
    }


def _at(history: list[Snapshot], asof: str) -> Snapshot | None:
    seen = [s for s in history if s.status == "published"]
    if asof.isdigit():
        return next((s for s in seen if asof in (s.id, str(s.seq))), None)
    moment = datetime.fromisoformat(asof)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return next((s for s in seen if s.at <= moment), None)


def _diff_link(found: Product, history: list[Snapshot], snapshot: Snapshot) -> str:
    seen = [s for s in history if s.status == "published"]
    older = next((s for s in seen if s.seq < snapshot.seq), None)
    base = page_of(found.full_name) + "/changes?"
    return base + urlencode({"from": older.id if older else snapshot.id, "to": snapshot.id})


async def _overview(request: Request, found: Product, health: Health, asof: str) -> dict[str, Any]:
    catalog, reader = catalog_of(request), reader_of(request)
    sql = f"SELECT * FROM {found.full_name}"
    context: dict[str, Any] = {
        "sample": None,
        "sample_problem": None,
        "sql_link": _sql_link(f"{sql} LIMIT 100", asof),
        "uses": _uses(request, found),
        **_described(found),
    }
    if health.published is None or not reader.may_query(found):
        return context
    try:
        context["sample"] = await _table(catalog, Query(sql, {}, asof or None, limit=SAMPLE_ROWS), request)
    except HanseError as error:
        context["sample_problem"] = error.what
    return context


def _described(found: Product) -> dict[str, str]:
    description = found.contract.document.get("description")
    texts = description if isinstance(description, dict) else {}
    return {name: str(texts.get(name) or "") for name in ("usage", "limitations")}


def _sql_link(sql: str, asof: str = "") -> str:
    return "/sql?" + urlencode({"sql": sql, **({"asof": asof} if asof else {})}, quote_via=quote)


def _uses(request: Request, found: Product) -> list[tuple[str, str]]:
    base = str(request.base_url).rstrip("/")
    name = found.full_name
    address = f"{base}/api/query?" + urlencode(
        {"sql": f"SELECT * FROM {name}", "format": "csv"}, quote_via=quote
    )
    return [
        ("Shell", f'hanse sql "SELECT * FROM {name}"'),
        ("Python", f'hanse.client.Client("{base}").query("SELECT * FROM {name}").to_pandas()'),
        ("curl", f"curl '{address}'"),
        ("pyiceberg", f'RestCatalog("hanse", uri="{base}/iceberg").load_table("{name}").scan().to_arrow()'),
        ("Spark", f"spark.sql.catalog.hanse.uri={base}/iceberg, then SELECT * FROM hanse.{name}"),
    ]


async def _table(catalog: Catalog, query: Query, request: Request) -> dict[str, Any]:
    """A result for the page's grid."""
    return await _grid(await catalog.ask(query, reader_of(request)))


async def _grid(answer: Answer) -> dict[str, Any]:
    result = json.loads(await answer.read(), parse_float=Decimal)
    for column in result["columns"]:
        column["numeric"] = column["type"].startswith(_NUMERIC)
        if column["type"].startswith("TIMESTAMP"):
            for row in result["rows"]:
                row[column["name"]] = _plain_time(row[column["name"]])
    result["elapsed_ms"] = answer.elapsed_ms
    return result


_NUMERIC = ("INT", "BIGINT", "HUGEINT", "DECIMAL", "DOUBLE", "FLOAT", "SMALLINT", "TINYINT", "UINT", "UBIG")


def _plain_time(text: str | None) -> str | None:
    return text and text.replace("T", " ").removesuffix("+00:00")


async def _profile(request: Request, found: Product, health: Health, asof: str) -> dict[str, Any]:
    """The columns' values, from the cache of the last profiles or computed now; empty when they are not for the reader."""
    catalog, reader = catalog_of(request), reader_of(request)
    published = health.published
    if published is None or not reader.may_query(found) or (published.rows or 0) > MAX_ROWS:
        return {"profile": {}}
    key = (found.full_name, asof or published.id)
    if key not in catalog.profiles:
        try:
            query = Query(f"SUMMARIZE {found.full_name}", {}, asof or None)
            result = await _table(catalog, query, request)
        except HanseError:
            return {"profile": {}}  # the schema is worth showing without it; the overview says what is wrong
        while len(catalog.profiles) >= MAX_PROFILES:
            catalog.profiles.pop(next(iter(catalog.profiles)))
        catalog.profiles[key] = profile_of(found, result["rows"])
    return {"profile": catalog.profiles[key]}


def _schema(catalog: Catalog, found: Product, visible: set[str]) -> dict[str, Any]:
    columns = found.contract.columns
    names = {c.name for c in columns}
    shared: dict[str, list[str]] = {}
    for other in catalog.view.products():
        if other.full_name != found.full_name and other.full_name in visible:
            for column in other.contract.columns:
                if column.name in names:
                    shared.setdefault(column.name, []).append(other.full_name)
    return {
        "shared": shared,
        "any_flag": any(c.primary_key for c in columns) or any(c.required for c in columns),
        "some_required": any(c.required for c in columns),
        "any_class": any(c.classification for c in columns),
        "projection": found.sql_path.read_text(encoding="utf-8")[:20_000] if found.sql_path.is_file() else "",
    }


def _quality(found: Product, history: list[Snapshot]) -> dict[str, Any]:
    recent = list(reversed(history[:20]))
    names: dict[tuple[str, str | None], None] = {(r.name, r.column): None for r in found.contract.quality}
    if history:
        names |= {(c.name, c.column): None for c in history[0].checks}
    rows: list[dict[str, Any]] = []
    for name, column in names:
        cells = [(next((c for c in s.checks if c.name == name), None), s) for s in recent]
        rows.append({"name": name, "column": column, "cells": cells, "now": cells[-1][0] if cells else None})
    rows.sort(key=lambda row: row["now"] is None or row["now"].passed)
    return {"rows": rows, "recent": recent}


def _lineage(lineage: Lineage, found: Product, hops: int) -> dict[str, Any]:
    graph = lineage.around(found.full_name, hops)
    return {
        "graph": graph,
        "hops": hops,
        "upstream": [n for n in graph.nodes if n.hop < 0],
        "downstream": [n for n in graph.nodes if n.hop > 0],
        "expandable": len(lineage.around(found.full_name, hops + 1).nodes) > len(graph.nodes),
    }


@router.get("/products/{domain}/{name}/changes")
async def changes(
    request: Request,
    domain: str,
    name: str,
    earlier: Annotated[str, Q(alias="from", max_length=64)],
    later: Annotated[str, Q(alias="to", max_length=64)],
) -> Response:
    """The rows that differ between two moments."""
    catalog, reader = catalog_of(request), reader_of(request)
    found = await asyncio.to_thread(catalog.product, domain, name, reader)
    if not reader.may_query(found):
        raise NotFound(f"the rows of {found.full_name} are for granted readers")
    if catalog.sandbox_problem is not None:
        raise catalog.sandbox_problem
    difference = await compare(catalog.queries, found, earlier, later)
    return render(
        "changes.html",
        section="products",
        p=found,
        earlier=earlier,
        later=later,
        counts=difference.counts,
        result=await _grid(difference.rows),
    )


@router.get("/domains")
def domains(request: Request) -> Response:
    """All domains."""
    catalog, reader = catalog_of(request), reader_of(request)
    shown = [
        {
            "name": d.name,
            "purpose": d.purpose,
            "team": d.team,
            "topics": d.topics,
            "products": [p for p in catalog.view.products() if p.domain == d.name and reader.may_see(p)],
        }
        for d in catalog.view.domains()
    ]
    return render("domains.html", section="domains", domains=shown)


@router.get("/domains/{name}")
def domain(request: Request, name: str) -> Response:
    """One domain: products, topics, team, language."""
    catalog, reader = catalog_of(request), reader_of(request)
    found = catalog.domain(name)
    visible = catalog.visible(reader)
    budget = Budget.from_now()
    items = [Listed(p, catalog.health.known(p, budget)) for p in visible if p.domain == name]
    readers = {t.full_name: [p.full_name for p in visible if t.full_name in p.inputs] for t in found.topics}
    elsewhere = {
        term: [d.name for d in catalog.view.domains() if d.name != name and term in d.language]
        for term in found.language
    }
    return render(
        "domain.html", section="domains", d=found, items=items, readers=readers, elsewhere=elsewhere
    )


@router.get("/fields")
def fields(request: Request, name: Text = "") -> Response:
    """Fields by how many products have them; one field, as each product means it."""
    reader = reader_of(request)
    found: dict[str, list[tuple[Product, Column]]] = {}
    for visible in catalog_of(request).view.products():
        if reader.may_see(visible):
            for column in visible.contract.columns:
                found.setdefault(column.name, []).append((visible, column))
    shared = sorted(
        ((n, uses) for n, uses in found.items() if len(uses) > 1), key=lambda f: (-len(f[1]), f[0])
    )
    chosen = next((n for n in found if n.lower() == name.lower()), None)
    return render(
        "fields.html", section="glossary", shared=shared, name=name, uses=found[chosen] if chosen else []
    )


@router.get("/glossary")
def glossary(request: Request) -> Response:
    """Every term of every domain, ambiguous ones side by side."""
    terms: dict[str, list[tuple[str, str]]] = {}
    for found in catalog_of(request).view.domains():
        for term, meaning in found.language.items():
            terms.setdefault(term, []).append((found.name, meaning))
    ordered = sorted(terms.items(), key=lambda pair: pair[0].lower())
    ambiguous = sum(1 for _, meanings in ordered if len(meanings) > 1)
    return render("glossary.html", section="glossary", terms=ordered, ambiguous=ambiguous)


@router.get("/sql")
async def console(
    request: Request, sql: Annotated[str, Q(max_length=70_000)] = "", asof: Moment = ""
) -> Response:
    """The SQL console: the whole query lives in the address."""
    catalog, reader = catalog_of(request), reader_of(request)
    tables = [p for p in catalog.view.products() if reader.may_query(p)]
    context: dict[str, Any] = {
        "section": "sql",
        "sql": sql,
        "asof": asof or None,
        "now_link": _sql_link(sql),
        "tables": tables,
        "used": {p.full_name for p in tables if p.full_name in sql},
        "parameters": [],
        "problem": None,
        "result": None,
        "elapsed": None,
        "examples": _examples(tables),
        "download_link": _no_download,
    }
    status = 200
    if sql.strip():
        given = given_parameters(request)
        try:
            names = parameters_of(sql)
            context["parameters"] = [(n, given.get(n, "")) for n in names]
            context["download_link"] = partial(_download, sql, asof, given)
            if all(name in given for name in names):
                result = await _table(catalog, Query(sql, given, asof or None, limit=SHOWN_ROWS), request)
                context |= {
                    "result": result,
                    "elapsed": result["elapsed_ms"],
                    "used": set(result["snapshots"]),
                }
        except HanseError as error:
            context["problem"] = error
            status = 400
    return render("sql.html", status, **context)


def _no_download(form: str) -> str:
    del form
    return ""


def _download(sql: str, asof: str, given: dict[str, Any], form: str) -> str:
    pairs = {"sql": sql, "format": form, "download": "1", **({"as_of": asof} if asof else {}), **given}
    return "/api/query?" + urlencode(pairs, quote_via=quote)


def _examples(tables: list[Product]) -> list[str]:
    examples: list[str] = []
    for product in tables[:3]:
        examples.append(f"SELECT * FROM {product.full_name} LIMIT 100")
    if tables:
        column = tables[0].contract.columns[0].name if tables[0].contract.columns else "*"
        examples.append(
            f"SELECT count(*) AS rows, count(DISTINCT {column}) AS values FROM {tables[0].full_name}"
        )
        examples.append(f"SUMMARIZE {tables[0].full_name}")
    return examples


@router.get("/docs")
def docs(request: Request) -> Response:
    """The API's description for people, from the same source as the one for machines."""
    spec = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            groups.setdefault((operation.get("tags") or ["other"])[0], []).append(
                {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "description": operation.get("description", ""),
                    "parameters": [_parameter(p) for p in operation.get("parameters", [])],
                }
            )
    return render("docs.html", spec=spec, groups=list(groups.items()))


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = parameter.get("schema", {})
    kinds = [s.get("type", "") for s in schema.get("anyOf", [schema])]
    default = schema.get("default", "")
    return {
        "name": parameter["name"],
        "where": parameter["in"],
        "type": " or ".join(kind for kind in kinds if kind and kind != "null"),
        "default": "" if default in ("", [], None) else default,
    }
