"""PRD007."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class NeedsRebuild(Policy):
    """A change that the projection's state cannot follow is rebuilt when it is merged.

    Needs `--base`. The state follows changes of comments, spaces and the case of words. After any other
    change of the SQL, of the columns, keys or times of what it reads, or of what it promises, a run refuses
    and readers keep the last snapshot, until `hanse product rebuild` has built the new version beside the
    old one. What breaks readers is told by PRD004.

    ## Examples

    Breaks it: the WHERE of a published product changes.

    Keeps it: the query is laid out anew, or gets a comment.
    """

    code = "PRD007"
    name = "change-needs-rebuild"
    severity = "warning"
    why = "Until it is rebuilt, readers of a changed product see its last snapshot and nothing newer."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Products that are on both sides and whose programs differ."""
        for product in mesh.model.products:
            before = mesh.base.products.get(product.full_name) if mesh.base else None
            if mesh.base is None or before is None or before.lifecycle in ("draft", "proposed"):
                continue
            old, new = mesh.base.plan(before).program, mesh.plan(product).program
            settings = (before.emission, before.late) != (product.emission, product.late)
            if old and new and (old != new or settings):
                yield self.finding(
                    mesh.in_sql(product),
                    product.full_name,
                    f"the state of {product.full_name} cannot follow this change",
                    fix=f"after the merge: hanse product rebuild {product.full_name} (--dry-run shows what differs)",
                )
