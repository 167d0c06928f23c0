"""FED002."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class WaiverExpired(Policy):
    """A waiver in `governance/policies.toml` whose last day has passed fails, and waives nothing.

    ## Examples

    Breaks it: `until = 2024-12-31`.

    Keeps it: the breach is mended and the waiver removed, or its owner gives a new date and reason.
    """

    code = "FED002"
    name = "waiver-expired"
    severity = "error"
    why = "An exception without an end becomes the rule."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """What was found when the rules were read."""
        for breach in mesh.federation.breaches:
            if breach.code == self.code:
                yield self.finding(breach.at, breach.subject, breach.what, fix=breach.fix)
