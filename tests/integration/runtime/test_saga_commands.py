"""`hanse saga`, `hanse trace` and `hanse aggregate` over the reference domains, a managed order on its way."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from customers.commands import RegisterCustomer
from customers.values import Address, EmailAddress
from hanse.bootstrap import Mesh
from hanse.cli import app
from hanse.domain import ApplicationService, Money, load
from hanse.errors import ConfigError, SchemaError
from hanse.ports.event_store import StoredEvent
from hanse.relay import relay_domain
from hanse.runtime.inboxes import settle
from helpers.domain_mesh import make_mesh
from inventory.commands import ReceiveStock
from orders.commands import ConfirmPayment, PlaceOrder
from orders.values import Item, Payment

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOMAINS = ("customers", "inventory", "leads", "orders", "shipping")


def service(mesh: Mesh, name: str) -> ApplicationService:
    domain = mesh.model.domain(name)
    assert domain is not None
    application = load(domain)
    assert application is not None
    return ApplicationService(application, mesh.store(name), mesh.keys, clock=lambda: T)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with make_mesh(tmp_path_factory.mktemp("mesh"), *DOMAINS) as mesh:
        stock = ReceiveStock(
            stock_id="harbour-books/p1", seller_id="harbour-books", product_id="p1", quantity=5, received_at=T
        )
        service(mesh, "inventory").handle(stock)
        item = Item(1, "p1", "crime", "harbour-books", Money.of("10.00"), Money.of("1.00"))
        placed = PlaceOrder(
            order_id="o1", customer_id="c1", customer_state="SP", placed_at=T, items=(item,), managed=True
        )
        payment = Payment("boleto", 1, Money.of("11.00"))
        paid = ConfirmPayment(order_id="o1", confirmed_at=T + timedelta(hours=1), payments=(payment,))
        service(mesh, "orders").handle(placed)
        service(mesh, "orders").handle(paid)
        service(mesh, "customers").handle(
            RegisterCustomer(
                customer_id="c1",
                name="Ana Alves",
                email=EmailAddress("ana@mail.example"),
                address=Address("Rua Alves 5", "01234", "sao paulo", "SP"),
                registered_at=T,
            )
        )
        settle(mesh, clock=lambda: T)
        yield mesh


@pytest.fixture(autouse=True)
def inside(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mesh.settings.root)


def hanse(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def names(node: dict[str, Any]) -> list[Any]:
    return [node["name"], [names(child) for child in node["children"] if child["kind"] != "record"]]


def test_sagas_are_listed_and_shown() -> None:
    [row] = json.loads(hanse("saga", "list", "--domain", "orders", "--json"))
    assert (row["process"], row["status"], row["step"]) == ("fulfil_order/o1", "running", "hand_over")
    assert json.loads(hanse("saga", "list", "--stuck", "--json")) == []
    assert "fulfil_order/o1" in hanse("saga", "list")
    shown = json.loads(hanse("saga", "show", "fulfil_order/o1", "--json"))
    assert [e["command"] for e in shown["events"] if e["what"] == "CommandSent"] == [
        "ReserveStock",
        "PlanShipment",
    ]
    assert "CommandSent" in hanse("saga", "show", "fulfil")
    with pytest.raises(ConfigError, match="no saga has the id"):
        hanse("saga", "show", "nothing/here")


def test_a_transaction_is_a_tree_over_domains(mesh: Mesh) -> None:
    [first] = json.loads(hanse("saga", "list", "--domain", "orders", "--json"))
    [tree] = json.loads(hanse("trace", first["correlation"], "--json"))
    assert tree["name"] == "a command to order"
    [placed] = [child for child in tree["children"] if child["kind"] == "event"]
    assert placed["name"] == "OrderPlaced"
    topics = {child["name"] for child in placed["children"] if child["kind"] == "record"}
    assert topics == {"orders.order_placed", "orders.order_item_sold", "orders.orders"}
    text = json.dumps(names(tree))
    order = [
        text.index(f'"{name}"') for name in ("OrderPlaced", "CommandSent", "ReserveStock", "StockReserved")
    ]
    assert order == sorted(order)
    assert '"answered"' in text
    same = json.loads(hanse("trace", placed["id"], "--json", "--no-log"))
    assert names(same[0]) == names(tree)
    assert "command inventory: ReserveStock" in hanse("trace", placed["id"])
    with pytest.raises(ConfigError, match="nothing has the id"):
        hanse("trace", "no-such-id")


def test_an_aggregate_is_shown_as_it_was() -> None:
    now = json.loads(hanse("aggregate", "show", "order", "o1", "--history", "--json"))
    assert (now["version"], now["state"]["status"], len(now["events"])) == (2, "approved", 2)
    before = json.loads(hanse("aggregate", "show", "orders.order", "o1", "--version", "1", "--json"))
    assert (before["version"], before["later_events"], before["state"]["status"]) == (1, 1, "placed")
    nothing = json.loads(hanse("aggregate", "show", "order", "o1", "--at", "2026-02-28", "--json"))
    assert (nothing["version"], nothing["state"]["status"]) == (0, "unknown")
    assert "v2  2026-03-01T12:00:00  PaymentConfirmed" in hanse(
        "aggregate", "show", "order", "o1", "--history"
    )


def test_what_is_personal_is_masked_unless_asked_for() -> None:
    masked = hanse("aggregate", "show", "customer", "c1", "--history")
    assert "Ana" not in masked
    assert "(personal)" in masked
    assert "Ana Alves" in hanse("aggregate", "show", "customer", "c1", "--history", "--personal")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("ordr", "o1"), "no aggregate is called 'ordr'"),
        (("order", "o9"), "orders has no order 'o9'"),
        (("order", "o1", "--at", "yesterday"), "this is no moment"),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        hanse("aggregate", "show", *arguments)


def test_only_a_stuck_saga_is_resumed_and_a_running_one_is_aborted(mesh: Mesh, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["saga", "resume", "fulfil_order/o1"])
    assert "saga-not-stuck" in str(result.exception)
    assert "is compensating" in hanse("saga", "abort", "fulfil_order/o1", "--reason", "fire in the house")
    settle(mesh, clock=lambda: T)
    [row] = json.loads(hanse("saga", "list", "--domain", "orders", "--json"))
    assert (row["status"], row["reason"]) == ("compensated", "fire in the house")


def test_relays_tell_their_lag_and_retry_what_they_hold_back(mesh: Mesh) -> None:
    store = mesh.store("leads")
    store.append([StoredEvent(uuid.UUID(int=5), 1, "NobodyKnows", b"{}")])
    rows = {row["domain"]: row for row in json.loads(hanse("relay", "status", "--json"))}
    assert (rows["leads"]["lag"], rows["orders"]["lag"]) == (1, 0)
    with pytest.raises(SchemaError, match="hanse relay retry leads"):
        relay_domain(mesh, "leads")
    assert "NobodyKnows" in hanse("relay", "status")
    with pytest.raises(SchemaError, match="cannot publish a NobodyKnows"):
        hanse("relay", "retry", "leads", "--stream", str(uuid.UUID(int=5)))
    assert "0 events" in hanse("relay", "retry", "orders")
    with pytest.raises(ConfigError, match="this is no stream"):
        hanse("relay", "retry", "leads", "--stream", "x")
