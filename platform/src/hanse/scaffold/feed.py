"""`hanse domain feed`: commands from a file of JSON lines, handled by the domain and relayed to the log."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.domain import Application, ApplicationService, Rejected, Request, load
from hanse.domain.building import build
from hanse.errors import CommandRejected, ConfigError

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh

EXAMPLES = "examples/commands.jsonl"
_MAX_BYTES = 50_000_000
_NAMESPACE = uuid.UUID("9a1be1f4-31b6-4c39-9e6b-16a7b7f1d0f2")


@dataclass(frozen=True, slots=True)
class Fed:
    """How many commands were accepted, which were rejected (line, rule, message), records on the log."""

    accepted: int
    rejected: list[tuple[int, str, str]]
    records: int


def feed(mesh: Mesh, name: str, file: Path | None = None) -> Fed:
    """Send the commands of a file to a domain and relay. Raises ConfigError: no such domain, a bad line."""
    from hanse.relay import relay_domain

    domain = mesh.model.domain(name)
    if domain is None:
        raise ConfigError(
            f"there is no domain {name}", expected=", ".join(d.name for d in mesh.model.domains)
        )
    application = load(domain)
    if application is None:
        raise ConfigError(f"{name} has no Python module, so nobody decides", where=str(domain.directory))
    path = file or domain.directory / EXAMPLES
    lines = list(_lines(path, application))
    service = ApplicationService(application, mesh.store(name), mesh.keys)
    requests = [(line, r) for line, r in lines if isinstance(r, Request)]
    verdicts = service.handle_many([r for _, r in requests])
    rejected = [(line, r.rule, r.message) for line, r in lines if isinstance(r, CommandRejected)]
    for (line, _), verdict in zip(requests, verdicts, strict=True):
        if isinstance(verdict, Rejected):
            rejected.append((line, verdict.rule, verdict.message))
    relayed = relay_domain(mesh, name)
    return Fed(len(lines) - len(rejected), sorted(rejected), relayed.records)


def _lines(path: Path, application: Application) -> Iterator[tuple[int, Request | CommandRejected]]:
    """Each line as a request, or as the rejection of a value that cannot be."""
    known = application.accepts
    for number, text in enumerate(_text(path).split("\n"), 1):
        if not text.strip():
            continue
        where = f"{path}:{number}"
        try:
            body: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError("the line is not JSON", where=where, got=str(error)) from error
        named: Any = body.get("command") if isinstance(body, dict) else body
        if not isinstance(body, dict) or type(named) is not str or named not in known:
            got = ascii(named)[:100]
            raise ConfigError("the line names no command", where=where, expected=", ".join(known), got=got)
        cls = known[body.pop("command")]
        command_id = uuid.uuid5(_NAMESPACE, f"{application.name}\0{number}\0{text}")
        try:
            yield number, Request(build(cls, body, where), command_id)
        except CommandRejected as rejection:
            yield number, rejection


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(
                "the file is too large", where=str(path), expected=f"at most {_MAX_BYTES} bytes"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the commands cannot be read", where=str(path), got=str(error)) from error
