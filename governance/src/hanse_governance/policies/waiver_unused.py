"""FED004."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class WaiverUnused(Policy):
    """Each waiver covers at least one finding.

    Judged after all other policies, and only in a whole run.

    ## Examples

    Breaks it: a waiver for a field that has been classified since.

    Keeps it: no waiver that is not needed.
    """

    code = "FED004"
    name = "waiver-unused"
    severity = "warning"
    why = "A waiver that covers nothing today will cover the wrong thing tomorrow."

    def check(self, mesh: MeshView) -> Iterator[Finding]:  # noqa: ARG002
        """Nothing here: the run itself adds these findings at its end."""
        yield from ()
