"""The reference domains' commands over HTTP: verdicts, problems by rule and field, idempotency, versions, bounds."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from hanse.bootstrap import Mesh
from hanse.domain import ApplicationService
from hanse.edge.app import MAX_BODY, create_app
from hanse.edge.queue import CommandQueue
from hanse.edge.serving import applications, serve
from hanse.errors import ConfigError, HanseError, StoreError
from helpers.domain_mesh import make_mesh
from orders.order import Order

pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")

ITEM = {
    "number": 1,
    "product_id": "p1",
    "category": None,
    "seller_id": "s1",
    "price": {"amount": "10.00", "currency": "BRL"},
    "freight": {"amount": "1.00", "currency": "BRL"},
}
PLACE = {
    "order_id": "o1",
    "customer_id": "c1",
    "customer_state": "SP",
    "placed_at": "2026-03-01T12:00:00Z",
    "items": [ITEM],
}
SHIP = {"order_id": "o1", "shipped_at": "2026-03-02T12:00:00Z"}


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with make_mesh(tmp_path / "mesh") as mesh:
        yield mesh


def services(mesh: Mesh) -> dict[Any, ApplicationService]:
    return {
        application: ApplicationService(application, mesh.store(application.name), mesh.keys)
        for application in applications(mesh, ())
    }


@pytest.fixture
def client(mesh: Mesh) -> Iterator[TestClient]:
    with TestClient(create_app(services(mesh))) as client:
        yield client


def post(client: TestClient, command: str, body: object, **headers: str) -> Any:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.post(f"/orders/commands/{command}", content=json.dumps(body), headers=names)


def test_an_accepted_command_tells_its_versions(client: TestClient, mesh: Mesh) -> None:
    answer = post(client, "PlaceOrder", PLACE, correlation_id="basket-7", traceparent="00-aa-bb-01")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["aggregate"], body["id"], body["first_version"], body["position"]) == ("order", "o1", 1, 1)
    [service] = [s for a, s in services(mesh).items() if a.name == "orders"]
    [recorded] = service.history(Order, "o1")
    assert (recorded.envelope.correlation_id, recorded.envelope.traceparent) == ("basket-7", "00-aa-bb-01")
    assert recorded.envelope.command_id == body["command_id"]


def test_a_rule_that_refuses_is_named(client: TestClient) -> None:
    answer = post(client, "ShipOrder", SHIP)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["rule"]) == ("urn:hanse:rule:order-known", "order-known")
    assert problem["detail"] == "no order with that id was placed"


@pytest.mark.parametrize(
    ("change", "status", "field", "told"),
    [
        ({"items": "all"}, 422, "items", "expected tuple, got str"),
        ({"order_id": 7}, 404, None, "no aggregate is addressed"),
        ({"customer_id": 7}, 422, "customer_id", "expected str, got int"),
        ({"placed_at": "soon"}, 422, "placed_at", "cannot be read; expected datetime"),
        ({"placed_at": "2026-03-01T12:00:00"}, 422, "placed_at", "a moment with time zone"),
        (
            {"items": [{**ITEM, "price": {"amount": "x", "currency": "BRL"}}]},
            422,
            "items.price.amount",
            "Decimal",
        ),
        ({"items": [{**ITEM, "colour": "red"}]}, 422, "items.colour", "has no field 'colour'"),
        ({"items": [{"number": 1}]}, 422, "items.product_id", "'product_id' is missing"),
        ({"customer_id": None}, 422, "customer_id", "expected str, got NoneType"),
        ({"customer_id": "\ud800"}, 400, None, "not JSON"),
        ({"more": 1}, 422, "more", "has no field 'more'"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    client: TestClient, mesh: Mesh, change: dict[str, Any], status: int, field: str | None, told: str
) -> None:
    answer = post(client, "PlaceOrder", {**PLACE, **change})
    problem = answer.json()
    assert (answer.status_code, problem.get("field")) == (status, field)
    assert told in f"{problem['title']} {problem['detail']}"
    assert mesh.store("orders").head() == 0


def test_a_missing_field_is_named(client: TestClient) -> None:
    answer = post(client, "PlaceOrder", {k: v for k, v in PLACE.items() if k != "customer_id"})
    assert (answer.status_code, answer.json()["field"]) == (422, "customer_id")


def test_an_idempotency_key_gives_the_first_verdict_again(client: TestClient, mesh: Mesh) -> None:
    first = post(client, "PlaceOrder", PLACE, idempotency_key="k1")
    again = post(client, "PlaceOrder", PLACE, idempotency_key="k1")
    assert again.json() == first.json()
    assert post(client, "PlaceOrder", PLACE).json()["rule"] == "order-placed-once"
    assert mesh.store("orders").head() == 1
    refused = post(client, "ShipOrder", {**SHIP, "order_id": "o2"}, idempotency_key="k2")
    post(client, "PlaceOrder", {**PLACE, "order_id": "o2"})
    assert (
        post(client, "ShipOrder", {**SHIP, "order_id": "o2"}, idempotency_key="k2").json() == refused.json()
    )


def test_a_stale_version_is_refused(client: TestClient, mesh: Mesh) -> None:
    post(client, "PlaceOrder", PLACE)
    stale = post(client, "ShipOrder", SHIP, if_match='"0"')
    assert (stale.status_code, stale.json()["rule"]) == (412, "stale-version")
    assert post(client, "ShipOrder", SHIP, if_match='"x"').status_code == 400
    assert mesh.store("orders").head() == 1
    assert post(client, "ShipOrder", SHIP, if_match='"1"').status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[1]", 422),
        (b'"x"', 422),
        (b"[" * 100_000, 400),
        (b" " * (MAX_BODY + 1), 413),
    ],
)
def test_a_body_that_cannot_be_is_refused(client: TestClient, body: bytes, status: int) -> None:
    answer = client.post("/orders/commands/PlaceOrder", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_payload_of_nearly_ten_megabytes_is_refused_by_its_event(client: TestClient, mesh: Mesh) -> None:
    answer = post(client, "PlaceOrder", {**PLACE, "customer_id": "c" * (MAX_BODY - 1_000)})
    assert (answer.status_code, answer.json()["rule"]) == (413, "event-too-large")
    assert mesh.store("orders").head() == 0


def test_the_description_is_openapi_3_1_and_fits_what_is_sent(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    place = document["paths"]["/orders/commands/PlaceOrder"]["post"]
    schema = place["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(PLACE)
    assert not Draft202012Validator(schema).is_valid({**PLACE, "items": "all"})
    assert schema["properties"]["items"]["items"]["properties"]["price"]["title"] == "Money"
    assert "application/problem+json" in place["responses"]["409"]["content"]
    register = document["paths"]["/customers/commands/RegisterCustomer"]["post"]["requestBody"]
    assert "Personal" in json.dumps(register)


def test_a_token_is_asked_for_where_one_is_set(mesh: Mesh) -> None:
    with TestClient(create_app(services(mesh), "secret")) as client:
        assert post(client, "PlaceOrder", PLACE).status_code == 401
        assert post(client, "PlaceOrder", PLACE, authorization="Bearer wrong").status_code == 401
        assert post(client, "PlaceOrder", PLACE, authorization="Bearer secret").status_code == 200


def test_commands_are_not_taken_from_anybody(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANSE_COMMAND_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="from anybody"):
        serve(mesh, (), "0.0.0.0", 0, print)
    with pytest.raises(ConfigError, match="'nowhere' takes no commands"):
        applications(mesh, ["nowhere"])


def test_many_clients_share_commits_and_lose_none(mesh: Mesh, client: TestClient) -> None:
    answers: list[int] = []

    def send(number: int) -> None:
        for turn in range(5):
            answers.append(post(client, "PlaceOrder", {**PLACE, "order_id": f"o{number}-{turn}"}).status_code)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert answers == [200] * 40
    assert mesh.store("orders").head() == 40


class Faulty:
    """A service whose code has a fault for one command, and none for others."""

    def handle_many(self, requests: list[Any]) -> list[Any]:
        if "bad" in requests:
            raise ZeroDivisionError("a bug")
        return requests


def test_a_fault_of_one_command_is_nobody_elses() -> None:
    queue = CommandQueue(Faulty())  # pyright: ignore[reportArgumentType]
    futures = [queue.submit(name) for name in ("a", "bad", "b")]  # pyright: ignore[reportArgumentType]
    assert futures[0].result(5) == "a"
    assert futures[2].result(5) == "b"
    with pytest.raises(HanseError, match="has a fault"):
        futures[1].result(5)
    queue.close()
    with pytest.raises(StoreError, match="takes no commands any more"):
        queue.submit("c")  # pyright: ignore[reportArgumentType]


def test_a_store_that_is_locked_is_said_so(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    made = services(mesh)

    def locked(*_: object) -> Any:
        raise StoreError("cannot append to the event store", got="database is locked")

    monkeypatch.setattr(mesh.store("orders"), "append", locked)
    with TestClient(create_app(made)) as client:
        answer = post(client, "PlaceOrder", PLACE, idempotency_key=str(uuid.uuid4()))
    assert answer.status_code == 503
    assert "cannot append" in answer.json()["detail"]
