"""Plays a business through the whole mesh and reconciles the products with the input."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

from hanse.bootstrap import Mesh
from hanse.domain.demo import (
    SIMULATED_FROM,
    DemoReport,
    Timed,
    olist_streams,
    responding_streams,
    run,
    simulated_streams,
)
from hanse.domain.service import Accepted, Verdict
from hanse.errors import ConfigError
from hanse.runtime.inboxes import settle
from hanse.runtime.products import in_order, run_product
from hanse.runtime.reconcile import Recorder, Total, reconcile
from hanse.runtime.relays import relay_all

Progress = Callable[[str, int], None]

AFTERWARDS = timedelta(days=60)
"""After the simulated days the sagas act at this one moment, so that every run records the same."""


@dataclass(frozen=True, slots=True)
class Input:
    """What is played: a folder of the Olist files, or the simulator with its seed and days."""

    label: str
    directory: Path | None = None
    seed: int = 0
    days: int = 0

    @classmethod
    def olist(cls, directory: Path) -> Input:
        """The real rows in `directory`."""
        return cls(f"olist {directory.resolve()}", directory=directory)

    @classmethod
    def simulated(cls, seed: int, days: int) -> Input:
        """A simulated business."""
        return cls(f"simulated, seed {seed}, {days} days", seed=seed, days=days)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the way: how many of what, in how many seconds."""

    name: str
    count: int
    unit: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows were rejected or set aside, how many, and where to find some."""

    text: str
    count: int
    examples: list[str]


@dataclass(slots=True)
class Played:
    """The report of a demo. `rows` per file: read = accepted + rejected + set_aside."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    reasons: list[Reason] = field(default_factory=list[Reason])
    stages: list[Stage] = field(default_factory=list[Stage])
    totals: list[Total] = field(default_factory=list[Total])

    @property
    def reconciled(self) -> bool:
        """Every product's total equals plain SQL over the input."""
        return all(total.equal for total in self.totals)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def play(mesh: Mesh, source: Input, progress: Progress) -> Played:
    """Commands → events → topics → products → totals. May be killed and called again at any moment.

    Raises ConfigError when the mesh already holds another input.
    """
    note = mesh.settings.data / "demo.json"
    held = _claimed(note) if note.exists() else None
    if held not in (None, source.label):
        raise ConfigError(
            "this mesh already holds another input",
            where=str(mesh.settings.data),
            expected=source.label,
            got=held,
            fix="delete that folder, or choose another by HANSE_DATA",
        )
    played = Played()
    with Recorder() as recorder:
        played.stages.append(_command(mesh, source, recorder, played, progress))
        started = time.monotonic()
        relayed = relay_all(mesh, progress)
        played.stages.append(Stage("relay", relayed, "events", time.monotonic() - started))
        played.stages.append(_settle(mesh, source, recorder, played, progress))
        played.stages.append(_publish(mesh, progress))
        played.totals = reconcile(mesh, source.directory, recorder)
    return played


def _claim(path: Path, source: Input) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_text(json.dumps({"input": source.label}), encoding="utf-8")
    whole.replace(path)


def _claimed(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["input"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            "the note of which input the mesh holds cannot be read",
            where=str(path),
            got=str(error),
            fix="delete that folder, or choose another by HANSE_DATA",
        ) from error


def _command(mesh: Mesh, source: Input, recorder: Recorder, played: Played, progress: Progress) -> Stage:
    started = time.monotonic()
    if source.directory is not None:
        streams = olist_streams(mesh, source.directory)
    else:
        streams = simulated_streams(mesh, source.seed, source.days)
    begun = {name: _begun(stream) for name, stream in streams.items()}
    _claim(mesh.settings.data / "demo.json", source)
    record = _recording(recorder) if source.directory is None else None
    report = run(mesh, begun, lambda name, done: progress(f"commands to {name}", done), on_verdict=record)
    _tell(report, played)
    commands = sum(domain.commands for domain in report.domains.values())
    return Stage("commands", commands, "commands", time.monotonic() - started)


def _settle(mesh: Mesh, source: Input, recorder: Recorder, played: Played, progress: Progress) -> Stage:
    """Let the sagas ask, the simulated world respond, and the sagas end; then note what they asked for."""
    started = time.monotonic()
    if source.directory is not None:
        settled = settle(mesh, progress=progress)
    else:
        ended = SIMULATED_FROM + timedelta(days=source.days) + AFTERWARDS
        settled = settle(mesh, clock=lambda: ended, progress=progress)
        streams = responding_streams(mesh, source.seed, source.days)
        _tell(run(mesh, streams, on_verdict=_recording(recorder)), played)
        settled += settle(mesh, clock=lambda: ended, progress=progress)
        recorder.add_sent(mesh)
    return Stage("sagas", settled, "messages", time.monotonic() - started)


def _recording(recorder: Recorder) -> Callable[[str, Timed, Verdict], None]:
    def verdict(domain: str, timed: Timed, given: Verdict) -> None:
        recorder.add(domain, timed, accepted=isinstance(given, Accepted))

    return verdict


def _begun(stream: Iterable[Timed]) -> Iterator[Timed]:
    """The same stream with its first element read, for which every file was opened and its header seen."""
    rest = iter(stream)
    return chain(list(islice(rest, 1)), rest)


def _tell(report: DemoReport, played: Played) -> None:
    for domain, file in report.files:
        counts = played.rows.setdefault(
            f"{file.file} → {domain}", {"read": 0, "accepted": 0, "rejected": 0, "set_aside": 0}
        )
        counts["read"] += file.rows
        counts["accepted"] += file.accepted
        counts["rejected"] += file.rejected.total()
        counts["set_aside"] += file.set_aside.total()
        examples = report.domains[domain].examples
        for reason, count in [*file.rejected.items(), *file.set_aside.items()]:
            played.reasons.append(Reason(reason, count, [e for e in examples[reason] if file.file in e][:2]))


def _publish(mesh: Mesh, progress: Progress) -> Stage:
    started = time.monotonic()
    records = 0
    for product in in_order(mesh.model):
        result = run_product(mesh, product.full_name)
        if result.rejected:
            raise result.rejected
        records += result.records
        progress(f"records into {product.full_name}", result.records)
    return Stage("products", records, "records", time.monotonic() - started)
