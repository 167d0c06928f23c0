"""A small domain for tests of the toolkit."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import (
    Aggregate,
    Command,
    Event,
    Money,
    PersonalText,
    ValueObject,
    applies,
    command,
    decides,
    event,
    require,
    upcaster,
    value,
)


@value
class Line(ValueObject):
    product: str
    price: Money
    note: PersonalText = None


@command
class Open(Command):
    shop_id: str
    owner: str
    lines: tuple[Line, ...] = ()
    at: datetime | None = None


@command
class Close(Command):
    shop_id: str


@command
class Touch(Command):
    shop_id: str


@command
class Unheard(Command):
    shop_id: str


@event("ShopOpened", version=3, formerly=("StoreOpened",), subject="shop_id")
class Opened(Event):
    shop_id: str
    owner: PersonalText
    lines: tuple[Line, ...]
    at: datetime | None
    colour: str = "white"


@upcaster(Opened, 1)
def opened_1(body: dict[str, object]) -> dict[str, object]:
    return {**body, "lines": []}


@upcaster(Opened, 2)
def opened_2(body: dict[str, object]) -> dict[str, object]:
    renamed = dict(body)
    renamed["owner"] = renamed.pop("keeper")
    return renamed


@event("ShopClosed", subject="shop_id", forgets=True)
class Closed(Event):
    shop_id: str


class Shop(Aggregate, name="shop", identity="shop_id"):
    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.owner: str | None = None

    @decides(Open)
    def open_it(self, command: Open) -> list[Opened]:
        require(self.version == 0, "open-once", "the shop was opened before")
        return [Opened(shop_id=command.shop_id, owner=command.owner, lines=command.lines, at=command.at)]

    @decides(Close)
    def close_it(self, command: Close) -> list[Closed]:
        require(self.open, "close-open-shop", "the shop is not open")
        return [Closed(shop_id=command.shop_id)]

    @decides(Touch)
    def touch(self, _: Touch) -> None:
        """Changes nothing."""

    @applies(Opened)
    def _opened(self, event: Opened) -> None:
        self.open, self.owner = True, event.owner

    @applies(Closed)
    def _closed(self, _: Closed) -> None:
        self.open = False
