"""Runs readers' queries: judge, resolve the products, run in a worker, stream the result."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from hanse.errors import HanseError, QueryRefused
from hanse.model.mesh import Product
from hanse_catalog.view import MeshView, Scan

from . import frames
from .fair import MAX_WAITING, TooManyWaiting
from .pool import Pool, PoolSettings, WorkerDied, WorkerHandle

FORMATS = ("json", "csv", "arrow", "parquet")
DEFAULT_LIMIT = {"json": 1_000, "csv": 100_000, "arrow": 10_000_000, "parquet": 1_000_000}
MAX_LIMIT = {"json": 100_000, "csv": 5_000_000, "arrow": 50_000_000, "parquet": 5_000_000}
MAX_BYTES = {"json": 64 << 20, "csv": 1 << 30, "arrow": 4 << 30, "parquet": 256 << 20}
_SNAPSHOT = re.compile(r"\d{1,20}")


class QueryTimeout(HanseError):
    """The query was ended at its deadline."""


class Busy(HanseError):
    """Every worker is taken."""


class TooMany(HanseError):
    """One person asks for more than a fair share."""


class QueryFailed(HanseError):
    """DuckDB could not run the query: `kind` is query, memory, data or internal."""

    def __init__(self, what: str, kind: str) -> None:
        super().__init__(what)
        self.kind = kind


class UnknownProduct(QueryRefused):
    """A table in the query is no product that this reader may query."""


class NotPublished(HanseError):
    """The product has no snapshot, or had none at that moment."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a reader asks. `as_of` is a moment (ISO 8601) or a snapshot id."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    as_of: str | None = None
    format: str = "json"
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a query may run, may take in all with streaming, and may wait for a worker."""

    seconds: float = 15.0
    stream_seconds: float = 120.0
    wait_seconds: float = 10.0


class Answer:
    """A running result. `rows` and `truncated` are None while it is still being read."""

    def __init__(
        self, head: dict[str, Any], scans: dict[str, Scan], limit: int, chunks: AsyncIterator[bytes]
    ) -> None:
        self.columns: list[dict[str, str]] = head["columns"]
        self.rows: int | None = head.get("rows")
        self.truncated: bool | None = head.get("truncated")
        self.elapsed_ms: float | None = head.get("elapsed_ms")
        self.snapshots = {name: {"snapshot": s.snapshot, "at": s.at.isoformat()} for name, s in scans.items()}
        self.limit = limit
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        """Stop; a query that still runs is ended."""
        await self._chunks.aclose()  # type: ignore[attr-defined] - an async generator

    async def read(self) -> bytes:
        """All that is left, at once."""
        return b"".join([chunk async for chunk in self._chunks])


class QueryService:
    """Judges and runs queries over one mesh."""

    def __init__(
        self, view: MeshView, settings: PoolSettings | None = None, limits: Limits | None = None
    ) -> None:
        self._view = view
        self.pool = Pool(view.data_root, settings)
        self.limits = limits or Limits()

    async def start(self) -> None:
        """Start the workers. Raises ConfigError when they cannot be shut in."""
        await self.pool.start()

    async def close(self) -> None:
        """End the workers."""
        await self.pool.close()

    async def open(
        self,
        query: Query,
        may_read: Callable[[Product], bool] | None = None,
        *,
        person: str = "",
        moments: Mapping[str, tuple[Product, str]] | None = None,
    ) -> Answer:
        """Start a query; returns once its first rows or its end are there.

        `person` is who asks: persons wait for a worker in turn. `moments` gives names to products at
        moments, for queries that the catalog itself writes.

        Raises QueryRefused, UnknownProduct, NotPublished, QueryFailed, QueryTimeout, Busy, TooMany.
        """
        limit = _limit(query)
        if self.pool.problem is not None and not self.pool.status()["workers"]:
            raise self.pool.problem
        try:
            worker = await self.pool.acquire(self.limits.wait_seconds, person)
        except TimeoutError as error:
            raise Busy("every query worker is busy", fix="try again in a few seconds") from error
        except TooManyWaiting as error:
            raise TooMany(
                "too many of your queries wait already", expected=f"at most {MAX_WAITING} at once"
            ) from error
        run = _Run(self, worker)
        try:
            return await run.begin(query, limit, may_read or _public, moments or {})
        except BaseException as error:
            run.end(healthy=run.settled)
            if isinstance(error, WorkerDied):
                raise run.explain(error) from error
            raise

    async def resolve(
        self,
        tables: list[list[str]],
        as_of: str | None,
        may_read: Callable[[Product], bool],
        moments: Mapping[str, tuple[Product, str]],
    ) -> tuple[list[dict[str, Any]], dict[str, Scan]]:
        """The worker's tables for the names in a query, and the scan of each product."""
        if as_of is not None:
            check_moment(as_of)
        loaded: list[dict[str, Any]] = []
        scans: dict[str, Scan] = {}
        for schema, name in tables:
            if not schema and name in moments:
                product, moment = moments[name]
                check_moment(moment)
                scan = await asyncio.to_thread(self._view.scan, product.full_name, moment)
                if scan is None:
                    raise _not_published(product.full_name, moment)
                scans[f"{name}: {product.full_name}"] = scan
                loaded.append({"schema": "", "name": name, "sql": scan.sql, "shared": False})
                continue
            product = self._find(schema, name, may_read)
            full = product.full_name
            if full not in scans:
                scan = await asyncio.to_thread(self._view.scan, full, as_of)
                if scan is None:
                    raise _not_published(full, as_of)
                scans[full] = scan
            loaded.append(
                {"schema": schema, "name": name, "sql": scans[full].sql, "shared": product.access == "public"}
            )
        return loaded, scans

    def _find(self, schema: str, name: str, may_read: Callable[[Product], bool]) -> Product:
        readable = [product for product in self._view.products() if may_read(product)]
        wanted = (schema.lower(), name.lower())
        if schema:
            found = [p for p in readable if (p.domain.lower(), p.name.lower()) == wanted]
        else:
            found = [p for p in readable if p.name.lower() == wanted[1]]
        if len(found) == 1:
            return found[0]
        shown = f"{schema}.{name}" if schema else name
        if found:
            names = ", ".join(p.full_name for p in found)
            raise UnknownProduct(f"{shown} is not unique", expected=f"one of {names}")
        near = _near(shown, [p.full_name for p in readable])
        raise UnknownProduct(
            f"there is no product {shown}",
            expected="a published product, as <domain>.<product>",
            fix=f"did you mean {near}?" if near else "see the list of products",
        )


