"""A registry server on a free port, in a thread of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hanse.registry.server import create_app
from hanse.registry.store import RegistryStore
from helpers.live_server import served


@contextmanager
def live_registry(path: Path) -> Iterator[str]:
    """The address of a server over a new store in `path`."""
    store = RegistryStore(path / "server.db")
    try:
        with served(create_app(store)) as address:
            yield address
    finally:
        store.close()
