"""Plans projections, each text once: what the planner said is kept by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib import import_module
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any

from hanse.model.mesh import Contract, MeshModel, Product, Topic
from hanse_governance.cache import RunCache, code_key
from hanse_governance.plans import Plan, Refusal

Job = tuple[MeshModel, Product, str, dict[str, tuple[tuple[str, str], ...]]]
"""What the planner needs of a product: the mesh around it, itself, its text, its inputs' columns."""

_MAX_BYTES = 1_000_000
_MANY = 100
_MAX_PROCESSES = 4


class Planner:
    """Plans the projections of meshes, and keeps the plans in the cache that it was given.

    Many projections are planned by processes beside this one, which load the planner while the mesh is
    read. Close it, or use it as a context manager, so that they end.
    """

    def __init__(self, cache: RunCache) -> None:
        self._cache = cache
        self._kept = cache.plans()
        self._used: dict[str, Any] = {}
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Planner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def expect(self, root: Path) -> None:
        """Start the processes if the mesh at `root` is large and its plans are not kept."""
        cores = os.cpu_count() or 1
        if cores < 2 or self._pool or len(self._kept) >= _MANY:
            return
        if sum(1 for _ in islice(root.glob("domains/*/products/*/"), _MANY)) < _MANY:
            return
        start = "fork" if "fork" in get_all_start_methods() else None
        self._pool = ProcessPoolExecutor(min(cores, _MAX_PROCESSES), get_context(start))
        for _ in range(min(cores, _MAX_PROCESSES)):
            self._pool.submit(_load_planner)

    def for_mesh(self, model: MeshModel) -> Callable[[Product], Plan]:
        """A function that gives a product's plan; all are planned when the first one is asked for."""
        columns = _Columns(model)
        plans: dict[str, Plan] = {}

        def plan(product: Product) -> Plan:
            if not plans:
                plans.update(self._plan_all(model.products, columns))
            return plans[product.full_name]

        return plan

    def save(self) -> None:
        """Keep the plans that were used, without those that failed: the next run tries them again."""
        good = {key: plan for key, plan in self._used.items() if not plan["failed"]}
        if good.keys() != self._kept.keys():
            self._cache.keep_plans(good)

    @property
    def failed(self) -> bool:
        """Whether the planner broke down on a projection that was asked for."""
        return any(plan["failed"] for plan in self._used.values())

    def _plan_all(self, products: tuple[Product, ...], columns: _Columns) -> dict[str, Plan]:
        plans: dict[str, Plan] = {}
        keys: dict[str, str] = {}
        jobs: dict[str, Job] = {}
        for product in products:
            text = _text(product)
            if isinstance(text, Refusal):
                plans[product.full_name] = Plan(refusal=text)
                continue
            key = keys[product.full_name] = _key(product, text, columns)
            found = self._used.get(key) or self._kept.get(key)
            if found is not None:
                self._used[key] = found
            else:
                given = {name: columns.of(name) for name in product.inputs}
                jobs[key] = (columns.around(product), product, text, given)
        self._used.update(zip(jobs, self._run(list(jobs.values())), strict=True))
        return plans | {name: Plan.from_dict(self._used[key]) for name, key in keys.items()}

    def _run(self, jobs: list[Job]) -> Iterable[dict[str, Any]]:
        if not jobs:
            return []
        from hanse_governance.plan_one import plan_job

        if self._pool is None:
            return [plan_job(job) for job in jobs]
        return list(self._pool.map(plan_job, jobs, chunksize=25))


def _load_planner() -> None:
    import_module("hanse_governance.plan_one")


class _Columns:
    """The columns of every table that a projection can read, worked out when asked for."""

    def __init__(self, model: MeshModel) -> None:
        self._root = model.root
        self._domains = {d.name: d for d in model.domains}
        self._topics = {t.full_name: t for d in model.domains for t in d.topics}
        self._products = {p.full_name: p for p in model.products}
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}

    def topic(self, full_name: str) -> Topic | None:
        """The topic of that full name."""
        return self._topics.get(full_name)

    def around(self, product: Product) -> MeshModel:
        """The mesh cut down to what the product reads: the planner looks names up in it one by one."""
        topics = [self._topics[name] for name in product.inputs if name in self._topics]
        read = [self._products[name] for name in product.inputs if name in self._products]
        domains = tuple(
            replace(self._domains[name], topics=tuple(t for t in topics if t.domain == name))
            for name in dict.fromkeys(t.domain for t in topics)
        )
        return MeshModel(self._root, domains, (product, *read))

    def contracts(self, product: Product) -> list[Contract]:
        """The contracts of the products that the product reads."""
        return [self._products[name].contract for name in product.inputs if name in self._products]

    def of(self, full_name: str) -> tuple[tuple[str, str], ...]:
        """(name, type as written) of each column; empty when the table or its schema is unknown."""
        if full_name not in self._known:
            self._known[full_name] = self._read(full_name)
        return self._known[full_name]

    def _read(self, full_name: str) -> tuple[tuple[str, str], ...]:
        product = self._products.get(full_name)
        if product is not None:
            return tuple((c.name, f"{c.physical_type} {c.required}") for c in product.contract.columns)
        topic = self._topics.get(full_name)
        if topic is None or topic.schema_path.suffix != ".avsc":
            return ()
        try:
            document: Any = json.loads(topic.schema_path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return ()  # SCH001 tells
        fields = document.get("fields") if isinstance(document, dict) else None
        return tuple(
            (str(f["name"]), json.dumps(f.get("type"), sort_keys=True))
            for f in (fields if isinstance(fields, list) else [])
            if isinstance(f, dict) and "name" in f
        )


def _text(product: Product) -> str | Refusal:
    try:
        raw = product.sql_path.read_bytes()
        if len(raw) > _MAX_BYTES:
            return Refusal("the projection is too large", 1, 1, f"write at most {_MAX_BYTES} bytes")
        return raw.decode("utf-8")
    except OSError as error:
        return Refusal(f"the projection cannot be read: {error.strerror}", 1, 1, "correct the file")
    except UnicodeDecodeError as error:
        return Refusal(f"the projection is not UTF-8: {error}", 1, 1, "save it as UTF-8")


def _key(product: Product, text: str, columns: _Columns) -> str:
    """Everything that a plan depends on: the text, what it reads, what it promises, Hanse itself."""
    settings = [columns.topic(name) for name in product.inputs]
    parts = (
        code_key(),
        text,
        product.full_name,
        product.emission,
        [(name, columns.of(name)) for name in product.inputs],
        [(t.key, t.kind, t.event_time, t.watermark_delay_ms) for t in settings if t is not None],
        [(c.primary_key, c.document.get("customProperties")) for c in columns.contracts(product)],
        [(c.name, c.physical_type, c.primary_key) for c in product.contract.columns],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
