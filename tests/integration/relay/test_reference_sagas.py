"""The marketplace's own sagas over real stores and a real log: forward, back, and through every kind of trouble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.bootstrap import Mesh
from hanse.domain import Application, ApplicationService, Command, Money, load
from hanse.relay import relay_domain
from hanse.relay.inbox import open_inbox
from helpers.domain_mesh import make_mesh
from inventory.commands import ReceiveStock
from inventory.stock import Stock
from leads.commands import CaptureLead, QualifyLead, UpdateContactDetails, WinLead
from leads.values import ContactDetails
from orders.commands import CancelOrder, ConfirmPayment, PlaceOrder
from orders.fulfilment import fulfil_order
from orders.order import Order
from orders.values import Item, Payment
from shipping.commands import DeliverShipment, HandOverShipment, LoseShipment
from shipping.shipment import Shipment

DOMAINS = ("customers", "inventory", "leads", "orders", "shipping")
T = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POETRY, TRAVEL = "harbour-books/poetry", "market-press/travel"
ITEMS = (
    Item(1, "poetry", "literature", "harbour-books", Money.of("49.90"), Money.of("7.90")),
    Item(2, "travel", "living", "market-press", Money.of("58.50"), Money.of("7.90")),
)
PLACE = PlaceOrder(
    order_id="o1", customer_id="c1", customer_state="SP", placed_at=T, items=ITEMS,
    estimated_delivery=T + 12 * DAY, managed=True,
)  # fmt: skip
PAY = ConfirmPayment(
    order_id="o1", confirmed_at=T + timedelta(hours=1), payments=(Payment("boleto", 1, Money.of("124.20")),)
)
CANCEL = CancelOrder(order_id="o1", cancelled_at=T + timedelta(hours=2), reason="canceled")
TAKE = HandOverShipment(shipment_id="fulfil-o1", handed_over_at=T + DAY)
ARRIVE = DeliverShipment(shipment_id="fulfil-o1", delivered_at=T + 3 * DAY)
LOSE = LoseShipment(shipment_id="fulfil-o1", lost_at=T + 3 * DAY)


class Market:
    """All domains in one folder; `at` is what their clock shows."""

    def __init__(self, root: Path) -> None:
        self.mesh: Mesh = make_mesh(root, *DOMAINS)
        self.at = T
        self.reopen()

    def reopen(self) -> None:
        """As after a restart: nothing is remembered but what was stored."""
        self.inboxes = {name: open_inbox(self.mesh, name, clock=lambda: self.at) for name in DOMAINS}

    def service(self, name: str) -> ApplicationService:
        domain = self.mesh.model.domain(name)
        application: Application | None = load(domain) if domain else None
        assert application
        return ApplicationService(application, self.mesh.store(name), self.mesh.keys)

    def tell(self, domain: str, *commands: Command) -> None:
        for command in commands:
            self.service(domain).handle(command)

    def round(self, names: Sequence[str] = DOMAINS) -> int:
        moved = 0
        for name in names:
            moved += relay_domain(self.mesh, name).events
            moved += self.inboxes[name].step()
        return moved

    def settle(self, names: Sequence[str] = DOMAINS) -> None:
        while self.round(names):
            pass

    def saga(self, order: str = "o1") -> tuple[str, str]:
        [row] = self.mesh.store("orders").processes(prefix=f"fulfil_order/{order}")
        return row.status, row.step

    def order(self, order: str = "o1") -> Any:
        return self.service("orders").load(Order, order)

    def shipment(self) -> Any:
        return self.service("shipping").load(Shipment, "fulfil-o1")

    def stock(self, stock: str) -> tuple[int, int]:
        found: Any = self.service("inventory").load(Stock, stock)
        return found.on_hand, found.reserved


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    market = Market(tmp_path / "mesh")
    for stock in (POETRY, TRAVEL, "market-press/surprise"):
        seller, product = stock.split("/")
        receive = ReceiveStock(
            stock_id=stock, seller_id=seller, product_id=product, quantity=5, received_at=T
        )
        market.tell("inventory", receive)
    yield market
    market.mesh.close()


def until_ready(market: Market) -> None:
    market.tell("orders", PLACE, PAY)
    market.settle()
    assert market.saga() == ("running", "hand_over")


def test_a_managed_order_goes_to_its_door(market: Market) -> None:
    market.tell("orders", PLACE)
    market.settle()
    assert market.saga() == ("running", "await_payment")
    assert market.stock(POETRY) == (5, 1) == market.stock(TRAVEL)
    market.tell("orders", PAY)
    market.settle()
    market.tell("shipping", TAKE, ARRIVE)
    market.settle()
    assert market.saga() == ("completed", "tell_delivered")
    assert (market.order().status, market.order().delivered_at) == ("delivered", T + 3 * DAY)
    assert market.stock(POETRY) == (4, 0) == market.stock(TRAVEL)


def test_an_order_that_others_fulfil_has_no_saga(market: Market) -> None:
    market.tell("orders", replace(PLACE, managed=False), PAY)
    market.settle()
    assert market.mesh.store("orders").processes() == []
    assert market.stock(POETRY) == (5, 0)


def test_what_cannot_be_reserved_is_cancelled_and_leaves_nothing_reserved(market: Market) -> None:
    short = replace(ITEMS[1], product_id="nowhere")
    market.tell("orders", replace(PLACE, items=(ITEMS[0], short)), PAY)
    market.settle()
    assert market.saga() == ("compensated", "know_boxes")
    assert market.stock(POETRY) == (5, 0)
    assert (market.order().status, market.order().refunded_at) == ("cancelled", None)


def test_a_box_that_is_sold_out_is_waited_for(market: Market) -> None:
    taken = replace(PLACE, order_id="o0", items=(replace(ITEMS[0]),))
    for number in range(5):
        market.tell("orders", replace(taken, order_id=f"before-{number}"))
    market.tell("orders", PLACE)
    market.settle()
    [waiting] = [r for r in market.mesh.store("orders").processes() if r.step == "reserve_box_1"]
    more = ReceiveStock(
        stock_id=POETRY, seller_id="harbour-books", product_id="poetry", quantity=1, received_at=T
    )
    market.tell("inventory", more)
    market.at += timedelta(hours=2)
    market.settle()
    assert market.mesh.store("orders").processes(prefix=waiting.process_id)[0].step == "await_payment"


def test_a_customer_who_cancels_gets_money_back_and_boxes_are_free_again(market: Market) -> None:
    until_ready(market)
    market.tell("orders", CANCEL)
    market.settle()
    assert market.saga()[0] == "compensated"
    assert market.order().refunded_at is not None
    assert market.stock(POETRY) == (5, 0) == market.stock(TRAVEL)


def test_a_lost_shipment_is_refunded_and_the_boxes_stay_gone(market: Market) -> None:
    until_ready(market)
    market.tell("shipping", TAKE)
    market.settle()
    market.tell("shipping", LOSE)
    market.settle()
    assert market.saga()[0] == "compensated"
    assert (market.order().status, market.order().refunded_at is not None) == ("cancelled", True)
    assert market.stock(POETRY) == (4, 0)


def test_who_never_pays_loses_the_reservation_after_three_days(market: Market) -> None:
    market.tell("orders", PLACE)
    market.settle()
    market.at += 3 * DAY + timedelta(minutes=1)
    market.reopen()
    market.settle()
    assert market.saga()[0] == "compensated"
    assert (market.order().status, market.order().refunded_at) == ("cancelled", None)
    assert market.stock(POETRY) == (5, 0)


@pytest.mark.parametrize("down", ["inventory", "shipping"])
def test_a_domain_that_is_down_is_waited_for(market: Market, down: str) -> None:
    up = [name for name in DOMAINS if name != down]
    market.tell("orders", PLACE, PAY)
    market.settle(up)
    assert market.saga()[0] == "running"
    market.settle()
    market.tell("shipping", TAKE, ARRIVE)
    market.settle()
    assert market.saga() == ("completed", "tell_delivered")


@pytest.mark.parametrize("outcome", ["delivered", "lost"])
def test_the_end_is_the_same_when_everything_restarts_after_every_commit(
    market: Market, outcome: str
) -> None:
    """A process that dies after each commit: inboxes are made anew, relays send what was marked or not."""
    ending = ARRIVE if outcome == "delivered" else LOSE
    pending: list[tuple[str, Command]] = [
        ("orders", PLACE), ("orders", PAY), ("shipping", TAKE), ("shipping", ending)
    ]  # fmt: skip
    for _ in range(30):
        if pending and (pending[0][0] == "orders" or market.shipment().version > 0):
            market.tell(*pending.pop(0))
        market.reopen()
        for name in reversed(DOMAINS):
            market.round([name])
            market.reopen()
    assert not pending
    assert market.saga()[0] == ("completed" if outcome == "delivered" else "compensated")
    assert market.stock(POETRY) == (4, 0)
    assert (market.order().refunded_at is None) == (outcome == "delivered")


def test_a_lead_that_is_won_gets_a_welcome_box(market: Market) -> None:
    contact = ContactDetails("Ana", "ana@mail.example", "santos", "SP")
    market.tell(
        "leads",
        CaptureLead(lead_id="l1", captured_at=T, origin="social"),
        UpdateContactDetails(lead_id="l1", contact=contact, updated_at=T),
        QualifyLead(lead_id="l1", qualified_at=T),
        WinLead(lead_id="l1", party="customer", party_id="c9", won_at=T + DAY),
    )
    market.settle()
    welcome = market.order("welcome-c9")
    assert (welcome.customer_id, welcome.customer_state, welcome.status) == ("c9", "SP", "approved")
    assert market.saga("welcome-c9") == ("running", "hand_over")
    market.tell(
        "shipping",
        HandOverShipment(shipment_id="fulfil-welcome-c9", handed_over_at=T + 2 * DAY),
        DeliverShipment(shipment_id="fulfil-welcome-c9", delivered_at=T + 3 * DAY),
    )
    market.settle()
    assert market.saga("welcome-c9") == ("completed", "tell_delivered")
    assert market.stock("market-press/surprise") == (4, 0)


def test_a_lead_that_sells_is_no_customer(market: Market) -> None:
    market.tell(
        "leads",
        CaptureLead(lead_id="l2", captured_at=T),
        QualifyLead(lead_id="l2", qualified_at=T),
        WinLead(lead_id="l2", party="seller", party_id="s9", won_at=T + DAY),
    )
    market.settle()
    assert market.mesh.store("customers").processes() == []


def test_every_step_that_asks_for_something_names_its_way_back_or_needs_none() -> None:
    """What is only told to the own domain, or left for good, is not undone; all else is."""
    without = {step.name for step in fulfil_order.steps if step.undo is None}
    assert without == {"commit_box_1", "commit_box_2", "commit_box_3", "tell_shipped", "await_delivery",
                       "tell_delivered"}  # fmt: skip