class _Run:
    """One query in one worker, from judging to the last byte."""

    def __init__(self, service: QueryService, worker: WorkerHandle) -> None:
        self._service = service
        self._worker = worker
        self._released = False
        self._loop = asyncio.get_running_loop()
        self._timer = self._arm(service.limits.seconds)
        self.settled = True  # whether the worker waits for a request

    def _arm(self, seconds: float) -> asyncio.TimerHandle:
        self._deadline = seconds
        return self._loop.call_later(seconds, self._worker.kill, "deadline")

    async def begin(
        self,
        query: Query,
        limit: int,
        may_read: Callable[[Product], bool],
        moments: Mapping[str, tuple[Product, str]],
    ) -> Answer:
        verdict = await self._ask({"op": "check", "sql": query.sql})
        tables, scans = await self._service.resolve(verdict["tables"], query.as_of, may_read, moments)
        extra = {
            "limit": limit,
            "as_of": query.as_of,
            "snapshots": {n: {"snapshot": s.snapshot, "at": s.at.isoformat()} for n, s in scans.items()},
        }
        head = await self._ask(
            {
                "op": "run",
                "tables": tables,
                "parameters": query.parameters,
                "format": query.format,
                "limit": limit,
                "max_bytes": MAX_BYTES[query.format],
                "cpu_seconds": self._service.limits.stream_seconds * self._service.pool.settings.threads,
                "extra": extra,
            }
        )
        if head["streaming"]:
            self._timer.cancel()
            self._timer = self._arm(self._service.limits.stream_seconds)
            self.settled = False
            return Answer(head, scans, limit, self._stream())
        chunks = await self._rest()
        self.end(healthy=True)
        return Answer(head, scans, limit, _once(chunks))

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.settled = False
        await self._worker.send(message)
        answer = await self._worker.receive_json()
        self.settled = True
        if "error" in answer:
            self.settled = answer["error"]["kind"] in ("refused", "query", "data")
            raise _as_error(answer["error"])
        return answer

    async def _rest(self) -> list[bytes]:
        chunks: list[bytes] = []
        self.settled = False
        while (chunk := await self._next()) is not None:
            chunks.append(chunk)
        self.settled = True
        return chunks

    async def _next(self) -> bytes | None:
        kind, body = await self._worker.receive()
        if kind == frames.DATA:
            return body
        answer = orjson.loads(body)
        if "error" in answer:
            raise _as_error(answer["error"])
        return None

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self._next()) is not None:
                yield chunk
            self.settled = True
        except WorkerDied as error:
            raise self.explain(error) from error
        finally:
            self.end(healthy=self.settled)

    def explain(self, error: WorkerDied) -> HanseError:
        """Why the worker went away, for the reader."""
        if error.what == "deadline":
            return QueryTimeout(
                "the query took too long and was ended",
                expected=f"at most {self._deadline:g} seconds",
                fix="filter or aggregate earlier, or read fewer products at once",
            )
        return QueryFailed("the query ended its worker; it probably needs too much memory", "memory")

    def end(self, *, healthy: bool) -> None:
        """Give the worker back, once."""
        self._timer.cancel()
        if not self._released:
            self._released = True
            self._service.pool.release(self._worker, healthy=healthy)


