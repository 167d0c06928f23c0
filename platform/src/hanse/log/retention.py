"""Upkeep of a log: archive, then drop what retention allows; compact what is compacted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hanse.errors import ConfigError
from hanse.log.archived import ArchivedLog
from hanse.log.rows import now_ms
from hanse.ports.event_log import EventLog


class Compacted(Protocol):
    """What a compaction did."""

    @property
    def before(self) -> int:
        """Records before it."""
        ...

    @property
    def after(self) -> int:
        """Records after it."""
        ...


@runtime_checkable
class KeptByHanse(Protocol):
    """A log without a server: retention and compaction happen when Hanse does them."""

    def expired(self, topic: str, now: int) -> dict[int, int]:
        """Per partition, the offset below which the topic's retention has passed."""
        ...

    def compact(self, topic: str, *, now: int | None = None, grace_ms: int = ...) -> Compacted:
        """The latest record of each key stays."""
        ...

    def reclaim(self) -> None:
        """Give free space back to the file system."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What upkeep did to a topic: records archived, dropped after archiving, compacted away."""

    topic: str
    archived: int
    dropped: int
    compacted: int


def archive_topic(log: EventLog, topic: str) -> int:
    """Archive the topic up to its end; returns the number of offsets that are new in the archive.

    A compacted topic is not archived: its log is its history.
    """
    joined = _joined(log)
    info = joined.topic(topic)
    if info.spec.cleanup == "compact":
        return 0
    before = _archived(joined, topic)
    joined.archive.extend(joined.log, topic)
    return _archived(joined, topic) - before


def retain_topic(log: EventLog, topic: str, now: int | None = None) -> Kept:
    """Archive and drop what is past the topic's retention, or compact it. `now` is in milliseconds.

    On a log with a server of its own, which applies retention itself, everything is archived.
    """
    joined = _joined(log)
    inner, moment = joined.log, now_ms() if now is None else now
    if not isinstance(inner, KeptByHanse):
        return Kept(topic, archive_topic(joined, topic), 0, 0)
    archived = dropped = 0
    if joined.topic(topic).spec.cleanup == "delete":
        lows = {p: r.low for p, r in inner.ranges(topic).items()}
        past = {p: o for p, o in inner.expired(topic, moment).items() if o > lows[p]}
        if past:
            before = _archived(joined, topic)
            safe = joined.archive.extend(inner, topic, until=past)
            archived = _archived(joined, topic) - before
            inner.trim(topic, {p: min(o, safe[p]) for p, o in past.items()})
            dropped = sum(min(o, safe[p]) - lows[p] for p, o in past.items())
    result = inner.compact(topic, now=moment)
    return Kept(topic, archived, dropped, result.before - result.after)


def retain(log: EventLog, now: int | None = None) -> list[Kept]:
    """`retain_topic` for every topic; free space goes back to the file system."""
    result = [retain_topic(log, info.spec.name, now) for info in log.topics()]
    inner = _joined(log).log
    if isinstance(inner, KeptByHanse):
        inner.reclaim()
    return result


def _archived(log: ArchivedLog, topic: str) -> int:
    info = log.topic(topic)
    ranges = (r for p in range(info.spec.partitions) for r in log.archive.covered(info, p))
    return sum(r.high - r.low for r in ranges)


def _joined(log: EventLog) -> ArchivedLog:
    if not isinstance(log, ArchivedLog):
        raise ConfigError(
            "this log has no archive", expected="a log opened from a mesh's settings", got=type(log).__name__
        )
    return log
