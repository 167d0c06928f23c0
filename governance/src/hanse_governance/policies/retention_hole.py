"""OPS002."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse.model.mesh import Product
from hanse_governance.finding import Finding
from hanse_governance.policy import Parameter, Policy
from hanse_governance.view import MeshView

_DAY_MS = 86_400_000
_DAYS: dict[str, float] = {
    "y": 365, "yr": 365, "year": 365, "years": 365, "mo": 30, "month": 30, "months": 30, "w": 7, "week": 7,
    "weeks": 7, "d": 1, "day": 1, "days": 1, "h": 1 / 24, "hr": 1 / 24, "hour": 1 / 24, "hours": 1 / 24,
}  # fmt: skip


class RetentionHole(Policy):
    """A topic keeps its events as long as the products that read it promise theirs.

    Compared is the topic's `retention` with the contract's `retention` service level, or with the
    parameter `days` when the contract has none. A state topic has no retention at all: its oldest keys
    would vanish although they are still true.

    ## Examples

    Breaks it: `retention: P7D` on the topic, `{property: retention, value: 2, unit: y}` in the contract.

    Keeps it: `retention: P3650D`, or none.
    """

    code = "OPS002"
    name = "history-has-a-hole"
    severity = "warning"
    why = "A product is rebuilt from its events; what the topic has dropped is then missing from it."
    parameters = (Parameter("days", 30, "higher", "how long events must stay when a contract does not say"),)

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """State topics with a retention, then short-lived topics with long-lived readers."""
        for name, topic in mesh.topics.items():
            if topic.kind == "state" and (topic.retention_ms or topic.retention_bytes):
                yield self.finding(
                    mesh.in_topic(topic, "retention"),
                    name,
                    f"the state topic {name} drops keys by age or size",
                    fix="remove its retention: it is compacted, each key's latest row stays",
                )
            if topic.kind == "state" or topic.retention_ms is None:
                continue
            for product in mesh.readers.get(name, ()):
                wanted = _promised_days(product) or mesh.parameter(self, "days", product.domain)
                if topic.retention_ms < wanted * _DAY_MS:
                    yield self.finding(
                        mesh.in_topic(topic, "retention"),
                        product.full_name,
                        f"{name} keeps its events {topic.retention_ms / _DAY_MS:g} days, "
                        f"{product.full_name} needs {wanted:g}",
                        fix="keep the events longer, or promise less",
                    )


def _promised_days(product: Product) -> float | None:
    entries: Any = product.contract.document.get("slaProperties")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("property") == "retention":
            try:
                return float(entry.get("value", "")) * _DAYS.get(str(entry.get("unit", "d")).lower(), 1)
            except (TypeError, ValueError):
                return None
    return None
