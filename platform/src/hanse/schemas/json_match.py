"""A largest matching in a bipartite graph (augmenting paths, after Kuhn)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def largest_matching(edges: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """From left nodes to right nodes, each used once, as many pairs as there can be."""
    left_of: dict[int, int] = {}
    for start in edges:
        _augment(start, edges, left_of)
    return {left: right for right, left in left_of.items()}


def _augment(start: int, edges: Mapping[int, Sequence[int]], left_of: dict[int, int]) -> None:
    came_from: dict[int, int] = {}
    waiting = [start]
    while waiting:
        left = waiting.pop()
        for right in edges[left]:
            if right in came_from:
                continue
            came_from[right] = left
            if right not in left_of:
                _turn(right, start, came_from, left_of)
                return
            waiting.append(left_of[right])


def _turn(right: int, start: int, came_from: dict[int, int], left_of: dict[int, int]) -> None:
    while True:
        left = came_from[right]
        before = next((r for r, owner in left_of.items() if owner == left), None)
        left_of[right] = left
        if left == start or before is None:
            return
        right = before
