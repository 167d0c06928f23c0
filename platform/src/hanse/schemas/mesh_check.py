"""The mesh's event schemas against what is in force: the registry, or another state of the repository."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hanse.errors import ConfigError, SchemaError
from hanse.model.mesh import MeshModel, Topic
from hanse.ports.schema_registry import SchemaRegistry
from hanse.schemas.finding import Finding
from hanse.schemas.formats import check, parse
from hanse.schemas.text import check_size

Status = Literal["new", "unchanged", "compatible", "incompatible", "invalid"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One schema file and what came of it; `problem` is set when it cannot be understood."""

    path: str
    subject: str
    status: Status
    findings: tuple[Finding, ...] = ()
    problem: str | None = None

    @property
    def good(self) -> bool:
        """Whether it may be registered."""
        return self.status not in {"incompatible", "invalid"}

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "path": self.path,
            "subject": self.subject,
            "status": self.status,
            "findings": [f.as_dict() for f in self.findings],
            "problem": self.problem,
        }


def check_against_registry(
    model: MeshModel, registry: SchemaRegistry, mode: str | None = None
) -> list[Checked]:
    """Every declared topic's schema against the registered versions of its subject.

    `mode` None takes the registry's own setting for the subject where it tells, otherwise BACKWARD.
    """
    return [_against_registry(model.root, topic, registry, mode) for topic in _topics(model)]


def check_against_ref(model: MeshModel, ref: str, mode: str = "BACKWARD") -> list[Checked]:
    """Every event schema against its text at a git revision; a schema that is gone counts as incompatible.

    Raises ConfigError when git does not know the revision.
    """
    before = _texts_at(model.root, ref)
    subjects = {_relative(model.root, t.schema_path): t.subject for t in _topics(model)}
    found = [
        _against_text(model.root / path, path, subject, before.get(path), mode)
        for path, subject in sorted(subjects.items())
    ]
    for path in sorted(before.keys() - subjects.keys()):
        if not (model.root / path).is_file():
            text = "readers of the topic still need the schema"
            gone = Finding("$", "SCHEMA_REMOVED", path, "absent", text)
            found.append(Checked(path, "", "incompatible", (gone,)))
    return found


def _topics(model: MeshModel) -> Iterable[Topic]:
    return [topic for domain in model.domains for topic in domain.own_topics]


def _against_registry(root: Path, topic: Topic, registry: SchemaRegistry, mode: str | None) -> Checked:
    path = _relative(root, topic.schema_path)
    try:
        versions = registry.versions(topic.subject)
        new = parse("AVRO", read_schema(topic.schema_path), strict=True)
        history = [(v.version, parse(v.schema_type, v.schema)) for v in versions]
        asked = getattr(registry, "compatibility", None)
        in_force = mode or (asked(topic.subject) if asked else "BACKWARD")
        if history and history[-1][1].canonical == new.canonical:
            return Checked(path, topic.subject, "unchanged")
        findings = tuple(check(new, history, in_force))
    except SchemaError as error:
        return Checked(path, topic.subject, "invalid", problem=str(error))
    status = "incompatible" if findings else "compatible" if history else "new"
    return Checked(path, topic.subject, status, findings)


def _against_text(file: Path, path: str, subject: str, before: str | None, mode: str) -> Checked:
    try:
        new = parse("AVRO", read_schema(file), strict=True)
        if before is None:
            return Checked(path, subject, "new")
        old = parse("AVRO", before)
        if old.canonical == new.canonical:
            return Checked(path, subject, "unchanged")
        findings = tuple(check(new, [(None, old)], mode))
    except SchemaError as error:
        return Checked(path, subject, "invalid", problem=str(error))
    return Checked(path, subject, "incompatible" if findings else "compatible", findings)


def read_schema(path: Path) -> str:
    """A schema file's text. Raises SchemaError when it is missing, too large or not UTF-8."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError("the schema file cannot be read", where=str(path), got=str(error)) from error
    check_size(text)
    return text


def _texts_at(root: Path, ref: str) -> dict[str, str]:
    listed = _git(root, "ls-tree", "-r", "--name-only", ref, "--", "domains")
    paths = [p for p in listed.splitlines() if p.endswith(".avsc") and "/events/" in p]
    return {path: _git(root, "show", f"{ref}:./{path}") for path in paths}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError("git cannot be run", where=str(root), got=str(error)) from error
    if done.returncode:
        raise ConfigError(
            "git does not know that state of the mesh",
            where=str(root),
            got=done.stderr.strip()[:300],
            fix="give a branch, tag or commit that has been fetched",
        )
    return done.stdout


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
