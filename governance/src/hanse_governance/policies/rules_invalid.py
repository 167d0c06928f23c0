"""FED003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class RulesInvalid(Policy):
    """Rules files can be read: known keys and codes, whole parameters, complete waivers.

    ## Examples

    Breaks it: `[[waiver]]` without `owner`, `reason` or `until`.

    Keeps it: a waiver with code, subject, owner, reason and until.
    """

    code = "FED003"
    name = "rules-file-invalid"
    severity = "error"
    why = "A rule with a typing mistake is silently not enforced."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """What was found when the rules were read."""
        for breach in mesh.federation.breaches:
            if breach.code == self.code:
                yield self.finding(breach.at, breach.subject, breach.what, fix=breach.fix)
