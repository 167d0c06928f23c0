"""Where a product comes from and where it goes: a graph from the descriptors, laid out in columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from hanse.model.mesh import Product

WIDTH, HEIGHT, GAP_X, GAP_Y, PAD = 208, 44, 72, 14, 16


@dataclass(frozen=True, slots=True)
class Node:
    """A topic or a product. `hop` is its distance from the focus, negative upstream."""

    name: str
    kind: str
    hop: int
    x: int = 0
    y: int = 0
    more: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """A laid-out graph; `edges` are (from, to) by name."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    width: int
    height: int

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def path(self, edge: tuple[str, str]) -> str:
        """The SVG path of an edge."""
        start, end = self.node(edge[0]), self.node(edge[1])
        x1, y1 = start.x + WIDTH, start.y + HEIGHT // 2
        x2, y2 = end.x, end.y + HEIGHT // 2
        middle = (x1 + x2) // 2
        return f"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}"


class Lineage:
    """Edges between topics and products of a mesh, as declared by the products' input ports.

    `external` are the topics that others write.
    """

    def __init__(self, products: tuple[Product, ...], external: frozenset[str] = frozenset()) -> None:
        self._products = {product.full_name for product in products}
        self._external = external
        self.upstream: dict[str, tuple[str, ...]] = {p.full_name: p.inputs for p in products}
        downstream: defaultdict[str, list[str]] = defaultdict(list)
        for product in products:
            for name in product.inputs:
                downstream[name].append(product.full_name)
        self.downstream = {name: tuple(sorted(found)) for name, found in downstream.items()}

    def around(self, focus: str, hops: int = 1) -> Graph:
        """The focus and what lies up to `hops` steps away on either side, left to right."""
        levels: dict[str, int] = {focus: 0}
        for step, neighbours in ((-1, self.upstream), (1, self.downstream)):
            frontier = [focus]
            for distance in range(1, hops + 1):
                frontier = [n for name in frontier for n in neighbours.get(name, ()) if n not in levels]
                levels.update((name, step * distance) for name in frontier)
        return self._layout(levels)

    def _layout(self, levels: dict[str, int]) -> Graph:
        columns: defaultdict[int, list[str]] = defaultdict(list)
        for name in sorted(levels):
            columns[levels[name]].append(name)
        low, tallest = min(columns), max(len(names) for names in columns.values())
        nodes: list[Node] = []
        for level, names in columns.items():
            top = PAD + (tallest - len(names)) * (HEIGHT + GAP_Y) // 2
            for row, name in enumerate(names):
                x = PAD + (level - low) * (WIDTH + GAP_X)
                kind = self._kind(name)
                nodes.append(
                    Node(name, kind, level, x, top + row * (HEIGHT + GAP_Y), self._hidden(name, levels))
                )
        edges = [(s, t) for t in levels for s in self.upstream.get(t, ()) if s in levels]
        width = 2 * PAD + len(columns) * WIDTH + (len(columns) - 1) * GAP_X
        height = 2 * PAD + tallest * HEIGHT + (tallest - 1) * GAP_Y
        return Graph(tuple(nodes), tuple(sorted(edges)), width, height)

    def _kind(self, name: str) -> str:
        if name in self._products:
            return "product"
        return "external topic" if name in self._external else "topic"

    def _hidden(self, name: str, levels: dict[str, int]) -> int:
        near = (*self.upstream.get(name, ()), *self.downstream.get(name, ()))
        return sum(1 for other in near if other not in levels)
