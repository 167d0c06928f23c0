"""Cycles in a small directed graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def cycles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """One shortest cycle of each knot of nodes that reach each other, beginning at its smallest name."""
    found = [_shortest(graph, knot) for knot in _knots(graph) if len(knot) > 1 or _loops(graph, knot)]
    return sorted(found)


def _loops(graph: Mapping[str, Iterable[str]], knot: set[str]) -> bool:
    return any(node in graph.get(node, ()) for node in knot)


def _shortest(graph: Mapping[str, Iterable[str]], knot: set[str]) -> list[str]:
    start = min(knot)
    paths = [[start]]
    seen = {start}
    while paths:
        path = paths.pop(0)
        for after in sorted(graph.get(path[-1], ())):
            if after == start:
                return path
            if after in knot and after not in seen:
                seen.add(after)
                paths.append([*path, after])
    raise AssertionError(f"{start} is not in a cycle")


def _knots(graph: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Strongly connected components (Tarjan 1972), without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    result: list[set[str]] = []
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(sorted(graph.get(root, ()))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, rest = work[-1]
            after = next(rest, None)
            if after is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    result.append(_take(stack, node))
            elif after not in index:
                index[after] = low[after] = len(index)
                stack.append(after)
                work.append((after, iter(sorted(graph.get(after, ())))))
            elif after in stack:
                low[node] = min(low[node], index[after])
    return result


def _take(stack: list[str], node: str) -> set[str]:
    knot: set[str] = set()
    while node not in knot:
        knot.add(stack.pop())
    return knot
