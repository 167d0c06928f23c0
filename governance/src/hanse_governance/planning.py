"""Plans projections, each text once: what the planner said is kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hanse.model.mesh import MeshModel, Product, Topic
from hanse_governance.cache import RunCache, code_key
from hanse_governance.plans import Plan, Refusal

_MAX_BYTES = 1_000_000


class Planner:
    """Plans the projections of meshes, and keeps the plans in the cache that it was given."""

    def __init__(self, cache: RunCache) -> None:
        self._cache = cache
        self._kept: dict[str, Any] | None = None
        self._used: dict[str, Any] = {}

    def for_mesh(self, model: MeshModel) -> Callable[[Product], Plan]:
        """A function that gives a product's plan, and plans it the first time."""
        columns = _Columns(model)
        plans: dict[str, Plan] = {}

        def plan(product: Product) -> Plan:
            if product.full_name not in plans:
                plans[product.full_name] = self._plan(product, columns)
            return plans[product.full_name]

        return plan

    def save(self) -> None:
        """Keep the plans that were used."""
        if self._used != (self._kept or {}):
            self._cache.keep_plans(self._used)

    def _plan(self, product: Product, columns: _Columns) -> Plan:
        text = _text(product)
        if isinstance(text, Refusal):
            return Plan(refusal=text)
        key = _key(product, text, columns)
        if self._kept is None:
            self._kept = self._cache.plans()
        kept = self._used.get(key) or self._kept.get(key)
        if kept is None:
            from hanse_governance.plan_one import plan_one

            kept = plan_one(columns.around(product), product, text, columns.of).as_dict()
        self._used[key] = kept
        return Plan.from_dict(kept)


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
        [(c.name, c.physical_type, c.primary_key) for c in product.contract.columns],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
