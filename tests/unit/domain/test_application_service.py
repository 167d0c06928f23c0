from __future__ import annotations

import multiprocessing
import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from hanse.domain import (
    Accepted,
    Command,
    CommandRejected,
    Money,
    Rejected,
    Request,
    RetryPolicy,
)
from hanse.domain import command as command_class
from hanse.domain.codec import check_message
from hanse.domain.subjects import SubjectKeys
from hanse.errors import ConcurrencyConflict, StoreError
from hanse.ports.event_store import StoredEvent
from helpers.shop_model import Close, Closed, Line, Open, Opened, Shop, Touch, Unheard
from helpers.shop_world import NOW, World, command_many


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()
    world.keys.close()


def test_an_accepted_command_is_in_the_store(world: World) -> None:
    verdict = world.service.handle(Open(shop_id="s1", owner="Ana"))
    assert verdict == Accepted(verdict.command_id, Shop.stream_id("s1"), 1, 1, 1)
    [recorded] = world.service.history(Shop, "s1")
    assert recorded.event == Opened(shop_id="s1", owner="Ana", lines=(), at=None)
    assert recorded.envelope.command_id == str(verdict.command_id)
    assert recorded.envelope.correlation_id == str(verdict.command_id)
    assert recorded.envelope.time == NOW
    assert uuid.UUID(recorded.envelope.event_id).version == 7


def test_a_rejected_command_names_its_rule_and_leaves_the_stream(world: World) -> None:
    with pytest.raises(CommandRejected) as caught:
        world.service.handle(Close(shop_id="s1"))
    assert caught.value.rule == "close-open-shop"
    assert world.store.head() == 0


def test_a_repeated_command_gets_its_first_verdict(world: World) -> None:
    opening = Request(Open(shop_id="s1", owner="Ana"))
    closing = Request(Close(shop_id="s2"))
    first = world.service.handle_many([opening, closing])
    world.service.handle(Open(shop_id="s2", owner="Bruno"))
    again = world.another().handle_many([closing, opening, opening])
    assert again == [first[1], first[0], first[0]]
    assert isinstance(again[0], Rejected)
    assert world.store.head() == 2


def test_a_command_repeated_within_a_batch_counts_once(world: World) -> None:
    opening = Request(Open(shop_id="s1", owner="Ana"))
    verdicts = world.service.handle_many([opening, opening])
    assert verdicts[0] == verdicts[1]
    assert isinstance(verdicts[0], Accepted)
    assert world.store.head() == 1


def test_a_batch_keeps_the_order_and_judges_each_command_alone(world: World) -> None:
    verdicts = world.service.handle_many(
        [
            Close(shop_id="s1"),
            Open(shop_id="s1", owner="Ana"),
            Open(shop_id="s1", owner="Bruno"),
            Open(shop_id="s2", owner="Carla"),
            Close(shop_id="s1"),
        ]
    )
    rules = [v.rule if isinstance(v, Rejected) else "ok" for v in verdicts]
    assert rules == ["close-open-shop", "ok", "open-once", "ok", "ok"]
    assert [(e.type, e.version) for e in world.store.read_all()] == [
        ("ShopOpened", 1),
        ("ShopOpened", 1),
        ("ShopClosed", 2),
    ]
    assert [v.position for v in verdicts if isinstance(v, Accepted)] == [1, 2, 3]


def test_a_command_may_change_nothing(world: World) -> None:
    request = Request(Touch(shop_id="s1"))
    first = world.service.handle(request)
    assert (first.first_version, first.last_version, first.position) == (1, 0, None)
    assert world.another().handle(request) == first


def test_another_writers_changes_are_seen(world: World) -> None:
    other = world.another()
    world.service.handle(Open(shop_id="s1", owner="Ana"))
    other.handle(Close(shop_id="s1"))
    with pytest.raises(CommandRejected, match="close-open-shop"):
        world.service.handle(Close(shop_id="s1"))


