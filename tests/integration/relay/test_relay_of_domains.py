"""The relay on real stores, a real log and a real registry."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest

from customers import commands as cc
from customers.values import Address, EmailAddress
from hanse.bootstrap import Mesh
from hanse.domain import Application, ApplicationService, Integration, Money, Publish, load
from hanse.domain.demo import run, simulated_streams
from hanse.errors import ConfigError, IncompatibleSchema, RelayHeld, SchemaError
from hanse.model.envelope import store_position
from hanse.ports.event_log import Record
from hanse.ports.event_store import StoredEvent
from hanse.relay import Relay, open_relay, relay_domain
from helpers.domain_mesh import make_mesh
from orders import commands as oc
from orders.values import Item, Payment

T = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with make_mesh(tmp_path / "mesh") as mesh:
        yield mesh


def service(mesh: Mesh, name: str) -> ApplicationService:
    domain = mesh.model.domain(name)
    assert domain is not None
    application = load(domain)
    assert application is not None
    return ApplicationService(application, mesh.store(name), mesh.keys, clock=lambda: T)


def place(order_id: str, *prices: str) -> oc.PlaceOrder:
    items = tuple(
        Item(n, f"p{n}", None, "s1", Money.of(price), Money.of("1.00")) for n, price in enumerate(prices, 1)
    )
    return oc.PlaceOrder(order_id=order_id, customer_id="c1", customer_state="SP", placed_at=T, items=items)


def read(mesh: Mesh, topic: str) -> list[tuple[dict[str, str], str, dict[str, Any] | None]]:
    """(headers, key, decoded value) of all records, in order of position."""
    offsets = {p: r.low for p, r in mesh.log.ranges(topic).items()}
    rows = mesh.log.read(topic, offsets).rows.to_pylist()
    found = []
    for row in rows:
        headers = {h["name"]: h["value"].decode() for h in row["headers"]}
        found.append((headers, row["key"].decode(), decode(mesh, row["value"])))
    return sorted(found, key=lambda record: int(record[0]["ce_position"]))


def decode(mesh: Mesh, value: bytes | None) -> dict[str, Any] | None:
    if value is None:
        return None
    assert value[0] == 0
    schema = mesh.registry.by_id(int.from_bytes(value[1:5], "big")).schema
    body: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), fastavro.parse_schema(json.loads(schema)))
    return body


def test_an_order_becomes_records_of_each_topic(mesh: Mesh) -> None:
    orders = service(mesh, "orders")
    orders.handle(place("o1", "10.00", "20.50"))
    paid = oc.ConfirmPayment(
        order_id="o1",
        confirmed_at=T + timedelta(hours=1),
        payments=(Payment("boleto", 1, Money.of("32.50")),),
    )
    orders.handle(paid)
    relayed = relay_domain(mesh, "orders")
    assert (relayed.events, relayed.records, relayed.position) == (2, 6, 2)

    [(headers, key, placed)] = read(mesh, "orders.order_placed")
    assert key == "o1"
    assert placed is not None
    assert (placed["item_count"], str(placed["items_total"]), str(placed["order_total"])) == (
        2,
        "30.50",
        "32.50",
    )
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == "book_box.orders.OrderPlaced"
    assert headers["ce_source"] == f"/orders/{mesh.store('orders').store_id}"
    assert headers["ce_subject"] == "o1"
    assert headers["ce_time"] == T.isoformat()
    assert headers["ce_dataschema"] == "/subjects/orders.order_placed-value/versions/1"
    assert headers["ce_correlationid"] == headers["ce_causationid"] == headers["ce_commandid"]
    assert store_position(int(headers["ce_position"])) == 1

    items = [value for _, _, value in read(mesh, "orders.order_item_sold")]
    assert [str(item["price"]) for item in items if item] == ["10.00", "20.50"]
    states = [value for _, _, value in read(mesh, "orders.orders")]
    assert [(s["status"], s["version"]) for s in states if s] == [("placed", 1), ("approved", 2)]
    assert states[1] is not None
    assert str(states[1]["paid_total"]) == "32.50"


def test_positions_rise_and_ids_differ_within_a_topic(mesh: Mesh) -> None:
    service(mesh, "orders").handle_many([place(f"o{n}", "1.00", "2.00", "3.00") for n in range(5)])
    relay_domain(mesh, "orders")
    for topic in mesh.log.topics():
        records = read(mesh, topic.spec.name)
        positions = [int(h["ce_position"]) for h, _, _ in records]
        assert len(set(positions)) == len(positions)
        assert len({h["ce_id"] for h, _, _ in records}) == len(records)


def test_a_key_keeps_the_order_of_its_events(mesh: Mesh) -> None:
    run(mesh, simulated_streams(mesh, seed=3, days=2))
    relay_domain(mesh, "orders")
    offsets = {p: r.low for p, r in mesh.log.ranges("orders.orders").items()}
    seen: dict[bytes, int] = {}
    for row in mesh.log.read("orders.orders", offsets).rows.to_pylist():
        state = decode(mesh, row["value"])
        assert state is not None
        assert state["version"] == seen.get(row["key"], 0) + 1
        seen[row["key"]] = state["version"]
    assert len(seen) > 100


def test_nothing_is_sent_twice_when_all_goes_well(mesh: Mesh) -> None:
    orders = service(mesh, "orders")
    orders.handle(place("o1", "1.00"))
    assert relay_domain(mesh, "orders").events == 1
    assert relay_domain(mesh, "orders").events == 0
    orders.handle(place("o2", "1.00"))
    assert relay_domain(mesh, "orders").events == 1
    assert len(read(mesh, "orders.order_placed")) == 2


def test_a_relay_that_died_before_its_mark_sends_the_same_records_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(mesh, "orders").handle_many([place("o1", "1.00", "2.00"), place("o2", "3.00")])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(mesh.store("orders"), "mark_relayed", die)
        relay_domain(mesh, "orders")
    relay_domain(mesh, "orders")
    for topic, single in (("orders.order_placed", 2), ("orders.order_item_sold", 3), ("orders.orders", 2)):
        records = read(mesh, topic)
        assert len(records) == 2 * single
        assert records[::2] == records[1::2]


def test_state_is_whole_after_a_restart_in_the_middle(mesh: Mesh) -> None:
    orders = service(mesh, "orders")
    orders.handle(place("o1", "5.00"))
    relay_domain(mesh, "orders")
    orders.handle(oc.ShipOrder(order_id="o1", shipped_at=T + timedelta(days=1)))
    orders.handle(oc.DeliverOrder(order_id="o1", delivered_at=T + timedelta(days=2)))
    with open_relay(mesh, "orders") as relay:
        assert relay.step(limit=1).events == 1
        assert relay.lag == 1
    relay_domain(mesh, "orders")
    states = [value for _, _, value in read(mesh, "orders.orders")]
    assert [(s["status"], str(s["items_total"])) for s in states if s] == [
        ("placed", "5.00"), ("shipped", "5.00"), ("delivered", "5.00"),
    ]  # fmt: skip


def test_two_relays_never_run_on_one_store(mesh: Mesh) -> None:
    with open_relay(mesh, "orders"), Mesh(mesh.settings) as other:
        with pytest.raises(RelayHeld):
            relay_domain(other, "orders")
        assert relay_domain(other, "customers").events == 0
    assert relay_domain(mesh, "orders").events == 0


def test_personal_texts_leave_the_domain_as_ciphertext_only(mesh: Mesh) -> None:
    customers = service(mesh, "customers")
    customers.handle(
        cc.RegisterCustomer(
            customer_id="c1",
            name="Ana Alves",
            email=EmailAddress("ana@mail.example"),
            address=Address("Rua Alves 5", "01234", "sao paulo", "SP"),
            registered_at=T,
        )
    )
    relay_domain(mesh, "customers")
    [(_, _, state)] = read(mesh, "customers.customers")
    assert state is not None
    for column, text in (("name", "Ana Alves"), ("email", "ana@mail.example"), ("street", "Rua Alves 5")):
        assert state[column].startswith("enc:v1:")
        assert mesh.keys.decrypt("c1", state[column]) == text
    for file in mesh.settings.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"Ana Alves" not in content, file
            assert b"Rua Alves" not in content, file


def test_a_forgotten_customer_is_deleted_and_unreadable(mesh: Mesh) -> None:
    customers = service(mesh, "customers")
    customers.handle(
        cc.RegisterCustomer(
            customer_id="c1", name="Ana", address=Address(None, "1", "recife", "PE"), registered_at=T
        )
    )
    relay_domain(mesh, "customers")
    customers.handle(cc.ForgetCustomer(customer_id="c1", forgotten_at=T))
    relay_domain(mesh, "customers")
    (_, _, state), (_, key, tombstone) = read(mesh, "customers.customers")
    assert state is not None
    assert (key, tombstone) == ("c1", None)
    assert mesh.keys.decrypt("c1", state["name"]) is None
    assert len(read(mesh, "customers.customer_forgotten")) == 1


def test_private_events_never_leak(mesh: Mesh) -> None:
    customers = service(mesh, "customers")
    address = Address(None, None, "recife", "PE")
    customers.handle(cc.RegisterCustomer(customer_id="c1", address=address, registered_at=T))
    before = relay_domain(mesh, "customers").records
    customers.handle(cc.TakeNote(customer_id="c1", note="a private thought", taken_at=T))
    relayed = relay_domain(mesh, "customers")
    assert (relayed.events, relayed.records, before) == (1, 0, 2)
    declared = {t.full_name for d in mesh.model.domains if d.name == "customers" for t in d.topics}
    assert {t.spec.name for t in mesh.log.topics()} == declared
    for topic in declared:
        for headers, _, _ in read(mesh, topic):
            assert "Note" not in headers["ce_type"]


def relay_with(mesh: Mesh, *records: Publish) -> Relay:
    """A relay of orders whose only mapping gives these records for each event."""
    domain = mesh.model.domain("orders")
    real = load(domain) if domain else None
    assert domain is not None
    assert real is not None
    integration = Integration()
    integration.publishes(*real.owners)(lambda *_: records)
    application = Application("orders", aggregates=real.aggregates, integration=integration)
    return Relay(domain, application, mesh.store("orders"), mesh.log, mesh.registry, mesh.keys)


FULL = {"order_id": "o1", "customer_state": "SP", "shipped_at": T, "on_credit": False}


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (Publish("secrets", FULL), "does not declare"),
        (Publish("order_shipped", {**FULL, "cost": 5}), "other fields than its schema"),
        (Publish("order_shipped", {"order_id": "o1"}), "other fields than its schema"),
        (Publish("order_shipped", {**FULL, "on_credit": "no"}), "does not fit its schema"),
        (Publish("order_shipped", {**FULL, "order_id": None}), "has no key"),
        (Publish("order_shipped", None), "has no key"),
    ],
)
def test_a_mapping_that_does_not_fit_holds_its_stream_back_at_the_event(
    mesh: Mesh, record: Publish, problem: str
) -> None:
    service(mesh, "orders").handle(place("o1", "1.00"))
    with relay_with(mesh, record) as relay:
        with pytest.raises(SchemaError) as caught:
            relay.drain()
        assert problem in str(caught.value)
        assert "position 1," in str(caught.value)
    [stuck] = mesh.store("orders").stuck("relay")
    assert (stuck.version, stuck.position, stuck.type) == (1, 1, "OrderPlaced")
    assert problem in stuck.reason


def ship(order_id: str) -> oc.ShipOrder:
    return oc.ShipOrder(order_id=order_id, shipped_at=T)


def test_a_poisonous_event_stops_its_own_stream_and_no_other(mesh: Mesh) -> None:
    orders = service(mesh, "orders")
    orders.handle_many([place("o1", "1.00"), place("o2", "1.00"), place("o3", "1.00")])
    faulty = True
    domain = mesh.model.domain("orders")
    real = load(domain) if domain else None
    assert domain is not None
    assert real is not None
    integration = Integration()

    @integration.publishes(*real.owners)
    def mapping(event: Any, *_: object) -> list[Publish]:  # pyright: ignore[reportUnusedFunction]
        if event.order_id == "o2" and faulty:
            raise ZeroDivisionError("a bug")
        return [Publish("order_shipped", {**FULL, "order_id": event.order_id})]

    application = Application("orders", aggregates=real.aggregates, integration=integration)

    def relay() -> Relay:
        return Relay(domain, application, mesh.store("orders"), mesh.log, mesh.registry)

    def sent() -> list[str]:
        return [key for _, key, _ in read(mesh, "orders.order_shipped")]

    with relay() as first:
        with pytest.raises(SchemaError, match="cannot publish a OrderPlaced") as caught:
            first.drain()
        assert "hanse relay retry orders" in str(caught.value)
        assert first.position == 3
    assert sorted(sent()) == ["o1", "o3"]
    orders.handle_many([ship("o1"), ship("o2"), ship("o3")])
    with relay() as second:
        assert second.drain().events == 3
        assert [(s.version, s.type) for s in second.stuck] == [(1, "OrderPlaced")]
        with pytest.raises(SchemaError, match="cannot publish a OrderPlaced"):
            second.retry()
        assert sorted(sent()) == ["o1", "o1", "o3", "o3"]
        faulty = False
        assert second.retry().records == 2
        assert second.stuck == []
    assert sorted(sent()) == ["o1", "o1", "o2", "o2", "o3", "o3"]
    late = [h for h, key, _ in read(mesh, "orders.order_shipped") if key == "o2"]
    assert len({h["ce_source"] for h in late}) == 1
    assert late[0]["ce_source"].count("/") == 3  # of its own: its positions lie below those of the others
    assert mesh.store("orders").stuck("relay") == []
    with relay() as third:
        assert third.retry().records == 0
        assert third.drain().events == 0


def test_a_stored_event_that_cannot_be_read_stops_its_own_stream(mesh: Mesh) -> None:
    orders = service(mesh, "orders")
    store = mesh.store("orders")
    store.append([StoredEvent(uuid.UUID(int=5), 1, "OrderPlaced", b"not json")])
    orders.handle(place("o1", "1.00"))
    with pytest.raises(SchemaError, match="cannot publish a OrderPlaced"):
        relay_domain(mesh, "orders")
    store.append([StoredEvent(uuid.UUID(int=5), 2, "OrderShipped", b"{}")])
    orders.handle(place("o2", "1.00"))
    assert relay_domain(mesh, "orders").events == 2
    assert sorted(key for _, key, _ in read(mesh, "orders.order_placed")) == ["o1", "o2"]
    assert [s.stream_id.int for s in store.stuck("relay")] == [5]


def test_an_incompatible_schema_is_refused_before_anything_is_produced(mesh: Mesh) -> None:
    orders = service(mesh, "orders")
    orders.handle(place("o1", "1.00"))
    relay_domain(mesh, "orders")
    path = mesh.settings.root / "domains/orders/events/order_placed.avsc"
    schema = json.loads(path.read_text())
    schema["fields"] = [f for f in schema["fields"] if f["name"] != "customer_state"]
    schema["fields"].append({"name": "channel", "type": "string", "doc": "Where it was placed."})
    path.write_text(json.dumps(schema))
    orders.handle(place("o2", "1.00"))
    with pytest.raises(IncompatibleSchema, match="channel"):
        relay_domain(mesh, "orders")
    assert len(read(mesh, "orders.order_placed")) == 1
    assert mesh.store("orders").relayed("relay") == 1


@pytest.mark.parametrize("text", ["{", '{"type": "record"}', '{"type": "record", "name": "X", "fields": []}'])
def test_a_schema_that_cannot_be_used_is_named(mesh: Mesh, text: str) -> None:
    path = mesh.settings.root / "domains/orders/events/order_placed.avsc"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"orders\.order_placed") as caught:
        relay_domain(mesh, "orders")
    assert str(path) in str(caught.value)


def test_foreign_records_on_the_topics_are_left_alone(mesh: Mesh) -> None:
    relay_domain(mesh, "orders")
    mesh.log.produce("orders.order_placed", [Record(b"anything", b"key")])
    service(mesh, "orders").handle(place("o1", "1.00"))
    assert relay_domain(mesh, "orders").records == 3


def test_a_domain_that_is_not_there_is_named(mesh: Mesh) -> None:
    with pytest.raises(ConfigError, match="no domain 'shipping'"):
        relay_domain(mesh, "shipping")
