"""PRD003."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class SlaPresent(Policy):
    """A contract states its service levels under `slaProperties`, each with a value that can be measured.

    ## Examples

    Breaks it: a contract without `slaProperties`, or `{property: latency, value: soon}`.

    Keeps it: `slaProperties: [{property: latency, value: 15, unit: m}]`.
    """

    code = "PRD003"
    name = "sla-missing"
    severity = "error"
    why = "Readers build on what is promised; a promise that cannot be measured cannot be kept."

    _NUMERIC = frozenset(
        {"latency", "frequency", "retention", "availability", "throughput", "ly", "fy", "rt", "av"}
    )

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Products that are draft or retired promise nothing yet, or no longer."""
        for product in mesh.model.products:
            if product.lifecycle in ("draft", "retired"):
                continue
            entries: Any = product.contract.document.get("slaProperties")
            if not entries:
                yield self.finding(
                    mesh.in_contract(product),
                    product.full_name,
                    f"the contract of {product.full_name} has no slaProperties",
                    fix="add at least `{property: latency, value: 15, unit: m}`",
                )
            for number, entry in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(entry, dict) and not self._measurable(entry):
                    yield self.finding(
                        mesh.in_contract(product, "slaProperties", number),
                        product.full_name,
                        f"the service level {entry.get('property')!r} cannot be measured",
                        fix="give a number as value, with a unit such as m, h or d",
                    )

    def _measurable(self, entry: dict[str, Any]) -> bool:
        if entry.get("property") not in self._NUMERIC:
            return entry.get("value") is not None
        try:
            float(str(entry.get("value")).rstrip("%"))
        except ValueError:
            return False
        return True
