"""What a domain takes from the log: commands of anybody, records of others, good and bad, once each."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from customers.customer import Customer
from customers.events import CustomerRegistered
from hanse.bootstrap import Mesh
from hanse.domain import ApplicationService, load
from hanse.errors import ConfigError
from hanse.ports.event_log import Record
from hanse.projection.dead_letters import letters
from hanse.relay.commands import MAX_BYTES, inbox_topic
from hanse.relay.inbox import Inbox, open_inbox
from hanse.settings import load_settings
from helpers.domain_mesh import make_mesh
from helpers.saga_world import APPLICATIONS, Pay, Place, Stock, World

MEMORY = Path("/dev/shm")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as name:
        world = World(Path(name))
        yield world
        world.close()


def send(world: World, kind: str, value: bytes | None, command_id: str, **more: str) -> None:
    spec = inbox_topic("stock")
    world.log.create_topic(spec)
    headers = {"ce_id": command_id, "ce_type": kind, **more}
    record = Record(value, b"k", tuple((n, v.encode()) for n, v in headers.items()))
    world.log.produce(spec.name, [record])


def answers(world: World, domain: str) -> list[dict[str, Any]]:
    topic = f"{domain}.command-replies"
    rows = world.log.read(topic, dict.fromkeys(world.log.ranges(topic), 0)).rows
    return [json.loads(value) for value in rows.column("value").to_pylist()]


def test_a_command_of_anybody_is_taken_once(world: World) -> None:
    command_id = str(uuid.uuid4())
    for _ in range(3):
        send(world, "Reserve", b'{"sale_id": "s1"}', command_id, ce_correlationid="basket-7")
    world.settle("stock")
    [recorded] = world.services["stock"].history(Stock, "s1")
    assert recorded.envelope.command_id == command_id
    assert recorded.envelope.correlation_id == "basket-7"


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        ("Reserve", b"{", "command-malformed"),
        ("Reserve", b"[]", "command-malformed"),
        ("Reserve", b'{"sale": "s1"}', "command-malformed"),
        ("Reserve", b'{"sale_id": 5}', "command-unknown"),
        ("Reserve", None, "command-too-large"),
        ("Reserve", b" " * (MAX_BYTES + 1), "command-too-large"),
        ("Burn", b'{"sale_id": "s1"}', "command-unknown"),
        ("Release", b'{"sale_id": "s1"}', "nothing-reserved"),
    ],
)
def test_a_command_that_cannot_be_is_answered_and_changes_nothing(
    world: World, kind: str, value: bytes | None, rule: str
) -> None:
    send(world, kind, value, str(uuid.uuid4()), ce_replyto="sales", ce_process="sell/x")
    send(world, "Reserve", b'{"sale_id": "s2"}', "not even an id", ce_replyto="sales", ce_process="sell/y")
    world.settle("stock")
    first, second = sorted(answers(world, "sales"), key=lambda answer: answer["rule"] is None)
    assert (first["rule"], second["rule"]) == (rule, None)
    assert world.did("s1")[1] == ()
    assert world.did("s2")[1] == ("Reserve",)
    world.settle()  # an answer for a saga that never was harms nobody
    assert world.stores["sales"].processes(prefix="sell/x") == []


def test_a_record_that_cannot_be_read_is_set_aside_and_the_rest_goes_on(world: World) -> None:
    world.do(Place(sale_id="s1"))
    with world.relay("sales") as relay:
        relay.drain()
    for value in (b"nonsense", b"\x00\x00\x00\x03\xe7x", None):
        world.log.produce("sales.sale_placed", [Record(value, b"s1")])
    world.do(Pay(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("completed", "ship")
    letter, other = letters(world.log, "sales.sale_placed")
    assert (letter.product, letter.value) == ("sales (inbox)", b"nonsense")
    assert "schema id 999" in other.reason


def test_a_command_on_which_the_code_fails_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stock.decide

    def decide(self: Stock, wanted: Any) -> Any:
        if wanted.sale_id == "s2":
            raise IndexError("a bug")
        return real(self, wanted)

    monkeypatch.setattr(Stock, "decide", decide)
    for sale in ("s1", "s2", "s3"):
        body = json.dumps({"sale_id": sale}).encode()
        send(world, "Reserve", body, str(uuid.uuid4()), ce_replyto="sales", ce_process="sell/x")
    world.settle("stock")
    assert [world.did(sale)[1] for sale in ("s1", "s2", "s3")] == [("Reserve",), (), ("Reserve",)]
    assert [a["message"] for a in answers(world, "sales") if a["rule"] == "command-fault"] == [
        "IndexError: a bug"
    ]


def test_a_topic_that_was_made_again_is_read_from_its_beginning(world: World) -> None:
    send(world, "Reserve", b'{"sale_id": "s1"}', str(uuid.uuid4()))
    world.settle("stock")
    world.log.delete_topic("stock.command-inbox")
    send(world, "Ship", b'{"sale_id": "s1"}', str(uuid.uuid4()))
    world.settle("stock")
    assert world.did("s1")[1] == ("Reserve", "Ship")


def test_a_saga_that_listens_to_no_declared_topic_is_refused(world: World) -> None:
    lonely = Mesh(load_settings(world.root, {})).settings
    model = type(world.model)(lonely.root, world.model.domains[1:], ())
    with pytest.raises(ConfigError, match="listens to 'sales"):
        Inbox(APPLICATIONS["sales"], model, world.stores["sales"], world.log, world.registry, world.keys)


def register(mesh: Mesh, customer_id: str, name: str, subject: str) -> None:
    spec = inbox_topic("customers")
    mesh.log.create_topic(spec)
    body = {
        "customer_id": customer_id,
        "name": name,
        "address": {"city": "recife", "state": "PE", "street": None, "postal_code": None},
        "registered_at": "2026-03-01T12:00:00Z",
    }
    headers = {"ce_id": str(uuid.uuid4()), "ce_type": "RegisterCustomer", "ce_personalsubject": subject}
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    mesh.log.produce(spec.name, [Record(json.dumps(body).encode(), b"k", encoded)])


def test_what_is_personal_travels_encrypted_for_its_person(tmp_path: Path) -> None:
    with make_mesh(tmp_path / "mesh", "customers", "leads") as mesh:
        domain = mesh.model.domain("customers")
        application = load(domain) if domain else None
        assert application is not None
        service = ApplicationService(application, mesh.store("customers"), mesh.keys)
        ciphertext = mesh.keys.encrypt("lead-7", "Ana Alves")
        register(mesh, "in-clear", "Ana Alves", "lead-7")
        register(mesh, "of-another", ciphertext, "lead-8")
        register(mesh, "good", ciphertext, "lead-7")
        open_inbox(mesh, "customers").drain()
        mesh.keys.forget("lead-7")
        register(mesh, "forgotten", ciphertext, "lead-7")
        open_inbox(mesh, "customers").drain()
        names = {
            customer: [
                r.event.name
                for r in service.history(Customer, customer)
                if isinstance(r.event, CustomerRegistered)
            ]
            for customer in ("in-clear", "of-another", "good", "forgotten")
        }
        assert names == {"in-clear": [], "of-another": [None], "good": ["Ana Alves"], "forgotten": [None]}


@pytest.mark.kafka
def test_a_saga_runs_over_kafka(tmp_path: Path, kafka_address: str) -> None:
    (tmp_path / "hanse.toml").write_text("")
    with Mesh(load_settings(tmp_path, {"HANSE_LOG": kafka_address})) as mesh:
        world = World(tmp_path / "world", log=mesh.log)
        world.do(Place(sale_id="s1"), Pay(sale_id="s1"))
        for _ in range(40):
            world.round()
            if world.status_of("s1") == "completed":
                break
        assert world.status("s1") == ("completed", "ship")
        world.stores["sales"].close()
