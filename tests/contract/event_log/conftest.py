"""One suite for every adapter of the event log. `log` is the adapter, `place` where others find it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hanse.adapters.logs import open_log
from hanse.ports.event_log import EventLog, TopicSpec
from hanse.settings import Settings

_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where a log is: settings for this process, a folder and an address for another."""

    root: Path
    address: str

    def open(self) -> EventLog:
        """A new handle on the log, as another process would have it."""
        return open_log(Settings(root=self.root, data=self.root / ".hanse", log=self.address))


ADAPTERS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("kafka", id="kafka", marks=pytest.mark.kafka),
    pytest.param("kafka-columnar", id="kafka-columnar", marks=pytest.mark.kafka),
]


@pytest.fixture(params=ADAPTERS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An event log of the adapter under test."""
    if request.param.startswith("kafka"):
        reader = "columnar" if request.param == "kafka-columnar" else "confluent"
        return Place(tmp_path, f"{request.getfixturevalue('kafka_address')}?reader={reader}")
    return Place(tmp_path, "sqlite:")


@pytest.fixture
def log(place: Place) -> Iterator[EventLog]:
    """A handle on it."""
    opened = place.open()
    yield opened
    opened.close()


@pytest.fixture
def make(log: EventLog) -> Iterator[Callable[..., str]]:
    """Makes a topic with a name of its own; returns the name."""
    made: list[str] = []

    def topic(**settings: object) -> str:
        spec = TopicSpec(name=f"suite.topic_{next(_numbers)}", **settings)  # type: ignore[arg-type]
        made.append(log.create_topic(spec).spec.name)
        return made[-1]

    yield topic
    there = {info.spec.name for info in log.topics()}
    for name in made:
        if name in there:
            log.delete_topic(name)
