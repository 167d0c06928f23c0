"""DSC001."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class DescriptorsValid(Policy):
    """Every `domain.yaml`, `product.yaml` and `contract.yaml` can be read and keeps its standard.

    A product is an ODPS 1 document and a contract an ODCS 3 document, validated against the standards'
    own JSON Schemas; what the standards have no field for goes under `customProperties`. Anchors, tags
    and duplicate keys are refused.

    ## Examples

    Breaks it: a contract without `apiVersion`, or with a field `freshness: 1h` at its top.

    Keeps it:

        apiVersion: v3.1.0
        kind: DataContract
        slaProperties:
          - {property: frequency, value: 1, unit: h}
    """

    code = "DSC001"
    name = "descriptor-invalid"
    severity = "error"
    why = "A descriptor that cannot be read governs nothing, and tools outside Hanse cannot use it."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """One finding a problem."""
        for problem in mesh.problems:
            if problem.code != self.code:
                continue
            yield self.finding(problem.at, problem.subject, problem.what, fix=problem.fix)
