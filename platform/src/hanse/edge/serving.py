"""Runs the edge's server in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hanse.domain.application import Application
from hanse.domain.discovery import load
from hanse.domain.service import ApplicationService
from hanse.errors import ConfigError
from hanse.registry.serving import bound_socket

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh

PORT = 8322
TOKEN = "HANSE_COMMAND_TOKEN"  # noqa: S105 - the variable's name


def serve(
    mesh: Mesh, domains: Sequence[str], host: str, port: int, announce: Callable[[str], object]
) -> None:
    """Serve the commands of these domains, or of all with code, until interrupted.

    `announce` gets the address once the port is taken. Raises ConfigError: no such domain, a port that is taken,
    an address that others can reach without a token.
    """
    import uvicorn

    from hanse.edge.app import create_app

    token = os.environ.get(TOKEN) or None
    if token is None and not _only_here(host):
        raise ConfigError(
            "commands would be taken from anybody",
            where=f"host {host}",
            fix=f"set {TOKEN}, which clients then send as a bearer token",
        )
    services = {
        application: ApplicationService(application, mesh.store(application.name), mesh.keys)
        for application in applications(mesh, domains)
    }
    with bound_socket(host, port) as listener:
        announce(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
        config = uvicorn.Config(create_app(services, token), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


def applications(mesh: Mesh, names: Sequence[str]) -> list[Application]:
    """The code of these domains, or of all that have some. Raises ConfigError."""
    found = [
        (domain.name, load(domain)) for domain in mesh.model.domains if not names or domain.name in names
    ]
    known = {name for name, application in found if application is not None and application.accepts}
    missing = [name for name in names if name not in known]
    if missing or not known:
        raise ConfigError(
            f"the domain {missing[0]!r} takes no commands" if missing else "no domain takes commands",
            where=str(mesh.settings.root),
            expected=", ".join(domain.name for domain in mesh.model.domains),
        )
    return [application for name, application in found if application is not None and name in known]


def _only_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