async def _once(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def check_moment(as_of: str) -> None:
    """A snapshot id or an ISO 8601 moment. Raises QueryRefused."""
    if _SNAPSHOT.fullmatch(as_of):
        return
    try:
        datetime.fromisoformat(as_of)
    except ValueError as error:
        raise QueryRefused(
            "as_of is neither a moment nor a snapshot",
            expected="a date or time as in 2026-11-24 or 2026-11-24T12:00:00Z, or a snapshot's number",
            got=as_of[:80],
        ) from error


def _public(product: Product) -> bool:
    return product.access == "public"


def _limit(query: Query) -> int:
    if query.format not in FORMATS:
        raise QueryRefused(f"unknown format {query.format[:40]!r}", expected=", ".join(FORMATS))
    limit = DEFAULT_LIMIT[query.format] if query.limit is None else query.limit
    if not 0 <= limit <= MAX_LIMIT[query.format]:
        raise QueryRefused(
            "the limit is out of range", expected=f"0 to {MAX_LIMIT[query.format]:,}", got=f"{limit:,}"
        )
    return limit


def _near(name: str, names: list[str]) -> str | None:
    from rapidfuzz import process

    found = process.extractOne(name, names, score_cutoff=70)
    return found[0] if found else None


def _not_published(full_name: str, as_of: str | None) -> NotPublished:
    if as_of is None:
        return NotPublished(f"{full_name} has not been published yet", fix=f"hanse product run {full_name}")
    return NotPublished(f"{full_name} had no snapshot at {as_of}", fix="see its history for the first one")


def _as_error(problem: dict[str, Any]) -> HanseError:
    if problem["kind"] == "refused":
        detail = {key: problem.get(key) for key in ("where", "expected", "got", "fix")}
        return QueryRefused(problem["what"], **detail)
    return QueryFailed(problem["what"], problem["kind"])
