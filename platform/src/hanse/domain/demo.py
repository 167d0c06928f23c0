"""Streams of timed commands that play a business, and the driver that sends them to the services.

A domain's module `demo` offers `olist(directory)` and `simulate(seed, days)`; each yields `Timed` in the
order of arrival. Command ids are derived from the rows, so a run that was killed is simply started again.
"""

from __future__ import annotations

import heapq
import random
import uuid
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hanse.domain.discovery import load, load_module
from hanse.domain.messages import Command
from hanse.domain.service import Accepted, ApplicationService, Request, Verdict
from hanse.errors import ConfigError

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh

BATCH = 2_000
EXAMPLES = 3

_NAMESPACE = uuid.UUID("0d1f6a0e-5a0b-4c3c-8a55-6f2a7f0f8f11")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of input: the file's name and the line on which it starts, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rows that no command can be made of, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Timed:
    """A command, or rows set aside, at the moment (UTC) it reaches the domain.

    `rows` are the rows of input behind it: one row may lead to several commands, and several rows to one.
    `identity` makes the command id: equal identities are one command, sent again.
    """

    at: datetime
    rows: tuple[Row, ...]
    outcome: Command | SetAside
    identity: str = ""

    @property
    def command_id(self) -> uuid.UUID:
        """The same whenever the same input is read."""
        return command_id(self.identity or f"{type(self.outcome).__name__}/{'+'.join(map(str, self.rows))}")


def command_id(identity: str) -> uuid.UUID:
    """The command id of an identity."""
    return uuid.uuid5(_NAMESPACE, identity)


@dataclass(slots=True)
class FileReport:
    """The rows of one file by what became of them.

    A row counts once: rejected when any of its commands was, else set aside when any part of it was, else
    accepted. So `accepted + rejected + set_aside == rows`.
    """

    file: str
    rows: int = 0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    set_aside: Counter[str] = field(default_factory=Counter[str])


@dataclass(slots=True)
class DomainReport:
    """What a domain made of its input: by file and row, and by command. Duplicates repeat a verdict."""

    domain: str
    files: dict[str, FileReport] = field(default_factory=dict[str, FileReport])
    commands: int = 0
    accepted: Counter[str] = field(default_factory=Counter[str])
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    duplicates: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@dataclass(slots=True)
class DemoReport:
    """The reports of all domains. `balanced` says that no row vanished."""

    domains: dict[str, DomainReport] = field(default_factory=dict[str, DomainReport])

    @property
    def files(self) -> list[tuple[str, FileReport]]:
        """(domain, file) in order of reading."""
        return [(name, file) for name, report in self.domains.items() for file in report.files.values()]

    @property
    def rows(self) -> int:
        """Rows read in all files."""
        return sum(file.rows for _, file in self.files)

    @property
    def accepted(self) -> int:
        """Rows all of whose commands were accepted."""
        return sum(file.accepted for _, file in self.files)

    @property
    def rejected(self) -> int:
        """Rows of which a rule rejected a command."""
        return sum(file.rejected.total() for _, file in self.files)

    @property
    def set_aside(self) -> int:
        """Rows of which no command, or not every command, could be made."""
        return sum(file.set_aside.total() for _, file in self.files)

    @property
    def balanced(self) -> bool:
        """accepted + rejected + set aside = rows read, file by file."""
        return all(
            file.accepted + file.rejected.total() + file.set_aside.total() == file.rows
            for _, file in self.files
        )


Progress = Callable[[str, int], None]
"""Called with a domain's name and the number of its commands handled so far."""

_ACCEPTED, _SET_ASIDE, _REJECTED = 0, 1, 2


WINDOW = 200_000
"""Commands of a domain among which one that comes again is known as a repetition, at the least."""
_REASONS = 1 << 14


