"""FED001."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class FederationLoosened(Policy):
    """A domain's `policies.toml` only tightens what the federation has set.

    ## Examples

    Breaks it: `[severity] PII001 = "off"` in `domains/orders/policies.toml`.

    Keeps it: `[severity] SCH004 = "error"`, where the federation has a warning.
    """

    code = "FED001"
    name = "domain-loosens-a-rule"
    severity = "error"
    why = "Rules that each domain can loosen for itself are no rules of the federation."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """What was found when the rules were read."""
        for breach in mesh.federation.breaches:
            if breach.code == self.code:
                yield self.finding(breach.at, breach.subject, breach.what, fix=breach.fix)
