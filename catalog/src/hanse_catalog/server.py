"""Serves the catalog until it is told to stop."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from hanse.errors import ConfigError

from .app import create_app

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh

    from .view import MeshView

GRACE = 10  # seconds that running requests get to end
MAX_CONNECTIONS = 4_000
_MEANINGS = {
    errno.EADDRINUSE: (
        "the port is in use",
        "stop the other process, or choose another port with HANSE_PORT",
    ),
    errno.EACCES: ("the port may not be used", "choose a port above 1023 with HANSE_PORT"),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "set HANSE_HOST to 127.0.0.1"),
}


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
        server.listen(512)
    except OSError as error:
        server.close()
        what, fix = _MEANINGS.get(error.errno or 0, ("the catalog cannot listen", None))
        raise ConfigError(what, where=f"{host}:{port}", got=error.strerror, fix=fix) from error
    return server


def _allow_files() -> None:
    """Let this process hold a socket for every connection, as far as the system lets it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + 512
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def serve(mesh: Mesh | MeshView, host: str = "127.0.0.1", port: int = 8321) -> None:
    """Serve until SIGINT or SIGTERM, then let requests end. Raises ConfigError when the port is taken."""
    import uvicorn

    _allow_files()
    with listen(host, port) as server:
        config = uvicorn.Config(
            create_app(mesh),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=MAX_CONNECTIONS,
            backlog=512,
        )
        uvicorn.Server(config).run(sockets=[server])