class _Tally:
    """Follows each row's worst outcome until the end of the run, in two bytes a row."""

    def __init__(self, domain: str) -> None:
        self.report = DomainReport(domain)
        self._rows: dict[str, array[int]] = {}
        self._reasons: dict[str, int] = {}
        self._seen: tuple[set[uuid.UUID], set[uuid.UUID]] = (set(), set())

    def set_aside(self, timed: Timed, reason: str) -> None:
        self._mark(timed.rows, _SET_ASIDE, reason)
        self._example(reason, timed.rows)

    def verdict(self, timed: Timed, verdict: Verdict) -> None:
        report = self.report
        name = type(timed.outcome).__name__
        report.commands += 1
        report.duplicates += self._repeated(verdict.command_id)
        if isinstance(verdict, Accepted):
            report.accepted[name] += 1
            self._mark(timed.rows, _ACCEPTED, "")
        else:
            report.rejected[name, verdict.rule] += 1
            self._mark(timed.rows, _REJECTED, verdict.rule)
            self._example(verdict.rule, timed.rows)

    def close(self) -> DomainReport:
        reasons = list(self._reasons)
        for file, lines in self._rows.items():
            marks = Counter(lines)
            report = self.report.files[file] = FileReport(file, rows=len(lines) - marks.pop(0, 0))
            for mark, count in marks.items():
                severity, reason = mark // _REASONS, reasons[mark % _REASONS - 1]
                if severity == _REJECTED:
                    report.rejected[reason] += count
                elif severity == _SET_ASIDE:
                    report.set_aside[reason] += count
                else:
                    report.accepted += count
        return self.report

    def _repeated(self, command: uuid.UUID) -> bool:
        newer, older = self._seen
        again = command in newer or command in older
        newer.add(command)
        if len(newer) >= WINDOW:
            self._seen = (set(), newer)
        return again

    def _mark(self, rows: Iterable[Row], severity: int, reason: str) -> None:
        number = self._reasons.setdefault(reason, len(self._reasons))
        mark = severity * _REASONS + number + 1
        assert number + 1 < _REASONS
        for row in rows:
            lines = self._rows.setdefault(row.file, array("H"))
            if row.line >= len(lines):
                lines.extend([0] * (row.line + 1 - len(lines)))
            if mark // _REASONS > lines[row.line] // _REASONS or not lines[row.line]:
                lines[row.line] = mark

    def _example(self, reason: str, rows: Sequence[Row]) -> None:
        examples = self.report.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES and rows:
            examples.append(str(rows[0]))


def run(
    mesh: Mesh,
    streams: Mapping[str, Iterable[Timed]],
    progress: Progress | None = None,
    *,
    batch: int = BATCH,
    on_verdict: Callable[[str, Timed, Verdict], None] | None = None,
) -> DemoReport:
    """Merge the domains' streams by time and send their commands to the services, in batches.

    Each batch is one commit per domain. What was handled in an earlier run gets its first verdict again, so
    the report of a run that was interrupted and repeated is the report of one that was not.
    """
    services = {name: _service(mesh, name) for name in streams}
    tallies = {name: _Tally(name) for name in streams}
    merged = heapq.merge(*(_named(name, stream) for name, stream in streams.items()), key=_moment)
    while chunk := list(islice(merged, batch)):
        for name, service in services.items():
            handled = _send(service, tallies[name], [timed for domain, timed in chunk if domain == name])
            if on_verdict is not None:
                for timed, verdict in handled:
                    on_verdict(name, timed, verdict)
            if progress is not None:
                progress(name, tallies[name].report.commands)
    return DemoReport({name: tally.close() for name, tally in tallies.items()})


def olist_streams(mesh: Mesh, directory: Path) -> dict[str, Iterator[Timed]]:
    """For each domain that can read the Olist files, its stream from that folder. Raises ConfigError."""
    if not directory.is_dir():
        raise ConfigError("the folder of input files does not exist", where=str(directory))
    return {name: module.olist(directory) for name, module in _required(mesh, "olist").items()}


def simulated_streams(mesh: Mesh, seed: int, days: int = 30) -> dict[str, Iterator[Timed]]:
    """For each domain that can play the business, its stream. The same seed gives the same streams."""
    return {name: module.simulate(seed, days) for name, module in _required(mesh, "simulate").items()}


def responding_streams(mesh: Mesh, seed: int, days: int = 30) -> dict[str, Iterator[Timed]]:
    """For each domain of which sagas ask something, what the simulated world does about it, if any."""
    return {name: module.respond(seed, days) for name, module in _demos(mesh, "respond").items()}


@dataclass(frozen=True, slots=True)
class Shopper:
    """One of the people of a simulated business: the same in every domain, by seed and number."""

    customer_id: str
    name: str
    email: str
    street: str
    postal_code: str
    city: str
    state: str


