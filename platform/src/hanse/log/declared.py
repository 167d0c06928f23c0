"""Topics as domains declare them, against topics as the log has them."""

from __future__ import annotations

from hanse.model.mesh import Topic
from hanse.ports.event_log import TopicSpec


def spec_of(topic: Topic) -> TopicSpec:
    """The topic that the declaration asks for: event-carried state is compacted."""
    return TopicSpec(
        topic.full_name,
        partitions=topic.partitions,
        cleanup="compact" if topic.kind == "state" else "delete",
        retention_ms=topic.retention_ms,
        retention_bytes=topic.retention_bytes,
    )


def differing(topic: Topic, there: TopicSpec) -> list[tuple[str, object, object]]:
    """Settings in which a topic of the log differs from its declaration: name, declared, found."""
    declared = spec_of(topic)
    names = ("partitions", "cleanup", "retention_ms", "retention_bytes")
    pairs = [(name, getattr(declared, name), getattr(there, name)) for name in names]
    return [(name, expected, got) for name, expected, got in pairs if expected != got]
