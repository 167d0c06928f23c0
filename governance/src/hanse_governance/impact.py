"""Who is hit by a breaking change: products and domains downstream, transitively, by column."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from hanse.model.mesh import Product
from hanse_governance.finding import Finding
from hanse_governance.view import MeshView

_ALL = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A product that a change reaches. `distance` 1 reads the subject itself; `columns` empty means all."""

    product: str
    domain: str
    owner: str
    distance: int
    via: str
    columns: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "product": self.product,
            "domain": self.domain,
            "owner": self.owner,
            "distance": self.distance,
            "via": self.via,
            "columns": list(self.columns),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Hit:
        """The inverse of `as_dict`."""
        values = dict(values)
        columns = tuple(values.pop("columns"))
        return cls(**values, columns=columns)


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything downstream of one changed topic or product."""

    subject: str
    codes: tuple[str, ...]
    columns: tuple[str, ...]
    hits: tuple[Hit, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "subject": self.subject,
            "codes": list(self.codes),
            "columns": list(self.columns),
            "hits": [h.as_dict() for h in self.hits],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Impact:
        """The inverse of `as_dict`."""
        hits = tuple(Hit.from_dict(h) for h in values["hits"])
        return cls(values["subject"], tuple(values["codes"]), tuple(values["columns"]), hits)


def impacts(mesh: MeshView, findings: list[Finding]) -> list[Impact]:
    """The impact of each subject with a breaking finding. A removed product is looked up in the base."""
    by_subject: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.breaking:
            by_subject.setdefault(finding.subject, []).append(finding)
    return [_impact(mesh, subject, found) for subject, found in sorted(by_subject.items())]


def _impact(mesh: MeshView, subject: str, findings: list[Finding]) -> Impact:
    whole = any(not f.columns for f in findings)
    columns = None if whole else {c for f in findings for c in f.columns}
    hits = {h.product: h for h in downstream(mesh, subject, columns)}
    if mesh.base is not None:  # readers that the change has cut off are hit as well
        for hit in downstream(mesh.base, subject, columns):
            hits.setdefault(hit.product, hit)
    ordered = tuple(sorted(hits.values(), key=lambda h: (h.distance, h.product)))
    codes = tuple(sorted({f.code for f in findings}))
    return Impact(subject, codes, tuple(sorted(columns or ())), ordered)


def downstream(mesh: MeshView, subject: str, columns: set[str] | None = _ALL) -> list[Hit]:
    """Products that read the subject's columns, nearest first; all columns when None."""
    hits: dict[str, Hit] = {}
    queue = deque([(subject, columns, 1)])
    while queue:
        source, touched, distance = queue.popleft()
        for product in mesh.readers.get(source, ()):
            reached = _reached(mesh, product, source, touched)
            if product.full_name == subject or product.full_name in hits or reached == set():
                continue
            names = tuple(sorted(reached or ()))
            owner = product.owner.email or product.owner.name
            hits[product.full_name] = Hit(product.full_name, product.domain, owner, distance, source, names)
            queue.append((product.full_name, reached, distance + 1))
    return list(hits.values())


def _reached(mesh: MeshView, product: Product, source: str, touched: set[str] | None) -> set[str] | None:
    """Output columns that the touched source columns flow into; None for all; empty for none.

    A column that decides which rows are there (a filter, a join, a grouping) hits all columns.
    Without lineage all columns are hit as well.
    """
    plan = mesh.plan(product)
    if touched is None or not plan.lineage:
        return None

    def hit(pairs: tuple[tuple[str, str], ...]) -> bool:
        return any(mesh.resolve(product.domain, t) == source and c in touched for t, c in pairs)

    if hit(plan.filters):
        return None
    return {name for name, sources in plan.lineage if hit(sources)}