def test_a_conflict_is_decided_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = world.another()
    append = world.store.append
    calls: list[int] = []

    def late(*arguments: Any) -> list[int]:
        calls.append(1)
        if len(calls) == 1:
            monkeypatch.setattr(world.store, "append", append)
            other.handle(Open(shop_id="s1", owner="Bruno"))
            monkeypatch.setattr(world.store, "append", late)
        return append(*arguments)

    monkeypatch.setattr(world.store, "append", late)
    with pytest.raises(CommandRejected, match="open-once"):
        world.service.handle(Open(shop_id="s1", owner="Ana"))
    assert len(calls) == 2
    assert [r.event.owner for r in world.service.history(Shop, "s1")] == ["Bruno"]


def test_conflicts_without_end_are_raised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> list[int]:
        raise ConcurrencyConflict("another writer was first")

    monkeypatch.setattr(world.store, "append", never)
    with pytest.raises(ConcurrencyConflict):
        world.another(retry=RetryPolicy(attempts=3, pause_s=0)).handle(Open(shop_id="s1", owner="Ana"))


def test_personal_fields_are_ciphertext_in_the_store(world: World) -> None:
    line = Line("box", Money.of("9.90"), note="for my sister")
    world.service.handle(Open(shop_id="s1", owner="Ana Alves", lines=(line,)))
    [stored] = world.store.read_all()
    assert b"Ana Alves" not in stored.state
    assert b"sister" not in stored.state
    body = orjson.loads(stored.state)["body"]
    assert body["owner"].startswith("enc:v1:")
    assert body["lines"][0]["note"].startswith("enc:v1:")
    assert body["lines"][0]["price"] == {"amount": "9.90", "currency": "BRL"}
    assert world.service.history(Shop, "s1")[0].event.lines == (line,)


def test_after_forgetting_the_past_stands_without_the_person(world: World) -> None:
    world.service.handle(Open(shop_id="s1", owner="Ana"))
    world.service.handle(Close(shop_id="s1"))
    opened, closed = (r.event for r in world.service.history(Shop, "s1"))
    assert opened == Opened(shop_id="s1", owner=None, lines=(), at=None)
    assert closed == Closed(shop_id="s1")


def test_an_interrupted_erasure_is_finished_by_the_next_service(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.service.handle(Open(shop_id="s1", owner="Ana"))

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(world.keys, "forget_all", die)
        world.service.handle(Close(shop_id="s1"))
    assert world.service.history(Shop, "s1")[0].event.owner == "Ana"
    world.another().handle(Open(shop_id="s2", owner="Bruno"))
    assert world.service.history(Shop, "s1")[0].event.owner is None


def test_keys_are_durable_before_events(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes | None] = []

    def look(events: list[StoredEvent], *_: object) -> list[int]:
        other = SubjectKeys(world.folder / "keys.db")
        owner = orjson.loads(events[0].state)["body"]["owner"]
        seen.append((other.decrypt("s1", owner) or "").encode())
        other.close()
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.store, "append", look)
    with pytest.raises(StoreError, match="full"):
        world.service.handle(Open(shop_id="s1", owner="Ana"))
    assert seen == [b"Ana"]
    monkeypatch.undo()
    assert world.service.handle(Open(shop_id="s1", owner="Ana")).last_version == 1


def test_a_mistyped_field_is_named(world: World) -> None:
    wrong: Any = {"owner": 5}
    nested: Any = (Line("box", "9.90"),)  # pyright: ignore[reportArgumentType]
    naive = datetime(2026, 1, 1)
    cases = [
        (Open(shop_id="s1", **wrong), "owner: expected str, got int"),
        (Open(shop_id="s1", owner="Ana", lines=nested), "lines[0].price: expected Money, got str"),
        (Open(shop_id="s1", owner="Ana", at=naive), "at: expected a moment with time zone"),
        (Open(shop_id="s1", owner="Ana\ud800"), "owner: expected text without lone surrogates"),
    ]
    for command, problem in cases:
        with pytest.raises(CommandRejected) as caught:
            world.service.handle(command)
        assert caught.value.rule == "command-malformed"
        assert problem in caught.value.message
    assert world.store.head() == 0


