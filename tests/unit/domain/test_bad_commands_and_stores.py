"""Bad input to a domain: the exact rule or place is named, and the stream is untouched."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hanse.adapters import eventsourcing_store
from hanse.domain import Application, ApplicationService, CommandRejected, Request
from hanse.errors import StoreError
from hanse.ports.event_store import StoredEvent
from helpers.shop_model import Close, Line, Open, Shop, Unheard
from helpers.shop_world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(eventsourcing_store, "LOCK_TIMEOUT_S", 0.05)
    world = World(tmp_path)
    yield world
    world.store.close()
    world.keys.close()


def opened(world: World) -> bytes:
    world.service.handle(Open(shop_id="s", owner="Ana"))
    [event] = world.store.read_all()
    return event.state


BAD: list[tuple[str, Any, str, str]] = [
    ("mistyped", Open(shop_id="s", owner=7), "command-malformed", "owner: expected str, got int"),  # pyright: ignore[reportArgumentType]
    (
        "deeply mistyped",
        Open(shop_id="s", owner="A", lines=(Line(1, 2),)),
        "command-malformed",
        "lines[0].product",
    ),  # pyright: ignore[reportArgumentType]
    ("without id", Open(shop_id=None, owner="A"), "command-unknown", "no aggregate is addressed by Open"),  # pyright: ignore[reportArgumentType]
    ("unknown aggregate", Close(shop_id="nobody"), "close-open-shop", "the shop is not open"),
    ("unknown command", Unheard(shop_id="s"), "command-unknown", "no aggregate is addressed by Unheard"),
    ("stale", Request(Close(shop_id="s"), expected_version=3), "stale-version", "has version 1, not 3"),
    ("twice", Open(shop_id="s", owner="Bea"), "open-once", "was opened before"),
    ("ten megabytes", Open(shop_id="big", owner="x" * 10_000_000), "event-too-large", "are allowed"),
]


@pytest.mark.parametrize(("wanted", "rule", "told"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_command_names_its_rule_and_changes_nothing(
    world: World, wanted: Any, rule: str, told: str
) -> None:
    opened(world)
    with pytest.raises(CommandRejected) as caught:
        world.service.handle(wanted)
    assert caught.value.rule == rule
    assert told in caught.value.message
    assert world.store.head() == 1


def test_an_event_class_that_was_removed_names_the_type_and_the_place(world: World) -> None:
    opened(world)
    empty = Application("shop", aggregates=[])
    service = ApplicationService(empty, world.store, world.keys)
    with pytest.raises(StoreError, match="no event class reads the stored type 'ShopOpened'") as caught:
        service.history(Shop, "s")
    assert "version 1, position 1" in str(caught.value)
    assert "formerly=" in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-9], lambda s: s.replace(b'"v":3', b'"v":9'), lambda s: b"\xff"]
)
def test_a_damaged_event_names_its_place_and_takes_no_command(world: World, damage: Any) -> None:
    state = opened(world)
    stream = Shop.stream_id("t")
    world.store.append([StoredEvent(stream, 1, "ShopOpened", damage(state))])
    with pytest.raises(StoreError, match="a stored ShopOpened cannot be read") as caught:
        world.another().handle(Close(shop_id="t"))
    assert f"stream {stream}, version 1, position 2" in str(caught.value)
    assert world.store.head() == 2
    world.another().handle(Close(shop_id="s"))  # other streams are not concerned


def test_a_locked_store_is_named_and_takes_the_command_once_it_is_free(world: World) -> None:
    other = sqlite3.connect(world.folder / "shop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    wanted = Request(Open(shop_id="s", owner="Ana"))
    with pytest.raises(StoreError, match="cannot append to the event store") as caught:
        world.service.handle(wanted)
    assert "database is locked" in str(caught.value)
    assert str(world.folder / "shop.db") in str(caught.value)
    other.execute("ROLLBACK")
    other.close()
    assert world.service.handle(wanted).last_version == 1
