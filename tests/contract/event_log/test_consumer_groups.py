"""Consumer groups of the event log: shared partitions, durable offsets, nothing lost and nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from hanse.errors import UnknownTopic
from hanse.ports.event_log import EventLog, GroupReader, Record

from .conftest import Place

Make = Callable[..., str]


def fill(log: EventLog, topic: str, first: int, last: int, partitions: int = 4) -> None:
    log.produce(topic, [Record(str(n).encode(), partition=n % partitions) for n in range(first, last)])


def drain(
    member: GroupReader, *, commit: bool = True, limit: int = 1_000, seconds: float = 20.0
) -> list[int]:
    """What the member gets until it has caught up."""
    found: list[int] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rows = member.poll(limit, 200)
        found += [int(value) for value in rows.column("value").to_pylist()]
        if rows.num_rows and commit:
            member.commit()
        if not rows.num_rows and member.caught_up:
            return found
    raise AssertionError(f"not caught up in {seconds} s, after {len(found)} records")


def test_a_group_goes_on_where_it_committed(log: EventLog, place: Place, make: Make) -> None:
    topic, group = make(partitions=4), uuid.uuid4().hex
    fill(log, topic, 0, 40)
    first = log.join_group(topic, group, {})
    assert sorted(drain(first, limit=7)) == list(range(40))
    first.close()
    fill(log, topic, 40, 50)
    other = place.open()
    again = other.join_group(topic, group, {})
    assert sorted(drain(again)) == list(range(40, 50))
    again.close()
    another = other.join_group(topic, f"{group}-2", {0: 12, 1: 12, 2: 12, 3: 12})
    assert sorted(drain(another)) == [48, 49]
    another.close()
    other.close()


def test_what_is_not_committed_comes_again(log: EventLog, make: Make) -> None:
    topic, group = make(partitions=2), uuid.uuid4().hex
    fill(log, topic, 0, 10, 2)
    careless = log.join_group(topic, group, {})
    assert len(drain(careless, commit=False)) == 10
    careless.close()
    careful = log.join_group(topic, group, {})
    assert sorted(drain(careful)) == list(range(10))
    careful.close()


def test_members_share_the_partitions(log: EventLog, place: Place, make: Make) -> None:
    topic, group = make(partitions=4), uuid.uuid4().hex
    fill(log, topic, 0, 40)
    one = log.join_group(topic, group, {})
    assert sorted(drain(one)) == list(range(40))
    elsewhere = place.open()
    two = elsewhere.join_group(topic, group, {})
    deadline = time.monotonic() + 30
    while not two.caught_up and time.monotonic() < deadline:  # both poll while partitions move
        assert one.poll(100, 50).num_rows == two.poll(100, 50).num_rows == 0
    fill(log, topic, 40, 120)
    parts: tuple[list[int], list[int]] = ([], [])
    while sum(map(len, parts)) < 80 and time.monotonic() < deadline:
        for member, found in zip((one, two), parts, strict=True):
            rows = member.poll(100, 100)
            found += [int(value) for value in rows.column("value").to_pylist()]
            member.commit()
    assert sorted(parts[0] + parts[1]) == list(range(40, 120))
    assert {n % 4 for n in parts[0]}.isdisjoint({n % 4 for n in parts[1]})
    assert parts[0]
    assert parts[1]
    one.close()
    fill(log, topic, 120, 160)
    rest: list[int] = []
    while len(rest) < 40 and time.monotonic() < deadline:  # the broker tells of a leaver a moment later
        rest += drain(two)
    assert sorted(rest) == list(range(120, 160))
    two.close()
    elsewhere.close()


def test_a_group_of_a_topic_that_is_not_there(log: EventLog) -> None:
    with pytest.raises(UnknownTopic):
        log.join_group(f"no.{uuid.uuid4().hex}", "g", {})


def command(place: Place, *arguments: str) -> list[str]:
    (place.root / "hanse.toml").write_text(f'log = "{place.address}"\n')
    return [sys.executable, "-m", "hanse", "log", "tail", *arguments]


def tail(place: Place, *arguments: str) -> list[int]:
    done = subprocess.run(
        command(place, *arguments), cwd=place.root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return sorted(json.loads(line)["value"] for line in done.stdout.splitlines())


def test_the_command_resumes_and_ends_cleanly_on_an_interrupt(
    log: EventLog, place: Place, make: Make
) -> None:
    if "columnar" in place.address:
        pytest.skip("groups have one reader on Kafka, whichever reads by offsets")
    topic, group = make(partitions=4), uuid.uuid4().hex
    fill(log, topic, 0, 30)
    first = tail(place, topic, "--group", group, "-n", "12", "--json")
    assert len(first) == 12
    arguments = (topic, "--group", group, "--json", "--follow")
    with subprocess.Popen(
        command(place, *arguments), cwd=place.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        followed = [json.loads(process.stdout.readline())["value"] for _ in range(18)]
        fill(log, topic, 30, 35)
        followed += [json.loads(process.stdout.readline())["value"] for _ in range(5)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert sorted(first + followed) == list(range(35))
    fill(log, topic, 35, 40)
    assert tail(place, topic, "--group", group, "--json") == list(range(35, 40))
    assert tail(place, topic, "--group", f"{group}-end", "--from", "end", "--json") == []


def test_the_command_from_a_moment(log: EventLog, tmp_path: Path, place: Place, make: Make) -> None:
    if place.address != "sqlite:":
        pytest.skip("where a moment lies is the log's own contract; the command is the same")
    assert tmp_path == place.root
    topic = make(partitions=1)
    log.produce(
        topic, [Record(str(n).encode(), timestamp_ms=1_700_000_000_000 + 1_000 * n) for n in range(10)]
    )
    assert tail(place, topic, "--from", "2023-11-14T22:13:27", "--json") == [7, 8, 9]
    assert tail(place, topic, "--from", "beginning", "-n", "3", "--json") == [0, 1, 2]
    refused = subprocess.run(
        command(place, topic, "--from", "x"), cwd=place.root, capture_output=True, text=True
    )
    assert (refused.returncode, "beginning, end" in refused.stderr) == (1, True)
