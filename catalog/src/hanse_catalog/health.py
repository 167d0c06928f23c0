"""Can this product be used now? One state, one sentence: the worst finding wins."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from hanse.model.mesh import Product

from .view import Lag, MeshView, Snapshot

State = Literal["met", "at risk", "broken", "unknown"]
RENEW_SECONDS = 0.05
LEARN_SECONDS = 1.5
UNKNOWN_LAG = "the event log does not answer, so its lag is not known"
_ORDER: dict[State, int] = {"broken": 0, "at risk": 1, "unknown": 2, "met": 3}


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and its state, with the evidence in words."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """A product's state now."""

    state: State
    sentence: str
    freshness: Promise
    checks: Promise
    lag: Lag | None
    published: Snapshot | None
    latest: Snapshot | None


def duration(seconds: float) -> str:
    """A length of time in one or two units, for people."""
    whole = int(seconds)
    if whole < 1:
        return "under a second" if seconds > 0 else "0 s"
    for size, unit, smaller, name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest and whole < size * 10 else "")
    return f"{whole} s"


def assess(product: Product, history: list[Snapshot], lag: Lag | None) -> Health:
    """The product's health from its history and its lag behind the streams."""
    published = next((s for s in history if s.status == "published"), None)
    latest = history[0] if history else None
    freshness, checks = _freshness(product, lag, published), _checks(latest)
    worst = min((freshness, checks), key=lambda promise: _ORDER[promise.state])
    return Health(
        worst.state, _sentence(product, worst, published, lag), freshness, checks, lag, published, latest
    )


def _freshness(product: Product, lag: Lag | None, published: Snapshot | None) -> Promise:
    promised = product.contract.freshness_ms
    if published is None or lag is None:
        return Promise("freshness", "unknown", "not published yet" if published is None else UNKNOWN_LAG)
    behind = "up to the streams' head" if not lag.records else f"{lag.records:,} events behind"
    if lag.records and lag.seconds is not None:
        behind = f"{duration(lag.seconds)} behind ({lag.records:,} events)"
    if promised is None:
        return Promise("freshness", "met" if not lag.records else "unknown", f"{behind}; nothing is promised")
    limit = promised / 1_000
    late = lag.seconds if lag.seconds is not None else (limit if lag.records else 0.0)
    state: State = "broken" if late > limit else "at risk" if late > limit * 0.8 else "met"
    return Promise("freshness", state, f"{behind}, promised within {duration(limit)}")


def _checks(latest: Snapshot | None) -> Promise:
    if latest is None:
        return Promise("checks", "unknown", "no publication yet")
    failed = [check for check in latest.checks if not check.passed]
    if latest.status == "rejected":
        names = ", ".join(check.name for check in failed) or "a check"
        return Promise("checks", "at risk", f"the latest publication was rejected: {names}")
    if failed:
        return Promise("checks", "at risk", f"{len(failed)} of {len(latest.checks)} checks warn")
    if not latest.checks:
        return Promise("checks", "unknown", "no checks were recorded")
    return Promise("checks", "met", f"{len(latest.checks)} of {len(latest.checks)} passed")


def _sentence(product: Product, worst: Promise, published: Snapshot | None, lag: Lag | None) -> str:
    if published is None:
        return "Not published yet: there is nothing to query."
    if worst.name == "freshness" and worst.state == "broken":
        return f"Usable but late: {worst.detail}."
    if worst.name == "checks" and worst.state == "at risk":
        return f"Readers stay on snapshot {published.seq}: {worst.detail}."
    if worst.state == "at risk":
        return f"Usable, getting late: {worst.detail}."
    if product.lifecycle == "deprecated":
        return "Every promise holds, but the product is deprecated."
    if worst.state == "unknown":
        return f"Usable; {worst.detail}."
    behind = "up to date" if not (lag and lag.records) else f"{duration(lag.seconds or 0)} behind"
    return f"Every promise holds: {behind}, all checks passed."


@dataclass(frozen=True, slots=True)
class Budget:
    """Until when a list may ask (monotonic seconds): for health known before, and for health never asked for."""

    renew: float
    learn: float

    @classmethod
    def from_now(cls) -> Budget:
        """What one list may spend."""
        now = time.monotonic()
        return cls(now + RENEW_SECONDS, now + LEARN_SECONDS)


class HealthBoard:
    """Health of every product, each asked for again after `ttl` seconds."""

    def __init__(self, view: MeshView, ttl: float = 5.0) -> None:
        self._view = view
        self._ttl = ttl
        self._known: dict[str, tuple[float, Health]] = {}

    def of(self, product: Product, *, fresh: bool = False) -> Health:
        """The product's health, at most `ttl` seconds old."""
        now = time.monotonic()
        known = self._known.get(product.full_name)
        if known and not fresh and now - known[0] < self._ttl:
            return known[1]
        name = product.full_name
        health = assess(product, self._view.history(name), self._view.lag(name))
        self._known[name] = (now, health)
        return health

    def known(self, product: Product, budget: Budget) -> Health | None:
        """The health if it is known, or if there still is time to ask for it."""
        known = self._known.get(product.full_name)
        if time.monotonic() < (budget.renew if known else budget.learn):
            return self.of(product)
        return known[1] if known else None


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, for people."""
    passed = ((now or datetime.now(UTC)) - moment).total_seconds()
    if passed < 60:
        return "just now"
    if passed < 3_600:
        return f"{int(passed // 60)} min ago"
    return f"{duration(passed)} ago" if passed < 86_400 * 60 else moment.strftime("%d %b %Y")
