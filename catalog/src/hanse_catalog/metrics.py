"""What the catalog measures, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import ANONYMOUS

if TYPE_CHECKING:
    from .catalog import Catalog

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)


class Metrics:
    """Counters and times of requests and queries, and the state of workers and products when asked."""

    def __init__(self, catalog: Catalog) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "hanse_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "hanse_http_request_seconds",
            "Time until a request was answered.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.queries = Counter("hanse_queries", "Queries ended.", ("outcome",), registry=self._registry)
        self.query_seconds = Histogram(
            "hanse_query_seconds",
            "Time until a query's first rows.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_State(catalog))

    def text(self) -> bytes:
        """Everything in Prometheus' text form."""
        return generate_latest(self._registry)


class _State(Collector):
    """Read when it is asked for: workers, and how fresh and how sound each product is."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        pool = self._catalog.queries.pool.status()
        for name in ("workers", "idle", "waiting", "replaced"):
            help_text = "Query workers, idle ones, waiting queries, workers replaced."
            yield GaugeMetricFamily(f"hanse_query_{name}", help_text, value=pool[name])
        published = GaugeMetricFamily(
            "hanse_product_published_seconds", "Seconds since the last publication.", labels=["product"]
        )
        behind = GaugeMetricFamily(
            "hanse_product_lag_records", "Records of the log not yet projected.", labels=["product"]
        )
        for product in self._catalog.view.products():
            if not ANONYMOUS.may_see(product):
                continue
            health = self._catalog.health.of(product)
            if health.published is not None:
                published.add_metric([product.full_name], time.time() - health.published.at.timestamp())
            if health.lag is not None:
                behind.add_metric([product.full_name], health.lag.records)
        yield published
        yield behind


class Measured:
    """ASGI middleware: counts each request under its route's pattern, never under its address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - started)
