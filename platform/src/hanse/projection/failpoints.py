"""Places where a test kills the projector: `HANSE_FAILPOINT=<place>`, or `<place>:<n>` for the n-th time."""

from __future__ import annotations

import os
import signal

PLACES = ("before-decode", "after-decode", "before-execute", "after-execute", "before-commit", "after-commit")
_seen: dict[str, int] = {}


def reach(place: str) -> None:
    """Say that the projector has come to `place`; nothing happens unless a test asked for it."""
    wanted, _, times = os.environ.get("HANSE_FAILPOINT", "").partition(":")
    if wanted != place:
        return
    assert place in PLACES, f"unknown failpoint {place!r}"
    _seen[place] = _seen.get(place, 0) + 1
    if _seen[place] >= int(times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
