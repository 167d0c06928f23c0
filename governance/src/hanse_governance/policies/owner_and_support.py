"""PRD002."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class OwnerAndSupport(Policy):
    """Each domain's team has an e-mail address and a support channel, and each product and
    contract has an owner.

    ## Examples

    Breaks it: `team: {name: Orders}`.

    Keeps it: `team: {name: Orders, email: orders@example.org, support: "#orders"}`.
    """

    code = "PRD002"
    name = "owner-or-support-missing"
    severity = "error"
    why = "When data is wrong, a reader must know whom to ask and where."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Domains, then the products and contracts of which the loader says so."""
        for domain in mesh.model.domains:
            missing = [n for n in ("email", "support") if not getattr(domain.team, n)]
            if missing:
                yield self.finding(
                    mesh.in_domain(domain, "team"),
                    domain.name,
                    f"the team of {domain.name} has no {' and no '.join(missing)}",
                    fix="add it under `team` in domain.yaml",
                )
        for problem in mesh.problems:
            if problem.code == self.code:
                yield self.finding(problem.at, problem.subject, problem.what, fix=problem.fix)
