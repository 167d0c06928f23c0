"""Runs the registry's server in this process."""

from __future__ import annotations

import socket
from collections.abc import Callable

from hanse.errors import ConfigError
from hanse.registry.store import RegistryStore


def serve_store(store: RegistryStore, host: str, port: int, announce: Callable[[str], object]) -> None:
    """Serve until interrupted; `announce` gets the address once the port is taken. Raises ConfigError."""
    import uvicorn

    from hanse.registry.server import create_app

    with bound_socket(host, port) as listener:
        taken = listener.getsockname()[1]
        announce(f"http://{f'[{host}]' if ':' in host else host}:{taken}")
        config = uvicorn.Config(create_app(store), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


def bound_socket(host: str, port: int) -> socket.socket:
    """A listening address taken at once, port 0 for a free one. Raises ConfigError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            "the port cannot be taken",
            where=f"{host}:{port}",
            got=str(error),
            fix="choose another with --port",
        ) from error
    return listener