@command_class
class Count(Command):
    shop_id: str
    many: int = 0
    share: float = 0.0
    price: Decimal = Decimal(0)
    signs: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"many": 10**5_000}, "many: expected an integer of 64 bits, got a larger one"),
        ({"share": float("nan")}, "share: expected a finite number, got 'nan'"),
        ({"price": Decimal("sNaN")}, "price: expected a finite number, got 'sNaN'"),
        ({"price": Decimal("-Infinity")}, "price: expected a finite number, got '-Infinity'"),
        ({"signs": ("é", "\udc80")}, r"signs[1]: expected text without lone surrogates, got '\udc80'"),
    ],
)
def test_a_value_that_cannot_be_stored_is_named(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(CommandRejected) as caught:
        check_message(Count(shop_id="s1", **given))
    assert (caught.value.rule, caught.value.message) == ("command-malformed", problem)
    check_message(Count(shop_id="é", many=-(1 << 63), share=1e300, price=Decimal("1e30"), signs=("💶", "")))


def test_a_command_without_a_home_is_rejected(world: World) -> None:
    no_text: Any = 7
    for command in (Unheard(shop_id="s1"), Close(shop_id=no_text), Close(shop_id="\udfff")):
        with pytest.raises(CommandRejected, match="command-unknown"):
            world.service.handle(command)


def test_a_payload_beyond_the_limit_is_rejected(world: World) -> None:
    with pytest.raises(CommandRejected) as caught:
        world.service.handle(Open(shop_id="s1", owner="x" * 10_000_000))
    assert caught.value.rule == "event-too-large"
    assert world.store.head() == 0


def test_an_aggregate_can_be_seen_as_it_was(world: World) -> None:
    world.service.handle_many([Open(shop_id="s1", owner="Ana"), Close(shop_id="s1")])
    assert world.service.load(Shop, "s1", version=1).version == 1
    assert world.service.load(Shop, "s1").version == 2
    assert world.service.load(Shop, "nobody").version == 0


def test_stored_events_of_each_old_version_and_name_are_read(world: World) -> None:
    envelope = {"id": "1", "time": NOW.isoformat(), "correlation": "1", "causation": "1", "command": "1"}
    price = {"product": "box", "price": {"amount": "9.90", "currency": "BRL"}, "note": None}
    ana = world.keys.encrypt("s", "Ana")
    bodies = [
        ("StoreOpened", 1, {"shop_id": "s", "keeper": ana, "at": None}),
        ("ShopOpened", 2, {"shop_id": "s", "keeper": ana, "at": None, "lines": [price]}),
        ("ShopOpened", 3, {"shop_id": "s", "owner": ana, "at": None, "lines": [], "colour": "red"}),
    ]
    for number, (name, version, body) in enumerate(bodies):
        state = orjson.dumps({"v": version, "meta": envelope, "body": body})
        world.store.append([StoredEvent(Shop.stream_id(f"s{number}"), 1, name, state)])
    line = Line("box", Money.of("9.90"))
    assert [world.service.history(Shop, f"s{n}")[0].event for n in range(3)] == [
        Opened(shop_id="s", owner="Ana", lines=(), at=None),
        Opened(shop_id="s", owner="Ana", lines=(line,), at=None),
        Opened(shop_id="s", owner="Ana", lines=(), at=None, colour="red"),
    ]


@pytest.mark.parametrize(
    ("name", "state", "problem"),
    [
        ("ShopBurnt", b'{"v":1,"meta":{},"body":{}}', "no event class reads"),
        ("ShopOpened", b"not json", "cannot be read"),
        ("ShopOpened", b'{"v":9,"meta":{},"body":{}}', "newer code"),
        ("ShopOpened", b'{"v":3,"meta":{},"body":{"shop_id":"s"}}', "lacks the field 'owner'"),
        ("ShopOpened", b'{"v":3,"meta":{},"body":[]}', "cannot be read"),
    ],
)
def test_a_corrupt_event_is_named_by_its_place(world: World, name: str, state: bytes, problem: str) -> None:
    world.store.append([StoredEvent(Shop.stream_id("s"), 1, name, state)])
    with pytest.raises(StoreError) as caught:
        world.service.history(Shop, "s")
    assert problem in str(caught.value)
    assert "version 1, position 1" in str(caught.value)


def test_processes_that_send_the_same_commands_double_nothing(tmp_path: Path) -> None:
    World(tmp_path)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=command_many, args=(str(tmp_path), n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [w.exitcode for w in workers] == [0, 0, 0]
    world = World(tmp_path)
    events = world.store.read_all(limit=1_000)
    assert len(events) == len({e.stream_id for e in events}) == 40
    assert world.another().load(Shop, "s7").owner == "Ana"
