"""Places where a test stops a publication, a rebuild or an erasure: by a kill, or by calling a function.

`HANSE_FAILPOINT=<place>` kills the process with SIGKILL when it comes to that place; `hook` is called with
each place. Both are for tests: nothing else sets them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

PLACES = (
    "sealed",
    "audit-set",
    "unsynced",
    "files-written",
    "manifests-written",
    "snapshot-made",
    "checked",
    "verdict-stored",
    "main-moved",
    "set-aside",
    "recorded",
    "tagged",
)
AROUND = ("rebuilt", "swapping", "forgotten", "written-again", "purged")
"""Those of rebuilds and erasures, around their publications."""

hook: Callable[[str], None] | None = None


def reach(place: str) -> None:
    """Say that the publication has come to `place`."""
    assert place in PLACES + AROUND
    if os.environ.get("HANSE_FAILPOINT") == place:
        os.kill(os.getpid(), signal.SIGKILL)
    if hook is not None:
        hook(place)