_NAMES = ("Ana", "Bruno", "Carla", "Diego", "Elisa", "Fabio", "Gloria", "Hugo", "Ines", "Joao", "Livia")
_FAMILIES = ("Alves", "Barros", "Costa", "Dias", "Freitas", "Gomes", "Lima", "Moura", "Nunes", "Rocha")
_CITIES = (
    ("sao paulo", "SP"),
    ("campinas", "SP"),
    ("santos", "SP"),
    ("rio de janeiro", "RJ"),
    ("niteroi", "RJ"),
    ("belo horizonte", "MG"),
    ("curitiba", "PR"),
    ("porto alegre", "RS"),
    ("salvador", "BA"),
    ("recife", "PE"),
)

SIMULATED_FROM = datetime(2026, 1, 5, tzinfo=UTC)
SHOPPERS_A_DAY = 40


def shopper_joins(number: int) -> datetime:
    """When the shopper of that number first comes to the simulated shop; they come one after the other."""
    return SIMULATED_FROM + timedelta(days=1) * number / SHOPPERS_A_DAY


def shopper(seed: int, number: int) -> Shopper:
    """The shopper of that number in the business of that seed."""
    draw = random.Random(f"{seed}/shopper/{number}")  # noqa: S311
    name, family = draw.choice(_NAMES), draw.choice(_FAMILIES)
    city, state = draw.choice(_CITIES)
    return Shopper(
        customer_id=f"shopper-{seed}-{number:05d}",
        name=f"{name} {family}",
        email=f"{name}.{family}.{number}@mail.example".lower(),
        street=f"Rua {draw.choice(_FAMILIES)} {draw.randint(1, 999)}",
        postal_code=f"{draw.randint(1_000, 99_999):05d}",
        city=city,
        state=state,
    )


def arrivals(
    draw: random.Random,
    file: str,
    lives: Iterable[tuple[datetime, Iterable[tuple[datetime, Command, str]]]],
    delay: Callable[[random.Random], timedelta],
) -> Iterator[Timed]:
    """What was sent (when, which command, by which identity), in the order in which it arrives.

    `lives` are (beginning, what is sent) of orders, people and the like, ordered by beginning; nothing is
    sent before its life begins. So what waits in memory is what is under way, however long the stream is.
    Each message comes after its `delay`, and one in fifty comes a second time within two minutes. Each is a
    row of the made-up `file`.
    """
    waiting: list[tuple[datetime, int, Command, str]] = []
    line = number = 0
    for begins, sent in chain(lives, [(None, ())]):
        while waiting and (begins is None or waiting[0][0] < begins):
            at, _, command, identity = heapq.heappop(waiting)
            line += 1
            yield Timed(at, (Row(file, line),), command, identity)
        for at, command, identity in sent:
            arrival = at + delay(draw)
            heapq.heappush(waiting, (arrival, number := number + 1, command, identity))
            if draw.random() < 0.02:
                again = arrival + timedelta(seconds=draw.randint(1, 120))
                heapq.heappush(waiting, (again, number := number + 1, command, identity))


def _demos(mesh: Mesh, function: str) -> dict[str, ModuleType]:
    found: dict[str, ModuleType] = {}
    for domain in mesh.model.domains:
        module = load_module(domain, "demo")
        if module is not None and hasattr(module, function):
            found[domain.name] = module
    return found


def _required(mesh: Mesh, function: str) -> dict[str, ModuleType]:
    found = _demos(mesh, function)
    if not found:
        raise ConfigError(
            f"no domain of the mesh has a demo with {function!r}", where=str(mesh.settings.root)
        )
    return found


def _service(mesh: Mesh, name: str) -> ApplicationService:
    domain = mesh.model.domain(name)
    application = load(domain) if domain else None
    if application is None:
        raise ConfigError(f"the domain {name!r} has no application to send commands to")
    return ApplicationService(application, mesh.store(name), mesh.keys)


def _named(name: str, stream: Iterable[Timed]) -> Iterator[tuple[str, Timed]]:
    return ((name, timed) for timed in stream)


def _moment(named: tuple[str, Timed]) -> datetime:
    return named[1].at


def _send(service: ApplicationService, tally: _Tally, chunk: Sequence[Timed]) -> list[tuple[Timed, Verdict]]:
    commands: list[Timed] = []
    requests: list[Request] = []
    for timed in chunk:
        if isinstance(timed.outcome, SetAside):
            tally.set_aside(timed, timed.outcome.reason)
        else:
            commands.append(timed)
            requests.append(Request(timed.outcome, timed.command_id, timed.at))
    verdicts = service.handle_many(requests) if requests else []
    handled = list(zip(commands, verdicts, strict=True))
    for timed, verdict in handled:
        tally.verdict(timed, verdict)
    return handled
