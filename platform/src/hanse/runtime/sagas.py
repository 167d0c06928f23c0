"""The processes of sagas of a whole mesh: listed, shown, resumed, aborted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanse.domain.discovery import load
from hanse.domain.process import Process
from hanse.domain.process_messages import Abort, Resume
from hanse.domain.service import ApplicationService, Recorded
from hanse.errors import ConfigError
from hanse.model.envelope import utc_now

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.ports.event_store import ProcessRow


@dataclass(frozen=True, slots=True)
class Running:
    """A process and the domain that runs it."""

    domain: str
    row: ProcessRow


def processes(
    mesh: Mesh, *, domain: str | None = None, statuses: Sequence[str] = (), prefix: str = "", limit: int = 100
) -> list[Running]:
    """The processes of the mesh's sagas, the last changed first in each domain; at most `limit` a domain."""
    found: list[Running] = []
    for owner in mesh.model.domains:
        if domain not in (None, owner.name):
            continue
        application = load(owner)
        if application is not None and application.sagas:
            rows = mesh.store(owner.name).processes(statuses=statuses, prefix=prefix, limit=limit)
            found += [Running(owner.name, row) for row in rows]
    return found


def find(mesh: Mesh, process_id: str) -> Running:
    """The process of that id. Raises ConfigError when there is none, or more than one begins so."""
    found = processes(mesh, prefix=process_id)
    exact = [running for running in found if running.row.process_id == process_id] or found
    if len(exact) != 1:
        raise ConfigError(
            f"{'no' if not exact else 'more than one'} saga has the id {process_id!r}",
            where=str(mesh.settings.root),
            expected="<saga>/<key>, or the beginning of one",
            fix="hanse saga list",
        )
    return exact[0]


def history(mesh: Mesh, running: Running) -> list[Recorded]:
    """What has happened to the process, oldest first; personal texts are ciphertexts."""
    return _service(mesh, running).history(Process, running.row.process_id)


def resume(mesh: Mesh, process_id: str) -> Running:
    """Let a stuck process try again; returns it as it is then. Raises CommandRejected when it is not stuck."""
    running = find(mesh, process_id)
    _service(mesh, running).handle(Resume(process_id=running.row.process_id, at=utc_now()))
    return find(mesh, running.row.process_id)


def abort(mesh: Mesh, process_id: str, reason: str) -> Running:
    """Make a process go back, or give up one that is stuck on its way back. Raises CommandRejected."""
    running = find(mesh, process_id)
    command = Abort(process_id=running.row.process_id, reason=reason, at=utc_now())
    _service(mesh, running).handle(command)
    return find(mesh, running.row.process_id)


def _service(mesh: Mesh, running: Running) -> ApplicationService:
    domain = mesh.model.domain(running.domain)
    application = load(domain) if domain is not None else None
    assert application is not None
    return ApplicationService(application, mesh.store(running.domain), mesh.keys)
