"""A registry server on a free port, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from hanse.registry.server import create_app
from hanse.registry.serving import bound_socket
from hanse.registry.store import RegistryStore


@contextmanager
def live_registry(path: Path) -> Iterator[str]:
    """The address of a server over a new store in `path`."""
    store = RegistryStore(path / "server.db")
    listener = bound_socket("127.0.0.1", 0)
    config = uvicorn.Config(create_app(store), log_level="critical", access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 15
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()
        store.close()
