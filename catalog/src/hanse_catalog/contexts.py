"""The context map: domains, and who reads whose streams and products."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hanse.model.mesh import Domain, Product

WIDTH, HEIGHT = 760, 420
_BOX_WIDTH, _BOX_HEIGHT = 132, 44


@dataclass(frozen=True, slots=True)
class Relation:
    """A domain's products read what another domain publishes. `tables` are full names, `products` the readers."""

    source: str
    reader: str
    tables: tuple[str, ...]
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A domain on the map; its middle in pixels."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """From the edge of one box to the edge of another; `bend` is the curve's control point."""

    relation: Relation
    start: tuple[float, float]
    bend: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ContextMap:
    """Boxes on an ellipse, and the arrows between them."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    relations: tuple[Relation, ...]


def relations(products: Iterable[Product]) -> tuple[Relation, ...]:
    """Who reads whom across domains, by name."""
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for product in products:
        for source in product.inputs:
            owner = source.split(".", 1)[0]
            if owner != product.domain:
                tables, readers = found.setdefault((owner, product.domain), (set(), set()))
                tables.add(source)
                readers.add(product.full_name)
    return tuple(
        Relation(source, reader, tuple(sorted(tables)), tuple(sorted(readers)))
        for (source, reader), (tables, readers) in sorted(found.items())
    )


def context_map(domains: Iterable[Domain], products: Iterable[Product]) -> ContextMap:
    """The map of these domains and products."""
    names = [domain.name for domain in domains]
    boxes = {name: _placed(name, i, len(names)) for i, name in enumerate(names)}
    found = relations(products)
    drawn = [r for r in found if r.source in boxes and r.reader in boxes]
    arrows = tuple(_arrow(r, boxes[r.source], boxes[r.reader]) for r in drawn)
    return ContextMap(tuple(boxes.values()), arrows, found)


def _placed(name: str, index: int, count: int) -> Box:
    angle = 2 * math.pi * index / max(count, 1) - math.pi / 2
    across, down = (WIDTH - _BOX_WIDTH) / 2 - 4, (HEIGHT - _BOX_HEIGHT) / 2 - 4
    if count == 1:
        across = down = 0
    return Box(
        name, round(WIDTH / 2 + across * math.cos(angle), 1), round(HEIGHT / 2 + down * math.sin(angle), 1)
    )


def _arrow(relation: Relation, source: Box, reader: Box) -> Arrow:
    """A curve that bends to its right, so that two domains that read each other have two lines."""
    dx, dy = reader.x - source.x, reader.y - source.y
    length = math.hypot(dx, dy) or 1.0
    side = min(36.0, length / 6)
    bend = ((source.x + reader.x) / 2 - dy / length * side, (source.y + reader.y) / 2 + dx / length * side)
    return Arrow(relation, _edge(source, bend), _rounded(bend), _edge(reader, bend, gap=7))


def _edge(box: Box, towards: tuple[float, float], gap: float = 2) -> tuple[float, float]:
    """Where the line from the box's middle towards a point leaves it."""
    dx, dy = towards[0] - box.x, towards[1] - box.y
    across = (_BOX_WIDTH / 2 + gap) / abs(dx) if dx else math.inf
    down = (_BOX_HEIGHT / 2 + gap) / abs(dy) if dy else math.inf
    share = min(across, down, 1.0)
    return _rounded((box.x + dx * share, box.y + dy * share))


def _rounded(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], 1), round(point[1], 1)
