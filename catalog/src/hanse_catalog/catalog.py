"""The catalog's state in one object: the mesh's view, its index, its health board, its query service."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hanse.errors import HanseError
from hanse.model.mesh import Domain, Product

from .access import Reader
from .audit import Audit
from .health import Budget, Health, HealthBoard
from .kept import Kept
from .lineage import Lineage
from .metrics import Metrics
from .problems import NotFound
from .profile import Values
from .search import Found, SearchIndex
from .sql.pool import PoolSettings
from .sql.service import Answer, Limits, Query, QueryService
from .view import MeshView

FACETS = ("domain", "owner", "tag", "lifecycle", "classification", "state")


@dataclass(frozen=True, slots=True)
class Listed:
    """A product in a list. `health` is None when there was no time to ask for it."""

    product: Product
    health: Health | None

    def values(self, facet: str) -> tuple[str, ...]:
        """The product's values of a facet."""
        product = self.product
        if facet == "tag":
            return product.tags
        if facet == "classification":
            return tuple(sorted({c.classification for c in product.contract.columns if c.classification}))
        if facet == "state":
            return (self.health.state if self.health else "unknown",)
        single = {"domain": product.domain, "owner": product.owner.name, "lifecycle": product.lifecycle}
        return (single[facet],)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of products, the number of all, and for each facet its values with counts."""

    items: list[Listed]
    total: int
    facets: dict[str, list[tuple[str, int]]]
    found: Found | None


class Catalog:
    """Everything the API and the pages ask."""

    def __init__(
        self,
        view: MeshView,
        settings: PoolSettings | None = None,
        limits: Limits | None = None,
        audit: Audit | None = None,
    ) -> None:
        self.view = view
        self.audit = audit or Audit(None)
        self.metrics = Metrics(self)
        self.queries = QueryService(view, settings, limits)
        self.health = HealthBoard(view)
        self.sandbox_problem: HanseError | None = None
        self.profiles: dict[tuple[str, str], dict[str, Values]] = {}
        self.started = time.time()
        self.closing = threading.Event()
        self._index = Kept(lambda: SearchIndex(view.domains(), view.products()))

    def _current(self) -> SearchIndex:
        """The index of the descriptors as they are now."""
        return self._index.at(self.view.revision())

    def visible(self, reader: Reader) -> list[Product]:
        """The products that the reader may see."""
        return [product for product in self.view.products() if reader.may_see(product)]

    def lineage_for(self, reader: Reader) -> Lineage:
        """Where every product that the reader may see comes from and goes."""
        topics = (t for d in self.view.domains() for t in d.topics)
        external = frozenset(t.full_name for t in topics if t.external)
        return Lineage(tuple(self.visible(reader)), external)

    def product(self, domain: str, name: str, reader: Reader) -> Product:
        """The product of that name. Raises NotFound, also for one that the reader may not see."""
        full = f"{domain}.{name}"
        for product in self.view.products():
            if product.full_name == full and reader.may_see(product):
                return product
        raise NotFound(f"there is no product {full}", fix="see the list of products")

    def domain(self, name: str) -> Domain:
        """The domain of that name. Raises NotFound."""
        for domain in self.view.domains():
            if domain.name == name:
                return domain
        raise NotFound(f"there is no domain {name}", fix="see the list of domains")

    def search(self, text: str, reader: Reader, limit: int = 200) -> Found:
        """Hits that the reader may see."""
        found = self._current().search(text, limit)
        hidden = {p.full_name for p in self.view.products() if not reader.may_see(p)}
        hits = [h for h in found.hits if h.kind not in ("product", "field") or h.target not in hidden]
        return Found(hits, found.corrected if hits else None)

    def listing(
        self,
        reader: Reader,
        q: str = "",
        chosen: Mapping[str, list[str]] | None = None,
        page: int = 1,
        size: int = 25,
    ) -> Listing:
        """Products that match the text and every chosen facet; values of one facet are alternatives."""
        products = {p.full_name: p for p in self.visible(reader)}
        found = self.search(q, reader) if q.strip() else None
        names: Iterable[str] = products if found is None else _product_names(found)
        budget = Budget.from_now()
        everything = [
            Listed(products[n], self.health.known(products[n], budget)) for n in names if n in products
        ]
        chosen = {facet: values for facet, values in (chosen or {}).items() if values}
        fits = [item for item in everything if _fits(item, chosen)]
        facets = {facet: _count(everything, chosen, facet) for facet in FACETS}
        start = (page - 1) * size
        return Listing(fits[start : start + size], len(fits), facets, found)

    def consumers(self, product: Product, reader: Reader) -> list[str]:
        """Products that read this one, as far as the reader may see them."""
        full = product.full_name
        return [p.full_name for p in self.view.products() if full in p.inputs and reader.may_see(p)]

    async def ask(self, query: Query, reader: Reader) -> Answer:
        """A query for this reader, noted in the audit and measured. Raises as `QueryService.open`."""
        if self.sandbox_problem is not None:
            raise self.sandbox_problem
        started = time.perf_counter()
        outcome, products, rows = "cancelled", list[str](), None
        try:
            answer = await self.queries.open(query, reader.may_query, person=reader.name)
            outcome, products, rows = "answered", list(answer.snapshots), answer.rows
            return answer
        except HanseError as error:
            outcome = type(error).__name__
            raise
        finally:
            passed = time.perf_counter() - started
            self.metrics.queries.labels(outcome).inc()
            self.metrics.query_seconds.observe(passed)
            self.audit.note(reader.name, "query", products, query.sql, outcome, rows, passed)

    def warm(self) -> None:
        """Do once what the first reader would wait for: index, all health, the libraries that read a product."""
        self._current()
        loaded = False
        for product in self.view.products():
            if self.closing.is_set():
                return
            if self.health.of(product).published is not None and not loaded:
                loaded = self.view.scan(product.full_name) is not None

    def status(self) -> dict[str, Any]:
        """For the health answer."""
        pool = self.queries.pool.status()
        problem = self.sandbox_problem.what if self.sandbox_problem else pool["problem"]
        return {
            "status": "degraded" if problem else "ok",
            "products": len(self.view.products()),
            "uptime_seconds": round(time.time() - self.started, 1),
            "queries": {**pool, "problem": problem},
        }


def _product_names(found: Found) -> list[str]:
    return list(dict.fromkeys(hit.target for hit in found.hits if hit.kind in ("product", "field")))


def _fits(item: Listed, chosen: dict[str, list[str]], besides: str | None = None) -> bool:
    return all(
        facet == besides or not set(item.values(facet)).isdisjoint(values) for facet, values in chosen.items()
    )


def _count(items: list[Listed], chosen: dict[str, list[str]], facet: str) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for item in items:
        if _fits(item, chosen, besides=facet):
            counts.update(item.values(facet))
    for value in chosen.get(facet, []):
        counts.setdefault(value, 0)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
