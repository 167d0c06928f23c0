"""`hanse domain feed`: commands from a file of JSON lines, handled by the domain and relayed to the log."""

from __future__ import annotations

import json
import types
import uuid
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hanse.domain import Application, ApplicationService, Command, Rejected, Request, load
from hanse.errors import CommandRejected, ConfigError

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh

EXAMPLES = "examples/commands.jsonl"
_MAX_BYTES = 50_000_000
_NAMESPACE = uuid.UUID("9a1be1f4-31b6-4c39-9e6b-16a7b7f1d0f2")
_TEXTUAL: dict[type, Callable[[str], Any]] = {
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
}


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
    known = {cls.__name__: cls for cls in application.commands}
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


def build(cls: type[Command], body: dict[str, Any], where: str) -> Any:
    """A command of JSON values. Raises ConfigError for fields it lacks, CommandRejected by its own checks."""
    hints = get_type_hints(cls, include_extras=True)
    wanted = {f.name: f for f in fields(cls)}  # pyright: ignore[reportArgumentType]
    unknown = body.keys() - wanted.keys()
    missing = [n for n, f in wanted.items() if n not in body and f.default is MISSING]
    if unknown or missing:
        what = f"{cls.__name__} has no field {min(unknown)!r}" if unknown else f"{missing[0]!r} is missing"
        raise ConfigError(what, where=where, expected=", ".join(wanted))
    values = {name: _value(hints[name], given, f"{where} {name}") for name, given in body.items()}
    try:
        return cls(**values)
    except (TypeError, AttributeError) as error:  # its own checks expect the types of its fields
        raise CommandRejected("command-malformed", f"{cls.__name__}: {error}") from error


def _value(hint: Any, given: Any, where: str) -> Any:
    kind: Any = _strip(hint)
    if given is None:
        return None
    if isinstance(given, dict) and is_dataclass(kind):
        return build(_strip(hint), given, where)
    if get_origin(kind) is tuple and isinstance(given, list):
        return tuple(_value(get_args(kind)[0], item, where) for item in given)
    convert = _TEXTUAL.get(_strip(hint))
    if convert is None or not isinstance(given, str):
        return given
    try:
        return convert(given)
    except (ValueError, InvalidOperation) as error:
        raise ConfigError(
            "the value cannot be read", where=where, expected=str(hint), got=given[:100]
        ) from error


def _strip(hint: Any) -> Any:
    """The type behind `Annotated` and `| None`."""
    if get_origin(hint) is Annotated:
        return _strip(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        inner = [a for a in get_args(hint) if a is not type(None)]
        return _strip(inner[0]) if len(inner) == 1 else hint
    return hint
