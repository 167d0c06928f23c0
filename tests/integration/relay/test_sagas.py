"""Sagas over a real log and real stores: forward, back, stuck, late, repeated, and with a service down."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hanse.domain.process import processes_of
from hanse.domain.process_messages import Abort, CommandSent, Resume
from hanse.errors import CommandRejected
from hanse.ports.event_log import Record
from helpers.saga_world import NOW, Cancel, Pay, Place, World

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where the system has that: hundreds of commits, none of which the machine need survive."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    world = World(folder)
    yield world
    world.close()


def test_a_saga_goes_from_record_to_command_to_its_end(world: World) -> None:
    world.do(Place(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("running", "payment")
    world.do(Pay(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("completed", "ship")
    assert world.did("s1") == (("Place", "Pay", "Thank"), ("Reserve", "Ship"))


def test_a_record_that_comes_early_is_kept_until_it_is_wanted(world: World) -> None:
    world.do(Place(sale_id="s1"), Pay(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("completed", "ship")


def test_a_step_that_fails_turns_the_saga_back(world: World) -> None:
    world.do(Place(sale_id="short-1"))
    world.settle()
    assert world.status("short-1") == ("compensated", "reserve")
    assert world.did("short-1")[1] == ("Short",)


def test_a_record_that_aborts_undoes_in_reverse_order(world: World) -> None:
    world.do(Place(sale_id="unshippable-1"), Pay(sale_id="unshippable-1"))
    world.settle()
    assert world.status("unshippable-1") == ("running", "ship")  # its command is tried again later
    world.do(Cancel(sale_id="unshippable-1"))
    world.settle()
    assert world.status("unshippable-1") == ("compensated", "reserve")
    sale, stock = world.did("unshippable-1")
    assert (sale, stock) == (("Place", "Pay", "Cancel", "Refund"), ("Reserve", "Release"))
    assert [name for name, undo in commands(world, "unshippable-1") if undo] == ["Refund", "Release"]


def commands(world: World, sale: str) -> list[tuple[str, bool]]:
    """The commands that the saga sent, and whether on its way back."""
    recorded = world.services["sales"].history(processes_of({}), f"sell/{sale}")
    return [(r.event.command, r.event.undo) for r in recorded if isinstance(r.event, CommandSent)]


def test_a_refused_command_is_tried_again_after_a_pause_and_then_fails(world: World) -> None:
    world.do(Place(sale_id="unshippable-2"), Pay(sale_id="unshippable-2"))
    world.settle()
    [row] = world.stores["sales"].processes(prefix="sell/")
    assert row.due_at == round((world.at.timestamp() + 60) * 1000)
    world.later(seconds=59)
    assert world.status("unshippable-2") == ("running", "ship")
    world.later(seconds=2)
    assert world.status("unshippable-2") == ("compensated", "reserve")
    assert [c for c, _ in commands(world, "unshippable-2")] == [
        "Reserve",
        "Ship",
        "Ship",
        "Refund",
        "Release",
    ]


def test_a_deadline_survives_a_restart(world: World) -> None:
    world.do(Place(sale_id="s1"))
    world.settle()
    world.close()
    again = World(world.root, at=NOW + timedelta(days=4))
    again.settle()
    assert again.status("s1") == ("compensated", "reserve")
    assert again.did("s1") == (("Place",), ("Reserve", "Release"))
    again.close()


def test_a_saga_that_is_stuck_on_its_way_back_is_listed_resumed_and_given_up(world: World) -> None:
    sale = "unshippable-held-1"
    world.do(Place(sale_id=sale), Pay(sale_id=sale))
    world.settle()
    for _ in range(12):
        world.later(minutes=30)
    [row] = world.stores["sales"].processes(statuses=["stuck"])
    assert row.process_id == f"sell/{sale}"
    assert "held: it is held" in row.reason
    assert row.due_at is None
    service = world.services["sales"]
    service.handle(Resume(process_id=row.process_id, at=world.at))
    world.settle()
    assert world.status(sale) == ("compensating", "reserve")
    for _ in range(12):
        world.later(minutes=30)
    service.handle(Abort(process_id=row.process_id, reason="by hand", at=world.at))
    assert world.status(sale) == ("aborted", "reserve")
    with pytest.raises(CommandRejected, match="saga-ended"):
        service.handle(Abort(process_id=row.process_id, reason="again", at=world.at))


def test_a_running_saga_that_is_aborted_goes_back(world: World) -> None:
    world.do(Place(sale_id="s1"))
    world.settle()
    world.services["sales"].handle(Abort(process_id="sell/s1", reason="the shop closes", at=world.at))
    world.settle()
    assert world.status("s1") == ("compensated", "reserve")
    assert world.did("s1") == (("Place",), ("Reserve", "Release"))


def test_a_service_that_is_down_is_ridden_out(world: World) -> None:
    world.do(Place(sale_id="s1"), Pay(sale_id="s1"))
    world.settle("sales")
    assert world.status("s1") == ("running", "reserve")
    world.settle("stock")
    world.settle("sales")
    assert world.status("s1") == ("running", "ship")
    world.settle()
    assert world.status("s1") == ("completed", "ship")


def test_records_that_come_again_and_in_another_order_change_nothing(world: World) -> None:
    world.do(Place(sale_id="s1"), Pay(sale_id="s1"))
    world.settle()
    before = [store.head() for store in world.stores.values()]
    for info in world.log.topics():
        name = info.spec.name
        rows = world.log.read(name, dict.fromkeys(world.log.ranges(name), 0)).rows
        for row in reversed(rows.to_pylist()):
            headers = tuple((h["name"], h["value"]) for h in row["headers"])
            world.log.produce(name, [Record(row["value"], row["key"], headers)])
    world.settle()
    assert [store.head() for store in world.stores.values()] == before


class Crash(BaseException):
    """The process dies here."""


def crash_after(world: World, number: int) -> None:
    """Die when the `number`-th durable step from now is taken, which is also just before the next one."""
    left = [number]

    def guard(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def step(*arguments: object, **named: object) -> object:
            result = real(*arguments, **named)
            left[0] -= 1
            if not left[0]:
                raise Crash
            return result

        setattr(owner, name, step)

    for store in world.stores.values():
        guard(store, "append")
        guard(store, "mark_relayed")
    guard(world.log, "produce_table")


@pytest.mark.parametrize("sale", ["s1", "short-1", pytest.param("unshippable-1", marks=pytest.mark.slow)])
def test_a_crash_at_every_step_changes_no_end(folder: Path, sale: str) -> None:
    ends = set()
    number, crashed = 0, True
    while crashed:
        number, crashed = number + 1, False
        root = folder / str(number)
        root.mkdir()
        world = World(root)
        world.do(Place(sale_id=sale), Pay(sale_id=sale))
        crash_after(world, number)
        try:
            play(world)
        except Crash:
            crashed = True
        world.close()
        world = World(root, at=world.at)
        play(world)
        ends.add((world.status(sale), world.did(sale)))
        world.close()
    assert number > 12
    assert len(ends) == 1
    assert ends.pop()[0][0] in ("completed", "compensated")


def play(world: World) -> None:
    """Let time pass until the saga has ended."""
    world.settle()
    while world.stores["sales"].processes(statuses=["running", "compensating"]):
        world.later(minutes=2)
