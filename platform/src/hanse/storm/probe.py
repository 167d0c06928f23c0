"""Asks a saga's functions what they would send, with made-up records of the topics they listen to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hanse.domain.saga import Fact, Facts, Saga, Send, Step, When
from hanse.model.mesh import Topic

NUMBERS = (1, 2, 3, 0)
"""What the whole numbers of made-up records are, one after the other: a function may look for one of them."""

_FAULTS = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)
_TEXTS = {"timestamp-millis": "2026-01-05T12:00:00", "timestamp-micros": "2026-01-05T12:00:00",
          "date": "2026-01-05", "decimal": "0.00"}  # fmt: skip


def probe(
    make: Callable[[Facts], Send | None], saga: Saga, step: Step, topics: Mapping[str, Topic]
) -> Send | None:
    """What the function sends at that step, or None when no made-up past makes it send anything."""
    for seen in _pasts(saga, step, topics):
        try:
            sent = make(seen)
        except _FAULTS:
            continue
        if sent is not None:
            return sent
    return None


def _pasts(saga: Saga, step: Step, topics: Mapping[str, Topic]) -> Iterator[Facts]:
    """Pasts of the process: what began it, with what the steps until this one waited for, with everything."""
    begun: list[When] = [saga.starts, *saga.gathers]
    until: list[When] = list(begun)
    for earlier in saga.steps:
        if earlier.done is not None:
            until.append(earlier.done)
        if earlier is step:
            break
    for listened in (until, begun, list(saga.listens)):
        for number in NUMBERS:
            records = {when.topic: (_record(topics.get(when.topic), number),) for when in listened}
            yield Facts("key", records)


def _record(topic: Topic | None, number: int) -> Fact:
    if topic is None or topic.schema_path.suffix != ".avsc":
        return {}
    schema: Any = json.loads(topic.schema_path.read_text(encoding="utf-8"))
    return {field["name"]: _value(field["type"], number) for field in schema.get("fields", ())}


def _value(kind: Any, number: int) -> Any:
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, dict):
        logical = kind.get("logicalType")
        if logical in _TEXTS:
            return _TEXTS[logical]
        if kind["type"] == "record":
            return {field["name"]: _value(field["type"], number) for field in kind["fields"]}
        if kind["type"] == "enum":
            return kind["symbols"][0]
        if kind["type"] in ("array", "map"):
            return [] if kind["type"] == "array" else {}
        kind = kind["type"]
    return {"string": "SP", "boolean": True, "int": number, "long": number, "null": None}.get(kind, 1.5)
