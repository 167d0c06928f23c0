"""OPS007."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.log.declared import differing
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

_FIX = {
    "partitions": "declare {got}, or make a new topic and let readers move: partitions cannot be changed in place",
    "cleanup": "set cleanup.policy of the topic to {expected}, or change its kind",
    "retention_ms": "set retention.ms of the topic to {expected}, or declare {got}",
    "retention_bytes": "set retention.bytes of the topic to {expected}, or declare {got}",
}


class TopicInLog(Policy):
    """A topic has in the log the settings that its domain declares.

    Needs `--log`, which asks the log of the mesh's settings. A topic that is not made yet, and one that
    others own, is not looked at.

    ## Examples

    Breaks it: `partitions: 4` is declared and the topic has eight; an event-carried state whose topic was
    made by hand without compaction; a retention shortened by an operator.

    Keeps it: the settings of the declaration, as Hanse makes a topic with its first record.
    """

    code = "OPS007"
    name = "topic-differs-in-log"
    severity = "error"
    why = "Readers rely on the declaration: other partitions lose a key's order, other retention its history."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Declared topics that the log has."""
        for name, topic in mesh.topics.items():
            there = mesh.in_log.get(name)
            if there is None or topic.external:
                continue
            for setting, expected, got in differing(topic, there):
                shown = setting.replace("_ms", " (ms)").replace("_bytes", " (bytes)")
                yield self.finding(
                    mesh.in_topic(topic, "kind" if setting == "cleanup" else setting.partition("_")[0]),
                    name,
                    f"{shown} of {name} is declared as {_text(expected)} and is {_text(got)} in the log",
                    fix=_FIX[setting].format(expected=_text(expected), got=_text(got)),
                )


def _text(value: object) -> str:
    return "without limit" if value is None else str(value)
