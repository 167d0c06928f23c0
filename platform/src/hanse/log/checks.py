"""What every adapter of the log refuses, and in which words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hanse.errors import HistoryLost, LogError, TopicDrift
from hanse.ports.event_log import OffsetRange, TopicSpec

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def check_spec(spec: TopicSpec) -> None:
    """Raises LogError for a name or a number of partitions that no topic can have."""
    if not _NAME.fullmatch(spec.name) or spec.name in {".", ".."}:
        raise LogError(
            "a topic cannot have this name",
            expected="1 to 249 letters, digits, dots, underscores and hyphens",
            got=repr(spec.name[:300]),
        )
    if not 1 <= spec.partitions <= 10_000:
        raise LogError(
            "a topic cannot have so many partitions",
            where=f"topic {spec.name}",
            expected="1 to 10,000",
            got=str(spec.partitions),
        )


def drift(declared: TopicSpec, found: TopicSpec, where: str) -> TopicDrift:
    """The error for a topic that exists with other settings."""
    return TopicDrift(
        f"topic {declared.name} exists with other settings",
        where=where,
        expected=_settings(declared),
        got=_settings(found),
        fix="declare what exists, or delete the topic and make it again",
    )


def _settings(spec: TopicSpec) -> str:
    return (
        f"partitions {spec.partitions}, cleanup {spec.cleanup}, "
        f"retention {spec.retention_ms} ms, {spec.retention_bytes} bytes"
    )


def check_partition(topic: str, partition: int, ranges: Mapping[int, OffsetRange]) -> OffsetRange:
    """The partition's range. Raises LogError for a partition that the topic does not have."""
    if partition not in ranges:
        raise LogError(
            "the topic does not have this partition",
            where=f"topic {topic}",
            expected=f"0 to {len(ranges) - 1}",
            got=str(partition),
        )
    return ranges[partition]


def check_offset(topic: str, partition: int, offset: int, ranges: Mapping[int, OffsetRange]) -> None:
    """Raises HistoryLost for an offset outside the partition's range."""
    there = check_partition(topic, partition, ranges)
    if there.low <= offset <= there.high:
        return
    below = offset < there.low
    raise HistoryLost(
        "records that are to be read are gone from the log"
        if below
        else "the log ends before the offset to read: the topic was made again, or the log restored",
        where=f"topic {topic}, partition {partition}",
        expected=f"an offset from {there.low} to {there.high}",
        got=str(offset),
        fix="rebuild from the archive and the log" if below else "rebuild what was read from the old topic",
    )
