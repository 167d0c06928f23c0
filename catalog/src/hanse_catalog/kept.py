"""Something that takes long to make, kept until a descriptor changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The value of `make`, made once for each revision of the descriptors."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._known: tuple[str, T] | None = None

    def at(self, revision: str) -> T:
        """The value at that revision."""
        with self._lock:
            if self._known is None or self._known[0] != revision:
                self._known = (revision, self._make())
            return self._known[1]
